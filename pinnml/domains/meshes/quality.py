"""How good the cells of a mesh are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pinnml.domains.cells import Cells
from pinnml.domains.geometry import jacobian_range
from pinnml.domains.reference_cells import corners, lattice


@dataclass(frozen=True)
class Quality:
    """Numbers of cells and nodes, the measure, the scaled Jacobian of cells, the lengths of edges between corners.

    The scaled Jacobian of a cell is the least determinant of dx/dX over its lattice, divided by the power of its
    longest edge and by the same of the cell of equal edges: 1 for that one, 0 for a flat one.
    """

    kind: str
    cells: int
    nodes: int
    measure: float
    smallest: float
    median: float
    shortest_edge: float
    longest_edge: float

    def __str__(self) -> str:
        return (
            f"{self.cells} cells of kind {self.kind} with {self.nodes} nodes and measure {self.measure:.6g}. "
            f"Edges are {self.shortest_edge:.3g} to {self.longest_edge:.3g} long. The scaled Jacobian, 1 for a regular "
            f"cell and 0 for a flat one, is {self.smallest:.3g} at worst and {self.median:.3g} in the middle."
        )


def quality_of(cells: Cells, measure: float) -> Quality:
    """The quality of cells with this measure altogether."""
    kind = cells.kind
    numbers, ends = cells.numbered(1)
    edges = np.linalg.norm(cells.points[ends[:, 1]] - cells.points[ends[:, 0]], axis=1)
    longest = edges[numbers].max(axis=1)
    ends_of_range = np.abs(jacobian_range(cells, lattice(kind.reference, 2)))  # of one sign
    scaled = ends_of_range.min(axis=0) / longest**kind.dimension / _regular(kind.reference)
    return Quality(
        kind.name,
        len(cells),
        len(cells.points),
        measure,
        float(scaled.min()),
        float(np.median(scaled)),
        float(edges.min()),
        float(edges.max()),
    )


def _regular(reference: str) -> float:
    """The determinant for the cell of this shape whose edges are all 1."""
    dimension = corners(reference).shape[1]
    if reference not in ("triangle", "tetrahedron"):
        return 1.0
    return {2: np.sqrt(3) / 2, 3: np.sqrt(1 / 2)}[dimension]
