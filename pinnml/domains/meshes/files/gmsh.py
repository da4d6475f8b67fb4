"""Gmsh's .msh files, formats 2 and 4.1, in text and binary.

They are read here: every number that announces how much follows is compared with what the file still holds, an entity
may be in several physical groups, and nothing is passed over in silence.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np

from pinnml.domains.cells import BETWEEN
from pinnml.domains.meshes.files.gmsh_cells import (
    Block,
    cells_2_binary,
    cells_2_text,
    cells_4,
    entities_4,
    nodes_2,
    nodes_4,
)
from pinnml.domains.meshes.files.gmsh_names import GroupNames, PhysicalName, physical_names
from pinnml.domains.meshes.files.gmsh_numbers import Nodes, Numbers
from pinnml.domains.meshes.files.kinds import FILE_KINDS, FileMesh
from pinnml.errors import MeshError

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
#: Formats by the number that files write, as 2, 2.0 or 2.200000.
LAYOUTS = {2.0: 2, 2.1: 2, 2.2: 2, 4.1: 4}
SAVE_AGAIN = "open it in Gmsh and save it with Mesh.MshFileVersion = 4.1"
#: Sections that cannot be read around: what they are, and the cure.
REFUSED = {
    "PartitionedEntities": ("a mesh in partitions", "save it without partitions"),
    "ParametricNodes": ("nodes with parameters", "save it with Mesh.SaveParametric = 0"),
}


def read_gmsh(data: bytes) -> FileMesh:
    """What a .msh file says; ValueError where it breaks the format, MeshError for what is not supported."""
    data = data.removeprefix(b"\xef\xbb\xbf")  # a byte-order mark
    version, order, position = _header(data)
    named: list[PhysicalName] = []
    entities: dict[tuple[int, int], list[int]] = {}
    nodes, blocks = None, []
    for name, start, end in _sections(data, position):
        if name in REFUSED:
            raise MeshError(REFUSED[name][0], got=f"${name}", cure=REFUSED[name][1])
        if name == "PhysicalNames":
            named = physical_names(data[start:end])
        elif name == "Entities" and version == 4:
            entities = entities_4(Numbers(data, start, end, order))
        elif name in ("Nodes", "Elements") and version == 2:
            head = data.index(b"\n", start, end + 1)
            count, numbers = int(data[start:head]), Numbers(data, head + 1, end, order)
            if name == "Nodes":
                nodes = nodes_2(count, numbers)
            else:
                blocks = (cells_2_text if order is None else cells_2_binary)(count, numbers)
        elif name == "Nodes":
            nodes = nodes_4(Numbers(data, start, end, order))
        elif name == "Elements":
            blocks = cells_4(Numbers(data, start, end, order), entities)
    if nodes is None or not blocks:
        raise ValueError("it holds no nodes, or no cells")
    return _file_mesh(nodes, blocks, named)


def _header(data: bytes) -> tuple[int, str | None, int]:
    """The format, 2 or 4 for 4.1, the order of bytes ("<", ">" or None for text) and the place behind the header."""
    found = re.search(rb"^[ \t]*\$MeshFormat\s*\n\s*([\d.]+)\s+([01])\s+(\d+)[ \t\r]*\n", data, re.MULTILINE)
    if found is None and not re.search(rb"^[ \t]*\$NOD\b", data, re.MULTILINE):
        raise ValueError("it does not begin with $MeshFormat")
    version, size = (found[1].decode(), found[3].decode()) if found else ("1", "8")
    layout = LAYOUTS.get(float(version)) if version.count(".") < 2 and version != "." else None
    if found is None or layout is None or size != "8":
        got = f"format {version} with numbers of {size} bytes"
        raise MeshError("a .msh file of another format", expected="format 2.0 to 2.2 or 4.1", got=got, cure=SAVE_AGAIN)
    if found[2] == b"0":
        return layout, None, found.end()
    one = data[found.end() : found.end() + 4]
    order = {b"\1\0\0\0": "<", b"\0\0\0\1": ">"}.get(one)
    if order is None:
        raise ValueError("the order of its bytes cannot be told")
    return layout, order, found.end() + 4


def _sections(data: bytes, position: int) -> list[tuple[str, int, int]]:
    """Name, start and end of every section; binary data may hold anything but the whole line of its own end."""
    sections = []
    opening = re.compile(rb"^[ \t]*\$(\w+)[ \t\r]*\n", re.MULTILINE)
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


def _file_mesh(nodes: Nodes, blocks: list[Block], named: list[PhysicalName]) -> FileMesh:
    """Blocks of one kind joined, nodes by their rows in the order of VTK, groups under their names."""
    cells: dict[str, list[np.ndarray]] = defaultdict(list)
    groups: dict[tuple[int, str], dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    names = GroupNames(named, max(FILE_KINDS[kind].dimension for kind, *_ in blocks))
    count: Counter[str] = Counter()
    for kind, block, tags in blocks:
        dimension, before = FILE_KINDS[kind].dimension, count[kind]
        count[kind] += len(block)
        cells[kind].append(nodes.rows(block)[:, _vtk_order(kind)])
        for tag, rows in tags.items():
            groups[dimension, names.name(dimension, tag)][kind].append(before + rows)
    joined = {key: {kind: np.concatenate(rows) for kind, rows in group.items()} for key, group in groups.items()}
    whole = {kind: np.concatenate(blocks) for kind, blocks in cells.items()}
    return FileMesh(nodes.points, whole, joined, names.notes, names.empty)


def _vtk_order(kind: str) -> list[int]:
    """Where the nodes of VTK's order stand in Gmsh's."""
    if kind not in _OWN_ORDER:
        return list(range(FILE_KINDS[kind].nodes))
    shape, own = _OWN_ORDER[kind]
    corners = FILE_KINDS[kind].corners
    place = {frozenset(group): number for number, group in enumerate(own, corners)}
    between = BETWEEN[shape][: FILE_KINDS[kind].nodes - corners]
    return [*range(corners), *(place[frozenset(group)] for group in between)]
