"""Cells in the order that the rest of the house wants, each of them a cell: not empty, not folded into itself."""

from __future__ import annotations

import numpy as np

from pinnml.domains.cells import KINDS, Cells
from pinnml.domains.geometry import jacobian_range
from pinnml.domains.meshes.nodes import place
from pinnml.domains.meshes.repairs import MIRRORED, rearranged
from pinnml.domains.reference_cells import lattice
from pinnml.errors import MeshError

#: A cell is empty if its Jacobian is less than this part of the power of its length.
SMALLEST = 1e-13
#: Intervals a side of the lattice on which the Jacobian of curved cells and of quadrilaterals is looked at.
LATTICE = 4


def oriented(points: np.ndarray, cells: np.ndarray, kind_name: str) -> Cells:
    """Cells from the order of files: simplices with corners ascending, other cells with a positive Jacobian.

    Raises MeshError for cells of no size and for cells whose Jacobian changes sign.
    """
    kind = KINDS[kind_name]
    is_simplex = kind.corners == kind.dimension + 1
    if is_simplex:
        cells = _ascending(cells, kind_name)
    found = Cells(points, cells[:, kind.from_file], kind)
    low, high = jacobian_range(found, lattice(kind.reference, 1 if kind.is_affine else LATTICE))
    sign = np.where(low + high < 0, -1, 1)
    _check_sizes(found, np.where(sign < 0, -high, low), np.where(sign < 0, -low, high))
    if is_simplex or (sign > 0).all():
        return found
    mirrored = cells[:, rearranged(kind, MIRRORED[kind.reference])]
    return Cells(points, np.where(sign[:, None] < 0, mirrored, cells)[:, kind.from_file], kind)


def in_file_order(cells: Cells) -> np.ndarray:
    """The nodes (C, g) in the order of files, every cell with a positive Jacobian."""
    kind = cells.kind
    nodes = cells.nodes[:, kind.to_file]
    middle = lattice(kind.reference, 1).mean(axis=0, keepdims=True)
    negative = (jacobian_range(cells, middle)[0] < 0)[:, None]
    return np.where(negative, nodes[:, rearranged(kind, MIRRORED[kind.reference])], nodes)


def _ascending(cells: np.ndarray, kind_name: str) -> np.ndarray:
    """Simplices with the corners in ascending order, the other nodes along with them."""
    kind = KINDS[kind_name]
    orders, which = np.unique(np.argsort(cells[:, : kind.corners], axis=1), axis=0, return_inverse=True)
    table = np.array([rearranged(kind, order) for order in orders.tolist()])
    return np.take_along_axis(cells, table[which.ravel()], axis=1)


def _check_sizes(cells: Cells, least: np.ndarray, largest: np.ndarray) -> None:
    """Raise MeshError where a determinant, between these (C,) and positive on the whole, is not so everywhere."""
    corners = cells.points[cells.corners]
    length = np.linalg.norm(np.ptp(corners, axis=1), axis=1)
    smallest = SMALLEST * length**cells.kind.dimension
    for bad, what, cure in (
        (largest <= smallest, "no size", "mesh again, or remove it; look for points that ought to be one"),
        (
            least <= smallest,
            "a Jacobian that changes its sign",
            "look at the order of its nodes; mesh finer or straight",
        ),
    ):
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise MeshError(
                f"cell {first}, around {place(corners[first].mean(axis=0))}, has {what}",
                expected="dx/dX of one sign all over a cell",
                got=f"determinants from {least[first]:g} to {largest[first]:g}; {int(bad.sum())} such cells",
                cure=cure,
            )
