"""Fields on a mesh or a cloud of points at one instant: the only thing that writers and pictures take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pinnml.errors import NonFiniteError, ShapeError, unknown_name
from pinnml.output.arrays import checked_data, written
from pinnml.output.cells import CELL_KINDS

if TYPE_CHECKING:
    import pyvista


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Fields at n points and in c cells, at one time. Arrays are kept as they are, not copied.

    Attributes:
        points: `(n, 1)`, `(n, 2)` or `(n, 3)`; kept as `(n, 3)` float64, missing coordinates zero.
        cells: `(c, v)` numbers of points, v for each cell in VTK's order; None is a cloud of points.
        cell_type: meshio's name of the cells, one of `CELL_KINDS`; None for a cloud.
        point_data: name -> `(n,)` or `(n, k)`; real, complex, integer or boolean.
        cell_data: name -> `(c,)` or `(c, k)`, likewise.
        time: the instant, or None for a steady field.

    Raises:
        ShapeError: an array does not fit the points, the cells or the cell type.
        NonFiniteError: a coordinate or the time is NaN or infinite. (Data may be.)
        UnknownNameError: a cell type that is not in `CELL_KINDS`.
        ProblemError: two arrays would go by the same name in a file.
    """

    points: np.ndarray
    cells: np.ndarray | None = None
    cell_type: str | None = None
    _: KW_ONLY
    point_data: Mapping[str, np.ndarray] = field(default_factory=dict)
    cell_data: Mapping[str, np.ndarray] = field(default_factory=dict)
    time: float | None = None

    def __post_init__(self) -> None:
        points = _checked_points(self.points)
        cells = None if self.cells is None else _checked_cells(self.cells, self.cell_type, len(points))
        if cells is None and self.cell_type is not None:
            raise ShapeError(
                f"cells of type '{self.cell_type}' without their numbers",
                expected="cells (c, v) and their type, or neither",
                got="a type alone",
                cure="pass cells= as well, or leave cell_type out for a cloud of points",
            )
        if self.time is not None and not np.isfinite(self.time):
            raise NonFiniteError("the time of a snapshot is not finite", got=self.time)
        count = 0 if cells is None else len(cells)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "point_data", checked_data(self.point_data, "point", len(points)))
        object.__setattr__(self, "cell_data", checked_data(self.cell_data, "cell", count))
        object.__setattr__(self, "time", None if self.time is None else float(self.time))

    def to_pyvista(self) -> pyvista.UnstructuredGrid | pyvista.PolyData:
        """The same as a PyVista mesh with arrays of its own: a cloud becomes `PolyData` of vertices.

        Vectors of two components get a zero third one; complex arrays become `_real`, `_imag` and `_abs`
        (of each component); spaces in names become underscores. The time is kept as `TimeValue`, which
        ParaView reads.
        """
        import pyvista  # takes longer to load than all of pinnml, and only files need it

        if self.cells is None:
            mesh = pyvista.PolyData(self.points.copy())
        else:
            count, nodes = self.cells.shape
            connectivity = np.insert(self.cells, 0, nodes, axis=1).ravel()
            kinds = np.full(count, CELL_KINDS[str(self.cell_type)].vtk, dtype=np.uint8)
            mesh = pyvista.UnstructuredGrid(connectivity, kinds, self.points.copy())
        for name, array in written(self.point_data).items():
            mesh.point_data.set_array(array, name, deep_copy=True)
        for name, array in written(self.cell_data).items():
            mesh.cell_data.set_array(array, name, deep_copy=True)
        if self.time is not None:
            mesh.field_data["TimeValue"] = np.array([self.time])
        return mesh


def _checked_points(points: np.ndarray) -> np.ndarray:
    """The points as `(n, 3)` float64."""
    points = np.asarray(points)
    if points.dtype.kind not in "iuf" or points.ndim != 2 or not 1 <= points.shape[1] <= 3 or not len(points):
        raise ShapeError(
            "these are not the points of a snapshot",
            expected="a real array (n, 1), (n, 2) or (n, 3) with n >= 1",
            got=f"{points.dtype} {points.shape}",
            cure="one row for each point; x[:, None] makes rows of a single coordinate",
        )
    if not np.isfinite(points).all():
        raise NonFiniteError("a point of a snapshot is not finite", got=f"first in row {_first_bad_row(points)}")
    points = points.astype(np.float64, copy=False)
    return points if points.shape[1] == 3 else np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def _first_bad_row(points: np.ndarray) -> int:
    return int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])


def _checked_cells(cells: np.ndarray, cell_type: str | None, n_points: int) -> np.ndarray:
    """The cells as `(c, v)` int64, each number that of a point."""
    if cell_type not in CELL_KINDS:
        raise unknown_name("cell type", str(cell_type), CELL_KINDS, where="a snapshot")
    cells, nodes = np.asarray(cells), CELL_KINDS[cell_type].nodes
    if cells.dtype.kind not in "iu" or cells.ndim != 2 or cells.shape[1] not in nodes or not len(cells):
        raise ShapeError(
            f"these are not cells of type '{cell_type}'",
            expected=f"integers (c, v) with c >= 1 and v = {' or '.join(map(str, nodes))}",
            got=f"{cells.dtype} {cells.shape}",
            cure="one row of point numbers for each cell, or the cell_type that has so many nodes",
        )
    if cells.min() < 0 or cells.max() >= n_points:
        raise ShapeError(
            "a cell names a point that is not there",
            expected=f"numbers from 0 to {n_points - 1}, for {n_points} points",
            got=f"numbers from {cells.min()} to {cells.max()}",
            cure="number the points from zero",
        )
    return cells.astype(np.int64, copy=False)
