"""The kinds of cells a snapshot may be made of, and the cells of a grid."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np

from pinnml.errors import ShapeError

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


def grid(*axes: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """The tensor grid over one, two or three coordinate arrays, as lines, quads or hexahedra.

    Args:
        axes: one array `(n_i,)` for each axis, at least two values in each.

    Returns:
        `points (n_1 ... n_d, d)`, the last axis running fastest; `cells (c, 2^d)`; and the name of the
        cell type: the first arguments of a `Snapshot`.

    Raises:
        ShapeError: there are no axes or more than three, or one is not an array of two values or more.
    """
    shapes = [np.shape(axis) for axis in axes]
    if not 1 <= len(axes) <= 3 or any(len(shape) != 1 or shape[0] < 2 for shape in shapes):
        raise ShapeError(
            "these axes do not span a grid",
            expected="one to three arrays (n,) with n >= 2",
            got=f"shapes {shapes}",
            cure="pass one array of coordinates for each axis, such as numpy.linspace(0, 1, 50)",
        )
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    number = np.arange(len(points)).reshape([shape[0] for shape in shapes])
    if len(axes) == 1:
        return points, np.stack([number[:-1], number[1:]], axis=1), "line"
    # VTK goes around the first two axes anticlockwise, then repeats this one layer up the third.
    turn = [number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]]
    if len(axes) == 2:
        return points, np.stack([part.ravel() for part in turn], axis=1), "quad"
    layers = [part[:, :, :-1] for part in turn] + [part[:, :, 1:] for part in turn]
    return points, np.stack([part.ravel() for part in layers], axis=1), "hexahedron"
