"""Cells mended: serendipity cells completed, the nodes of cells whose corners come in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pinnml.domains.cells import BETWEEN, CellKind
from pinnml.domains.meshes.files.kinds import FILE_KINDS

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
