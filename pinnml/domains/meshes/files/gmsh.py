"""Gmsh's .msh files, formats 2.2 and 4.1, in text and binary.

They are read here: every number that announces how much follows is compared with what the file still holds, an entity
may be in several physical groups, and nothing is passed over in silence.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np

from pinnml.domains.cells import BETWEEN
from pinnml.domains.meshes.files.kinds import FILE_KINDS, FileMesh, unknown_kind
from pinnml.errors import MeshError

BY_NUMBER = {kind.gmsh: name for name, kind in FILE_KINDS.items()}
#: Gmsh's order of the edges and faces of the cells where it is not that of VTK.
_HEXAHEDRON = [
    *((0, 1), (0, 3), (0, 4), (1, 2), (1, 5), (2, 3), (2, 6), (3, 7), (4, 5), (4, 7), (5, 6), (6, 7)),
    *((0, 1, 2, 3), (0, 1, 4, 5), (0, 3, 4, 7), (1, 2, 5, 6), (2, 3, 6, 7), (4, 5, 6, 7)),
    tuple(range(8)),
]
_TETRAHEDRON = [(0, 1), (1, 2), (0, 2), (0, 3), (2, 3), (1, 3)]
_OWN_ORDER = {
    "tetra10": ("tetrahedron", _TETRAHEDRON),
    "hexahedron20": ("hexahedron", _HEXAHEDRON),
    "hexahedron27": ("hexahedron", _HEXAHEDRON),
}
#: Kinds of numbers: name -> type in a binary file.
TYPES = {"int": "i4", "size": "u8", "float": "f8"}

#: Cells of one kind (c, g) by the tags of their nodes, and the rows of the cells of each physical group.
Block = tuple[str, np.ndarray, dict[int, np.ndarray]]


class Numbers:
    """The numbers of a section one after the other, from text or, with an order of bytes, from binary data."""

    def __init__(self, data: bytes, start: int, end: int, order: str | None):
        self._data, self._order = data, order
        self._tokens = data[start:end].split() if order is None else []
        self._at, self._end = (0, len(self._tokens)) if order is None else (start, end)

    def take(self, kind: str, count: int) -> np.ndarray:
        """The next `count` numbers; ValueError if there are fewer."""
        if self._order is None:
            values = np.array(self._tokens[self._next(count)])
        else:
            values = self.records([(kind, self._order + TYPES[kind])], count)[kind]
        return values.astype(np.float64 if kind == "float" else np.int64)

    def records(self, fields: list[tuple[Any, ...]], count: int) -> np.ndarray:
        """The next `count` records of binary data."""
        layout = np.dtype(fields)
        return np.frombuffer(self._data[self._next(count * layout.itemsize)], layout)

    def table(self, kind: str, rows: int, columns: int) -> np.ndarray:
        """The next numbers as (rows, columns)."""
        return self.take(kind, rows * columns).reshape(rows, columns)

    def one(self, kind: str) -> int:
        """The next whole number."""
        return int(self.take(kind, 1)[0])

    def _next(self, length: int) -> slice:
        if not 0 <= length <= self._end - self._at:
            raise ValueError("more is announced than the file holds")
        start, self._at = self._at, self._at + length
        return slice(start, self._at)


class Nodes:
    """Points (N, 3) and the tags (N,) by which cells name them."""

    def __init__(self, tags: np.ndarray, points: np.ndarray):
        order = np.argsort(tags, kind="stable")
        self._tags, self.points = tags[order], points[order]
        if not len(tags) or (np.diff(self._tags) == 0).any():
            raise ValueError("no nodes, or two nodes of one number")

    def rows(self, tags: np.ndarray) -> np.ndarray:
        """The rows of the points of these tags."""
        rows = np.searchsorted(self._tags, tags).clip(max=len(self._tags) - 1)
        if (missing := self._tags[rows] != tags).any():
            raise ValueError(f"a cell has the node {tags[missing][0]}, which is not there")
        return rows


def read_gmsh(data: bytes) -> FileMesh:
    """What a .msh file says; ValueError where it breaks the format, MeshError for what is not supported."""
    version, order, position = _header(data)
    named: dict[tuple[int, int], str] = {}
    entities: dict[tuple[int, int], list[int]] = {}
    nodes, blocks = None, []
    for name, start, end in _sections(data, position):
        if name == "PartitionedEntities":
            raise MeshError("a mesh in partitions", got="$PartitionedEntities", cure="save it without partitions")
        if name == "PhysicalNames":
            named = _physical_names(data[start:end])
        elif name == "Entities" and version == "4.1":
            entities = _entities(Numbers(data, start, end, order))
        elif name in ("Nodes", "Elements") and version == "2.2":
            head = data.index(b"\n", start, end + 1)
            count, numbers = int(data[start:head]), Numbers(data, head + 1, end, order)
            if name == "Nodes":
                nodes = _nodes_2(count, numbers, order)
            else:
                blocks = (_cells_2_text if order is None else _cells_2_binary)(count, numbers)
        elif name == "Nodes":
            nodes = _nodes_4(Numbers(data, start, end, order))
        elif name == "Elements":
            blocks = _cells_4(Numbers(data, start, end, order), entities)
    if nodes is None or not blocks:
        raise ValueError("it holds no nodes, or no cells")
    return _file_mesh(nodes, blocks, named)


def _header(data: bytes) -> tuple[str, str | None, int]:
    """The version, the order of bytes ("<", ">" or None for text) and the place behind the header."""
    found = re.search(rb"\$MeshFormat\s*\n\s*([\d.]+)\s+([01])\s+(\d+)[ \t\r]*\n", data[:4096])
    if found is None:
        raise ValueError("it does not begin with $MeshFormat")
    version = {"2": "2.2", "2.2": "2.2", "4.1": "4.1"}.get(found[1].decode())
    if version is None or found[3] != b"8":
        cure = "save it again from Gmsh with Mesh.MshFileVersion = 4.1"
        got = f"format {found[1].decode()} with numbers of {found[3].decode()} bytes"
        raise MeshError("a .msh file of another format", expected="format 2.2 or 4.1", got=got, cure=cure)
    if found[2] == b"0":
        return version, None, found.end()
    one = data[found.end() : found.end() + 4]
    order = {b"\1\0\0\0": "<", b"\0\0\0\1": ">"}.get(one)
    if order is None:
        raise ValueError("the order of its bytes cannot be told")
    return version, order, found.end() + 4


def _sections(data: bytes, position: int) -> list[tuple[str, int, int]]:
    """Name, start and end of every section; binary data may hold anything but the whole line of its own end."""
    sections = []
    opening = re.compile(rb"^\$(\w+)[ \t\r]*\n", re.MULTILINE)
    while found := opening.search(data, position):
        name = found[1]
        if name != b"EndMeshFormat":
            end = data.find(b"$End" + name, found.end())
            if end < 0:
                raise ValueError(f"${name.decode()} has no end")
            sections.append((name.decode(), found.end(), end))
            position = end + len(name) + 4
        else:
            position = found.end()
    return sections


def _physical_names(text: bytes) -> dict[tuple[int, int], str]:
    lines = re.findall(r'^\s*(\d+)\s+(\d+)\s+"(.*)"\s*$', text.decode(), re.MULTILINE)
    if len(lines) != int(text.split(maxsplit=1)[0]):
        raise ValueError("$PhysicalNames does not hold as many names as it says")
    return {(int(dimension), int(tag)): name for dimension, tag, name in lines}


def _entities(numbers: Numbers) -> dict[tuple[int, int], list[int]]:
    """The physical groups of every entity (dimension, tag)."""
    entities = {}
    for dimension, count in enumerate(numbers.take("size", 4)):
        for _ in range(count):
            tag = numbers.one("int")
            numbers.take("float", 6 if dimension else 3)
            entities[dimension, tag] = numbers.take("int", numbers.one("size")).tolist()
            if dimension:
                numbers.take("int", numbers.one("size"))
    return entities


def _nodes_4(numbers: Numbers) -> Nodes:
    blocks, *_ = numbers.take("size", 4)
    tags, points = [], []
    for _ in range(blocks):
        dimension, _, parametric = numbers.take("int", 3)
        count = numbers.one("size")
        tags.append(numbers.take("size", count))
        points.append(numbers.table("float", count, 3 + int(dimension) * bool(parametric))[:, :3])
    return Nodes(np.concatenate(tags), np.concatenate(points))


def _cells_4(numbers: Numbers, entities: dict[tuple[int, int], list[int]]) -> list[Block]:
    blocks = []
    for _ in range(numbers.take("size", 4)[0]):
        dimension, tag, number = (int(n) for n in numbers.take("int", 3))
        kind = _kind(number)
        cells = numbers.table("size", numbers.one("size"), 1 + FILE_KINDS[kind].nodes)[:, 1:]
        everything = np.arange(len(cells))
        blocks.append((kind, cells, {abs(group): everything for group in entities.get((dimension, tag), ())}))
    return blocks


def _nodes_2(count: int, numbers: Numbers, order: str | None) -> Nodes:
    if order is None:
        table = numbers.table("float", count, 4)
        if not (np.abs(table[:, 0]) < 2**31).all():
            raise ValueError("a node whose number is no number")
        return Nodes(table[:, 0].astype(np.int64), table[:, 1:])
    table = numbers.records([("tag", order + "i4"), ("x", order + "f8", 3)], count)
    return Nodes(table["tag"].astype(np.int64), table["x"].astype(np.float64))


def _cells_2_text(count: int, numbers: Numbers) -> list[Block]:
    rows: dict[str, list[list[int]]] = defaultdict(list)
    for _ in range(count):
        _, number, tags = numbers.take("int", 3).tolist()
        kind = _kind(number)
        group = numbers.take("int", tags)[:1].tolist() or [0]
        rows[kind].append(group + numbers.take("int", FILE_KINDS[kind].nodes).tolist())
    return [_block(kind, np.array(table)) for kind, table in rows.items()]


def _cells_2_binary(count: int, numbers: Numbers) -> list[Block]:
    blocks, found = [], 0
    while found < count:
        number, rows, tags = numbers.take("int", 3).tolist()
        kind = _kind(number)
        if rows < 1 or tags < 1:
            raise ValueError(f"a block of {rows} cells with {tags} tags")
        table = numbers.table("int", rows, 1 + tags + FILE_KINDS[kind].nodes)
        blocks.append(_block(kind, np.delete(table, [0, *range(2, 1 + tags)], axis=1)))
        found += rows
    return blocks


def _block(kind: str, table: np.ndarray) -> Block:
    """Cells from rows of (tag of the physical group or 0, nodes)."""
    groups = np.abs(table[:, 0])
    return kind, table[:, 1:], {int(tag): np.flatnonzero(groups == tag) for tag in np.unique(groups) if tag}


def _kind(number: int) -> str:
    if number not in BY_NUMBER:
        raise unknown_kind(f"{number} of Gmsh's list")
    return BY_NUMBER[number]


def _file_mesh(nodes: Nodes, blocks: list[Block], named: dict[tuple[int, int], str]) -> FileMesh:
    """Blocks of one kind joined, nodes by their rows in the order of VTK, groups under their names.

    A group without a name is called "part 3" where it is of cells, "face 3" where it is of facets.
    """
    cells: dict[str, list[np.ndarray]] = defaultdict(list)
    groups: dict[tuple[int, str], dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    highest = max(FILE_KINDS[kind].dimension for kind, *_ in blocks)
    for kind, block, tags in blocks:
        dimension, before = FILE_KINDS[kind].dimension, sum(map(len, cells[kind]))
        cells[kind].append(nodes.rows(block)[:, _vtk_order(kind)])
        for tag, rows in tags.items():
            name = named.get((dimension, tag), f"{'part' if dimension == highest else 'face'} {tag}")
            groups[dimension, name][kind].append(before + rows)
    joined = {key: {kind: np.concatenate(rows) for kind, rows in group.items()} for key, group in groups.items()}
    return FileMesh(nodes.points, {kind: np.concatenate(blocks) for kind, blocks in cells.items()}, joined)


def _vtk_order(kind: str) -> list[int]:
    """Where the nodes of VTK's order stand in Gmsh's."""
    if kind not in _OWN_ORDER:
        return list(range(FILE_KINDS[kind].nodes))
    shape, own = _OWN_ORDER[kind]
    corners = FILE_KINDS[kind].corners
    place = {frozenset(group): number for number, group in enumerate(own, corners)}
    between = BETWEEN[shape][: FILE_KINDS[kind].nodes - corners]
    return [*range(corners), *(place[frozenset(group)] for group in between)]
