"""Unstructured grids in .vtu files: arrays in the XML itself or appended, in text, base64 or raw, packed or not.

VTK's own reader ends the whole process on damaged files; here every number that announces how much follows is compared
with what is needed and what is there.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pinnml.domains.meshes.files.kinds import FileMesh
from pinnml.domains.meshes.files.vtk_cells import vtk_mesh
from pinnml.domains.meshes.files.vtu_data import UNPACK, Base64, Raw, unpacked
from pinnml.errors import MeshError

TYPES = {
    f"{word}{8 * size}": f"{letter}{size}" for word, letter in (("Int", "i"), ("UInt", "u")) for size in (1, 2, 4, 8)
}
TYPES |= {"Float32": "f4", "Float64": "f8"}


@dataclass(frozen=True)
class File:
    """The parsed part of a file, the data appended to it, and how numbers are packed.

    unpack: how a block is unpacked to so many bytes; None where blocks are not packed. header: the type of sizes.
    """

    root: ET.Element
    appended: bytes
    encoding: str
    order: str
    header: np.dtype
    unpack: Callable[[bytes, int], bytes] | None

    def array(self, element: ET.Element, count: int) -> np.ndarray:
        """The numbers (count,) of a <DataArray>."""
        form, name = np.dtype(self.order + TYPES[element.get("type", "")]), element.get("format", "ascii")
        text = "".join([element.text or "", *(child.tail or "" for child in element)])  # beside <InformationKey>
        if name == "ascii":
            words = text.split()
            if len(words) != count:
                raise ValueError(f"an array of {count} numbers is announced and holds {len(words)}")
            return np.array(words, dtype=str).astype(np.float64 if form.kind == "f" else form.newbyteorder("="))
        if name == "binary":
            source = Base64("".join(text.split()).encode())
        else:
            start = int(element.get("offset", "0"))
            if name != "appended" or not 0 <= start < len(self.appended) or self.encoding not in SOURCES:
                raise ValueError(f"an array of format {name} that is not there")
            source = SOURCES[self.encoding](self.appended[start:])
        data = unpacked(source, count * form.itemsize, self.header, self.unpack)
        return np.frombuffer(data, form).astype(form.newbyteorder("="))


SOURCES = {"raw": Raw, "base64": Base64}


def read_vtu(data: bytes) -> FileMesh:
    """What a .vtu file says; ValueError where it breaks the format, MeshError for what is not supported."""
    file = _parsed(data)
    pieces = [piece for piece in file.root.iter("Piece") if _count(piece, "NumberOfCells")]
    if len(pieces) > 1:
        raise MeshError("a mesh in pieces", got=f"{len(pieces)} pieces", cure="merge them and save them as one")
    if not pieces:
        raise ValueError("it holds no cells")
    piece = pieces[0]
    count, cells = _count(piece, "NumberOfPoints"), _count(piece, "NumberOfCells")
    points = file.array(_named(piece, "Points", None), 3 * count).astype(np.float64).reshape(-1, 3)
    ends = file.array(_named(piece, "Cells", "offsets"), cells).astype(np.int64)
    nodes = file.array(_named(piece, "Cells", "connectivity"), int(ends[-1])).astype(np.int64)
    types = file.array(_named(piece, "Cells", "types"), cells).astype(np.int64)
    values = {
        element.get("Name", ""): file.array(element, cells)
        for element in piece.findall("CellData/DataArray")
        if TYPES.get(element.get("type", ""), "f")[0] != "f" and element.get("NumberOfComponents", "1") == "1"
    }
    return vtk_mesh(points, np.append(0, ends), nodes, types, values)


def _parsed(data: bytes) -> File:
    """The file with its appended data apart: raw ones are no XML."""
    start = re.search(rb"<AppendedData\b[^>]*>\s*_", data)
    end = data.rfind(b"</AppendedData>") if start else len(data)
    if end < 0:
        raise ValueError("its appended data have no end")
    appended = data[start.end() : end] if start else b""
    text = data if start is None else data[: start.end() - 1] + data[end:]
    try:
        root = ET.fromstring(text, ET.XMLParser(encoding=_encoding(text)))
    except (ET.ParseError, LookupError) as error:
        raise ValueError(f"it is not whole XML: {error}") from error
    if root.tag != "VTKFile" or root.get("type") != "UnstructuredGrid":
        cure = "save it as an unstructured grid"
        got = f"{root.tag} of type {root.get('type')}"
        raise MeshError("a .vtu file of another type", expected="VTKFile of type UnstructuredGrid", got=got, cure=cure)
    order = {"LittleEndian": "<", "BigEndian": ">"}[root.get("byte_order", "LittleEndian")]
    header = np.dtype(order + {"UInt32": "u4", "UInt64": "u8"}[root.get("header_type", "UInt32")])
    compressor = root.get("compressor")
    if compressor is not None and compressor not in UNPACK:
        cure = "save it without compression"
        raise MeshError("a .vtu file packed in another way", expected=", ".join(UNPACK), got=compressor, cure=cure)
    encoding = root.find("AppendedData")
    how = "" if encoding is None else encoding.get("encoding", "base64")
    return File(root, appended, how, order, header, UNPACK[compressor] if compressor else None)


def _encoding(text: bytes) -> str | None:
    """Latin-1 for XML that is not in UTF-8 and does not say what it is in."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return None if b"encoding=" in text[:200] else "latin-1"
    return None


def _count(piece: ET.Element, name: str) -> int:
    count = int(piece.get(name, "0"))
    if count < 0:
        raise ValueError(f"{name} is {count}")
    return count


def _named(piece: ET.Element, section: str, name: str | None) -> ET.Element:
    """The array of a section with a name, or its only one."""
    for element in piece.findall(f"{section}/DataArray"):
        if name is None or element.get("Name") == name:
            return element
    raise ValueError(f"it holds no {name or section}")
