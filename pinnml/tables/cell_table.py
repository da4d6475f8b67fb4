"""Tables on the cells of a mesh: linear between the corners of triangles or tetrahedra."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import MultiIndex
from pinnml.tables.grid_table import ROUNDING


@dataclass(frozen=True, eq=False)
class CellTable:
    """Linear within simplices: points (N, d), cells (C, d + 1), values (N, components) at their corners."""

    points: np.ndarray
    cells: np.ndarray
    values: np.ndarray

    @cached_property
    def bounds(self) -> Tensor:
        """The bounding box, (d, 2)."""
        return torch.from_numpy(np.stack([self.points.min(axis=0), self.points.max(axis=0)], axis=1))

    def held(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Points (n, d) moved to the nearest of the cells, and which were inside, (n, d)."""
        given = self._padded(x)
        number = np.atleast_1d(self._grid.find_containing_cell(given))
        inside, held = number >= 0, given.copy()
        if not inside.all():
            _, nearest = self._grid.find_closest_cell(given[~inside], return_closest_point=True)
            held[~inside] = nearest
            size = float((self.bounds[:, 1] - self.bounds[:, 0]).max())
            inside |= np.linalg.norm(held - given, axis=1) <= ROUNDING * size
        found = torch.from_numpy(inside).to(x.device).unsqueeze(1).expand_as(x)
        return torch.where(found, x, torch.from_numpy(held[:, : x.shape[1]]).to(x)), found

    def taylor(self, x: Tensor, order: int) -> dict[MultiIndex, Tensor]:
        """The values and slopes at x (n, d), (n, components) each."""
        given, d = self._padded(x), x.shape[1]
        number = np.atleast_1d(self._grid.find_containing_cell(given))
        number[number < 0] = np.atleast_1d(self._grid.find_closest_cell(given[number < 0])) if (number < 0).any() else 0
        corner, slopes = self.points[self.cells[number, 0]], torch.from_numpy(self._slopes[number]).to(x)
        start = torch.from_numpy(self.values[self.cells[number, 0]]).to(x)
        value = start + ((x - torch.from_numpy(corner).to(x)).unsqueeze(2) * slopes).sum(dim=1)
        units = (tuple(int(axis == other) for other in range(d)) for axis in range(d))
        return {(0,) * d: value} | ({} if order < 1 else dict(zip(units, slopes.unbind(1), strict=True)))

    @cached_property
    def _slopes(self) -> np.ndarray:
        """The gradient within every cell, (C, d, components)."""
        corners, values = self.points[self.cells], self.values[self.cells]
        return np.linalg.solve(corners[:, 1:] - corners[:, :1], values[:, 1:] - values[:, :1])

    @cached_property
    def _grid(self) -> Any:
        import pyvista

        d = self.points.shape[1]
        kind = pyvista.CellType.TRIANGLE if d == 2 else pyvista.CellType.TETRA
        return pyvista.UnstructuredGrid({kind: self.cells}, np.pad(self.points, ((0, 0), (0, 3 - d))))

    def _padded(self, x: Tensor) -> np.ndarray:
        return np.pad(x.detach().cpu().double().numpy(), ((0, 0), (0, 3 - x.shape[1])))
