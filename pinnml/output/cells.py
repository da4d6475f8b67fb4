"""The kinds of cells a snapshot may be made of."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

_ORDERS = range(1, 11)


class CellKind(NamedTuple):
    """One kind of cell: VTK's number for it, its dimension, and the numbers of nodes it may have."""

    vtk: int
    dimension: int
    nodes: tuple[int, ...]


CELL_KINDS: dict[str, CellKind] = {
    "line": CellKind(3, 1, (2,)),
    "triangle": CellKind(5, 2, (3,)),
    "quad": CellKind(9, 2, (4,)),
    "tetra": CellKind(10, 3, (4,)),
    "hexahedron": CellKind(12, 3, (8,)),
    "line3": CellKind(21, 1, (3,)),
    "triangle6": CellKind(22, 2, (6,)),
    "quad8": CellKind(23, 2, (8,)),
    "quad9": CellKind(28, 2, (9,)),
    "tetra10": CellKind(24, 3, (10,)),
    "hexahedron20": CellKind(25, 3, (20,)),
    "hexahedron27": CellKind(29, 3, (27,)),
    "VTK_LAGRANGE_CURVE": CellKind(68, 1, tuple(p + 1 for p in _ORDERS)),
    "VTK_LAGRANGE_TRIANGLE": CellKind(69, 2, tuple(comb(p + 2, 2) for p in _ORDERS)),
    "VTK_LAGRANGE_QUADRILATERAL": CellKind(70, 2, tuple((p + 1) ** 2 for p in _ORDERS)),
    "VTK_LAGRANGE_TETRAHEDRON": CellKind(71, 3, tuple(comb(p + 3, 3) for p in _ORDERS)),
    "VTK_LAGRANGE_HEXAHEDRON": CellKind(72, 3, tuple((p + 1) ** 3 for p in _ORDERS)),
}
"""Cells by meshio's name. Nodes stand in VTK's order, which for all of these is meshio's as well."""
