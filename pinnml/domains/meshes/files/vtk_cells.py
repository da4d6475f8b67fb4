"""Cells as VTK has them in its files, old and new: one array of nodes and the number of the kind of every cell."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pinnml.domains.meshes.files.kinds import FILE_KINDS, FileMesh, unknown_kind
from pinnml.domains.meshes.files.values import groups_by_value

BY_NUMBER = {kind.vtk: name for name, kind in FILE_KINDS.items()}
#: Boxes along the axes, whose corners stand in rows: number -> (kind, where its corners stand).
PIXEL, VOXEL = 8, 11
BOXES = {PIXEL: ("quad", [0, 1, 3, 2]), VOXEL: ("hexahedron", [0, 1, 3, 2, 4, 5, 7, 6])}


def vtk_mesh(
    points: np.ndarray, offsets: np.ndarray, nodes: np.ndarray, types: np.ndarray, values: dict[str, np.ndarray]
) -> FileMesh:
    """Points (N, 3), where the nodes of the cells begin and end (C + 1,), nodes, types (C,), arrays by cells.

    ValueError if these do not fit, MeshError for a kind that is not in the table.
    """
    if len(offsets) != len(types) + 1 or (np.diff(offsets) < 1).any() or offsets[0] != 0 or offsets[-1] != len(nodes):
        raise ValueError(f"{len(offsets) - 1} cells with {len(types)} types and {len(nodes)} nodes do not fit")
    if not len(types):
        raise ValueError("it holds no cells")
    if any(len(array) != len(types) for array in values.values()):
        raise ValueError("an array is not as long as there are cells")
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    cells: dict[str, list[np.ndarray]] = defaultdict(list)
    for number in dict.fromkeys(types.tolist()):
        kind, corners = BOXES.get(number) or (_kind(number), slice(None))
        rows = np.flatnonzero(types == number)
        if (np.diff(offsets)[rows] != FILE_KINDS[kind].nodes).any():
            raise ValueError(f"a cell of kind {kind} with another number of nodes")
        cells[kind].append(nodes[offsets[rows][:, None] + np.arange(FILE_KINDS[kind].nodes)[corners]])
        found[kind].append(rows)
    where = {kind: np.concatenate(rows) for kind, rows in found.items()}
    by_kind = {name: {kind: array[rows] for kind, rows in where.items()} for name, array in values.items()}
    return FileMesh(points, {kind: np.concatenate(all_) for kind, all_ in cells.items()}, groups_by_value(by_kind))


def _kind(number: int) -> str:
    if number not in BY_NUMBER:
        raise unknown_kind(f"{_name(number)} ({number} of VTK's list)")
    return BY_NUMBER[number]


def _name(number: int) -> str:
    """VTK's name of a kind of cells in words, such as "quadratic wedge"."""
    from pyvista import CellType

    try:
        return CellType(number).name.lower().replace("_", " ")
    except ValueError:
        return "unknown"
