"""Triangles of a closed surface in an .stl file, in text or binary."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from pinnml.errors import MeshError


def read_stl(path: str | os.PathLike[str]) -> np.ndarray:
    """The corners of the triangles of an .stl file, (F, 3, 3). Raises MeshError for a file that is none."""
    path = Path(path)
    if path.suffix.lower() != ".stl":
        cure = "save the surface as .stl; cells are read by Mesh.read"
        raise MeshError(f"surface '{path.name}'", expected="an .stl file", got=str(path), cure=cure)
    if not path.is_file():
        message = f"surface '{path.name}': there is no such file"
        raise MeshError(message, expected="a file", got=str(path), cure="look at the path")
    data = path.read_bytes()
    try:
        triangles = _binary(data) if _is_binary(data) else _text(data)
    except ValueError as error:
        cure = "save it again; of a file in text the last line is `endsolid`"
        message = f"surface '{path.name}': the file cannot be read"
        raise MeshError(message, expected="a whole .stl file", got=error, cure=cure) from None
    return triangles.astype(np.float64)


def _is_binary(data: bytes) -> bool:
    """Whether it is as long as the triangles announced, or longer without the words of text, or does not begin so."""
    announced = 84 + 50 * int.from_bytes(data[80:84], "little")
    begins = re.match(rb"(\xef\xbb\xbf)?\s*solid\b", data, re.IGNORECASE)
    wordless = re.search(rb"\bfacet\b", data, re.IGNORECASE) is None and len(data) > announced
    return len(data) == announced or begins is None or wordless


def _text(data: bytes) -> np.ndarray:
    """Names, which may hold any word, stand on the lines that begin and end a solid; the rest is words and numbers."""
    text = re.sub(rb"\r\n?", b"\n", data.removeprefix(b"\xef\xbb\xbf").lower())
    text = re.sub(rb"(?m)^[ \t]*end[ \t]*solid\b.*$", b" endsolid ", text)
    text = re.sub(rb"(?m)^[ \t]*solid\b.*$", b" solid ", text)
    words = re.sub(rb"\bend\s+(?=loop\b|facet\b)", b"end", text).split()
    begun, ended, facets = (words.count(word) for word in (b"solid", b"endsolid", b"endfacet"))
    if begun != ended or words[-1] != b"endsolid":
        raise ValueError(
            f"{begun} solids begin and {ended} end: the rest of the file is missing, or only its last line"
        )
    starts = [place for place, word in enumerate(words) if word == b"vertex"]
    if not starts or len(starts) != 3 * facets:
        raise ValueError(f"{len(starts)} corners of {facets} triangles")
    return np.array([words[start + 1 : start + 4] for start in starts]).astype(np.float64).reshape(-1, 3, 3)


def _binary(data: bytes) -> np.ndarray:
    count = int.from_bytes(data[80:84], "little")
    if len(data) < 84 or not count or len(data) - 84 < 50 * count:
        raise ValueError(f"{count} triangles of 50 bytes are announced in {max(len(data) - 84, 0)} bytes")
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    return np.frombuffer(data, record, count, 84)["corners"]
