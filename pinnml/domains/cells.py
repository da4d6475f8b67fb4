"""Cells of meshes: the kinds there are, and one array of cells with the points that shape them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pinnml.domains.reference_cells import mapping, topology

#: Corners of the reference cells as files number them (VTK), and the pairs or groups of corners between which the
#: further nodes of quadratic cells lie, in the same order.
CORNERS: dict[str, list[tuple[int, ...]]] = {
    "interval": [(0,), (1,)],
    "triangle": [(0, 0), (1, 0), (0, 1)],
    "quadrilateral": [(0, 0), (1, 0), (1, 1), (0, 1)],
    "tetrahedron": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "hexahedron": [(a, b, c) for c in (0, 1) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))],
}
_RING = [(0, 1), (1, 2), (2, 3), (3, 0)]
BETWEEN: dict[str, list[tuple[int, ...]]] = {
    "interval": [(0, 1)],
    "triangle": [(0, 1), (1, 2), (2, 0)],
    "quadrilateral": [*_RING, (0, 1, 2, 3)],
    "tetrahedron": [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)],
    "hexahedron": [
        *_RING,
        *((a + 4, b + 4) for a, b in _RING),
        *((a, a + 4) for a in range(4)),
        *((0, 3, 4, 7), (1, 2, 5, 6), (0, 1, 4, 5), (2, 3, 6, 7), (0, 1, 2, 3), (4, 5, 6, 7)),
        tuple(range(8)),
    ],
}


@dataclass(frozen=True)
class CellKind:
    """Cells of one shape: the mapping from the reference cell is of degree 1 or 2.

    name: meshio's. reference: basix's name of the reference cell.
    """

    name: str
    reference: str
    degree: int

    @property
    def dimension(self) -> int:
        """The dimension of the reference cell."""
        return len(CORNERS[self.reference][0])

    @property
    def corners(self) -> int:
        """The number of corners."""
        return len(CORNERS[self.reference])

    @property
    def is_affine(self) -> bool:
        """Whether the mapping is affine, and so its derivative the same all over a cell."""
        return self.degree == 1 and self.corners == self.dimension + 1

    @property
    def size(self) -> int:
        """The number of nodes."""
        return len(self.file_nodes)

    @cached_property
    def file_nodes(self) -> np.ndarray:
        """The nodes in the reference cell in the order of files, (g, s)."""
        corners = np.array(CORNERS[self.reference], dtype=float)
        if self.degree == 1:
            return corners
        return np.concatenate([corners, [corners[list(group)].mean(axis=0) for group in BETWEEN[self.reference]]])

    @cached_property
    def from_file(self) -> np.ndarray:
        """Where each node of basix's order stands in the order of files, (g,): nodes = file_cells[:, from_file]."""
        distance = np.abs(mapping(self.reference, self.degree).points[:, None] - self.file_nodes).sum(axis=-1)
        assert (distance.min(axis=1) < 1e-12).all()
        return distance.argmin(axis=1)

    @cached_property
    def to_file(self) -> np.ndarray:
        """Where each node of the order of files stands in basix's, (g,)."""
        return np.argsort(self.from_file)

    def entities(self, dimension: int) -> Sequence[Sequence[int]]:
        """The corners of the vertices, edges, faces ... of a cell, by dimension, in basix's order."""
        return topology(self.reference)[dimension]

    @property
    def facets(self) -> Sequence[Sequence[int]]:
        """The corners of every facet."""
        return self.entities(self.dimension - 1)


KINDS = {
    kind.name: kind
    for kind in (
        CellKind("line", "interval", 1),
        CellKind("line3", "interval", 2),
        CellKind("triangle", "triangle", 1),
        CellKind("triangle6", "triangle", 2),
        CellKind("quad", "quadrilateral", 1),
        CellKind("quad9", "quadrilateral", 2),
        CellKind("tetra", "tetrahedron", 1),
        CellKind("tetra10", "tetrahedron", 2),
        CellKind("hexahedron", "hexahedron", 1),
        CellKind("hexahedron27", "hexahedron", 2),
    )
}


@dataclass(frozen=True, eq=False)
class Cells:
    """C cells of one kind. points (N, s); nodes (C, g): numbers of points in basix's order, the corners first."""

    points: np.ndarray
    nodes: np.ndarray
    kind: CellKind

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def corners(self) -> np.ndarray:
        """The numbers of the corners, (C, c)."""
        return self.nodes[:, : self.kind.corners]

    def numbered(self, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """The vertices, edges, faces ... of all cells, shared ones once.

        Their numbers by cell (C, k), in basix's order, and their corners (E, c), in the order of the first cell that
        has them.
        """
        if dimension == 0:
            used = np.zeros(len(self.points), dtype=bool)
            used[self.corners] = True
            return (np.cumsum(used) - 1)[self.corners], np.flatnonzero(used)[:, None]
        local = np.array(self.kind.entities(dimension))
        corners = self.corners[:, local]
        flat = corners.reshape(-1, local.shape[1])
        key = np.sort(flat, axis=1)[:, : dimension + 1]  # d + 1 corners tell entities of dimension d apart
        code = key[:, 0].astype(np.int64)
        for place, column in enumerate(key[:, 1:].T):
            if place:  # two numbers of points fit into one, three do not
                code = np.unique(code, return_inverse=True)[1]
            code = code * len(self.points) + column
        _, first, numbers = np.unique(code, return_index=True, return_inverse=True)
        return numbers.reshape(corners.shape[:2]), flat[first]
