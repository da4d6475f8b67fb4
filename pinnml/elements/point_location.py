"""Which cell points lie in, and where in it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch

from pinnml.domains.cells import Cells
from pinnml.domains.geometry import located
from pinnml.domains.reference_cells import corners
from pinnml.output import Snapshot

#: Newton steps at most, from the middle of a cell.
STEPS = 30
#: A point as near as this takes its last step, beside the largest coordinate of the mesh: rounding is about as large.
NEAR = 8 * np.finfo(float).eps


class Locator:
    """Points to cells. A point outside all cells belongs to the nearest, whose functions are continued there."""

    def __init__(self, cells: Cells):
        self.cells = cells

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the cells (n,), and the points (n, s) of the reference cell, of points x (n, s)."""
        number = self._cells_of(x)
        kind = self.cells.kind
        reference = np.broadcast_to(corners(kind.reference).mean(axis=0), x.shape).copy()
        left, near = np.arange(len(x)), NEAR * np.abs(self.cells.points).max()
        for _ in range(1 if kind.is_affine else STEPS):
            place, jacobian = located(self.cells, number[left], reference[left])
            gap = torch.from_numpy(x[left]) - place
            reference[left] += torch.linalg.solve(jacobian, gap).numpy()
            left = left[gap.abs().amax(dim=1).numpy() > near]
            if not len(left):
                break
        return number, reference

    def _cells_of(self, x: np.ndarray) -> np.ndarray:
        points = np.pad(x, ((0, 0), (0, 3 - x.shape[1])))
        number = np.atleast_1d(self._grid.find_containing_cell(points))
        outside = number < 0
        if outside.any():
            number[outside] = np.atleast_1d(self._grid.find_closest_cell(points[outside]))
        return number

    @cached_property
    def _grid(self) -> Any:
        kind = self.cells.kind
        return Snapshot(self.cells.points, self.cells.nodes[:, kind.to_file], kind.name).to_pyvista()
