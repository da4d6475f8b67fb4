"""Cells as files have them: kinds, completion of serendipity cells, other orders of the corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pinnml.domains.cells import BETWEEN, CellKind
from pinnml.errors import MeshError


class FileKind(NamedTuple):
    """Cells as files may have them: dimension, numbers of corners and of nodes, Gmsh's and VTK's numbers for them."""

    dimension: int
    corners: int
    nodes: int
    gmsh: int
    vtk: int


#: By meshio's names.
FILE_KINDS = {
    "vertex": FileKind(0, 1, 1, 15, 1),
    "line": FileKind(1, 2, 2, 1, 3),
    "line3": FileKind(1, 2, 3, 8, 21),
    "triangle": FileKind(2, 3, 3, 2, 5),
    "triangle6": FileKind(2, 3, 6, 9, 22),
    "quad": FileKind(2, 4, 4, 3, 9),
    "quad8": FileKind(2, 4, 8, 16, 23),
    "quad9": FileKind(2, 4, 9, 10, 28),
    "tetra": FileKind(3, 4, 4, 4, 10),
    "tetra10": FileKind(3, 4, 10, 11, 24),
    "hexahedron": FileKind(3, 8, 8, 5, 12),
    "hexahedron20": FileKind(3, 8, 20, 17, 25),
    "hexahedron27": FileKind(3, 8, 27, 12, 29),
}
#: Cells without nodes in the middle of their faces, and what they become.
SERENDIPITY = {"quad8": "quad9", "hexahedron20": "hexahedron27"}
#: The corners of the mirror image of a cell, by the reference cell.
MIRRORED = {
    "interval": (1, 0),
    "triangle": (1, 0, 2),
    "quadrilateral": (0, 3, 2, 1),
    "tetrahedron": (1, 0, 2, 3),
    "hexahedron": (0, 3, 2, 1, 4, 7, 6, 5),
}


@dataclass(frozen=True, eq=False)
class FileMesh:
    """What a file says: points (N, 3), cells (c, g) by kind, groups: (dimension, name) -> kind -> rows of cells (k,).

    Nodes stand in the order of VTK.
    """

    points: np.ndarray
    cells: dict[str, np.ndarray]
    groups: dict[tuple[int, str], dict[str, np.ndarray]] = field(default_factory=dict)


def rearranged(kind: CellKind, corners: Sequence[int]) -> list[int]:
    """Where the nodes of a cell stand, in the order of files, when its corners are taken in another order."""
    groups = [(corner,) for corner in range(kind.corners)] + BETWEEN[kind.reference] * (kind.degree == 2)
    place = {frozenset(group): number for number, group in enumerate(groups)}
    return [place[frozenset(corners[corner] for corner in group)] for group in groups]


def completed(points: np.ndarray, cells: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Serendipity cells with the nodes they lack, each where the serendipity functions have it; others as given.

    A quadrilateral: half the sum of the nodes on the edges less a quarter of that of the corners; a hexahedron: a
    quarter of the one less a quarter of the other. points (N, s), cells (C, g).
    """
    if kind not in SERENDIPITY:
        return points, cells, kind
    corners = FILE_KINDS[kind].corners
    between = BETWEEN["quadrilateral" if corners == 4 else "hexahedron"]
    edges = {pair: place for place, pair in enumerate(between, corners) if len(pair) == 2}
    for size, share in ((4, 0.5), (8, 0.25)):
        groups = [group for group in between if len(group) == size]
        if groups:
            sides = [[place for pair, place in edges.items() if set(pair) <= set(group)] for group in groups]
            centres = share * points[cells[:, sides]].sum(axis=2) - 0.25 * points[cells[:, groups]].sum(axis=2)
            keys = np.sort(cells[:, groups], axis=2).reshape(-1, size)
            _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
            cells = np.column_stack([cells, len(points) + number.reshape(len(cells), -1)])
            points = np.concatenate([points, centres.reshape(-1, points.shape[1])[first]])
    return points, cells, SERENDIPITY[kind]


def unknown_kind(kind: object) -> MeshError:
    """The error for cells of a kind that is not in the table."""
    return MeshError(
        f"cells of kind {kind}",
        expected=", ".join(name for name in FILE_KINDS if name != "vertex"),
        got=f"{kind}",
        cure="mesh with one of these; in Gmsh: Mesh.ElementOrder = 1 or 2, and no prisms or pyramids",
    )
