"""Legacy .vtk files of unstructured grids, versions 1 to 5.1, in text and binary."""

from __future__ import annotations

from urllib.parse import unquote

import numpy as np

from pinnml.domains.meshes.files.kinds import FileMesh
from pinnml.domains.meshes.files.vtk_cells import vtk_mesh
from pinnml.errors import MeshError

TYPES = {
    "char": "i1",
    "unsigned_char": "u1",
    "short": "i2",
    "unsigned_short": "u2",
    "int": "i4",
    "unsigned_int": "u4",
    "long": "i8",
    "unsigned_long": "u8",
    "vtktypeint64": "i8",
    "vtktypeuint64": "u8",
    "vtkidtype": "i4",
    "float": "f4",
    "double": "f8",
}
#: Numbers for each point or cell of the attributes that have a fixed number of them.
COMPONENTS = {"VECTORS": 3, "NORMALS": 3, "TENSORS": 9, "TENSORS6": 6, "GLOBAL_IDS": 1, "PEDIGREE_IDS": 1}


class Reader:
    """The lines and arrays of a file one after the other; whatever breaks the format is a ValueError."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0
        first, _, form = (self.line() for _ in range(3))
        if first[:4] != ["#", "vtk", "DataFile", "Version"] or form[:1] not in (["ASCII"], ["BINARY"]):
            raise ValueError("it does not begin as a .vtk file")
        self._text = form == ["ASCII"]

    def line(self) -> list[str]:
        """The words of the next line."""
        end = self._data.find(b"\n", self._at)
        end = len(self._data) if end < 0 else end
        words = self._data[self._at : end].decode("latin-1").split()
        self._at = end + 1
        return words

    def words(self) -> list[str]:
        """The words of the next line that has any; none at the end."""
        while self._at < len(self._data):
            if words := self.line():
                return words
        return []

    def words_if(self, first: str) -> list[str]:
        """The words of the next line if it begins with this one, else none, and the line remains."""
        start = self._at
        words = self.line()
        if words[:1] != [first]:
            self._at = start
            return []
        return words

    def colours(self, count: int) -> np.ndarray:
        """The next shares of colours, from 0 to 255; in text they stand as parts of 255. VTK makes these of bytes."""
        if not self._text:
            return self.array(count, "unsigned_char")
        return np.rint(255 * np.nan_to_num(self.array(count, "float")).clip(0, 1)).astype(np.uint8)

    def array(self, count: int, kind: str) -> np.ndarray:
        """The next numbers; there must be so many."""
        if kind.lower() not in TYPES:
            raise ValueError(f"numbers of type {kind}")
        form = np.dtype(">" + TYPES[kind.lower()])
        if not 0 <= count <= len(self._data) - self._at:
            raise ValueError(f"it announces {count} numbers in {max(len(self._data) - self._at, 0)} bytes")
        if not self._text:
            values = np.frombuffer(self._data, form, count, self._at)
            self._at += count * form.itemsize
            return values.astype(form.newbyteorder("="))
        tokens = self._data[self._at :].split(None, count)
        if len(tokens) < count:
            raise ValueError(f"it announces {count} numbers and holds {len(tokens)}")
        self._at = len(self._data) - (len(tokens[count]) if len(tokens) > count else 0)
        return np.array(tokens[:count]).astype(np.float64 if form.kind == "f" else np.int64)


def read_vtk(data: bytes) -> FileMesh:
    """What a .vtk file says; ValueError where it breaks the format, MeshError for what is not supported."""
    reader, found, values = Reader(data), {}, {}
    place, count = "", 0
    while words := reader.words():
        keyword = words[0].upper()
        if keyword == "DATASET" and words[1].upper() != "UNSTRUCTURED_GRID":
            cure = "save it as an unstructured grid"
            raise MeshError("a .vtk file without cells", expected="UNSTRUCTURED_GRID", got=words[1], cure=cure)
        if keyword == "POINTS":
            found["points"] = reader.array(3 * int(words[1]), words[2]).astype(np.float64).reshape(-1, 3)
        elif keyword == "CELLS":
            found["offsets"], found["nodes"] = _cells(reader, int(words[1]), int(words[2]))
        elif keyword == "CELL_TYPES":
            found["types"] = reader.array(int(words[1]), "int")
        elif keyword in ("CELL_DATA", "POINT_DATA"):
            place, count = keyword, int(words[1])
        elif keyword == "METADATA":
            while reader.line():
                pass
        elif keyword != "DATASET":
            arrays = _attribute(reader, keyword, words, count)
            values |= {unquote(name): array for name, array in arrays.items()} if place == "CELL_DATA" else {}
    if missing := {"points", "offsets", "nodes", "types"} - found.keys():
        raise ValueError(f"it holds no {min(missing)}")
    return vtk_mesh(found["points"], found["offsets"], found["nodes"], found["types"], values)


def _cells(reader: Reader, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the nodes of the cells begin and end (C + 1,), and the nodes; of the newer form, and of the older one."""
    if words := reader.words_if("OFFSETS"):
        offsets = reader.array(first, words[1]).astype(np.int64)
        return offsets, reader.array(second, reader.words()[1]).astype(np.int64)
    table = reader.array(second, "int").astype(np.int64)
    sizes, starts, at = table.tolist(), [], 0
    for _ in range(first):
        if not (at < second and 0 < sizes[at] < second - at):
            raise ValueError("a cell has more nodes than there are")
        starts.append(at)
        at += 1 + sizes[at]
    return np.cumsum([0, *(sizes[start] for start in starts)]), np.delete(table[:at], starts)


def _attribute(reader: Reader, keyword: str, words: list[str], count: int) -> dict[str, np.ndarray]:
    """The arrays (count, k) of an attribute by name."""
    if keyword == "FIELD":
        arrays = {}
        for _ in range(int(words[2])):
            name, components, rows, kind = reader.words()[:4]
            arrays[name] = reader.array(int(components) * int(rows), kind).reshape(int(rows), -1)
            if rows == "0" or int(components) < 1:
                raise ValueError(f"the array {name} is empty")
        return arrays
    if keyword == "SCALARS":
        components = int(words[3]) if len(words) > 3 else 1
        reader.words_if("LOOKUP_TABLE")
        return {words[1]: reader.array(count * components, words[2]).reshape(count, components)}
    if keyword in COMPONENTS:
        return {words[1]: reader.array(count * COMPONENTS[keyword], words[2]).reshape(count, -1)}
    if keyword == "TEXTURE_COORDINATES":
        return {words[1]: reader.array(count * int(words[2]), words[3]).reshape(count, -1)}
    if keyword == "COLOR_SCALARS":
        return {words[1]: reader.colours(count * int(words[2])).reshape(count, -1)}
    if keyword == "LOOKUP_TABLE":
        reader.colours(4 * int(words[2]))
        return {}
    raise ValueError(f"there is a section {keyword[:30]!r}")
