"""Tables in files: columns of a .csv, point data of a .vtu."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from pinnml.errors import ProblemError, unknown_name
from pinnml.tables.cell_table import CellTable
from pinnml.tables.grid_table import ROUNDING

#: What VTK's readers take.
VTK = (".vtu", ".vtk", ".vti", ".vtr", ".vts")


def read_table(path: Path, column: str, d: int) -> CellTable | tuple[list[np.ndarray], np.ndarray]:
    """The values of a column over d coordinates: on a grid its places by axis and values, else on cells.

    .csv: a line of names, then numbers; the first d columns are the coordinates, their rows in any order. .vtu and
    other files of VTK: point data; the coordinates are those of x, y, z that are not the same everywhere.
    Raises ProblemError or UnknownNameError with the name of the file.
    """
    try:
        if not path.is_file():
            raise ProblemError("there is no such file", expected="a file", got=str(path), cure="look at the path")
        if path.suffix.lower() == ".csv":
            points, values, cells = *_csv(path, column, d), None
        elif path.suffix.lower() in VTK:
            points, values, cells = _vtk(path, column, d)
        else:
            expected = ", ".join((".csv", *VTK))
            raise ProblemError("no file of a table", expected=expected, got=path.name, cure="save it as .csv or .vtu")
        if gridded := on_grid(points, values):
            return gridded
        if cells is None or not len(cells):
            raise ProblemError(
                "the places make no grid",
                expected="every combination of the coordinates once, such as all (x, y) of xs and ys",
                got=f"{len(points)} rows",
                cure="put them on a grid first (scipy.interpolate.griddata), or give them cells in a .vtu",
            )
        return CellTable(points, cells, values)
    except ProblemError as error:
        raise error.within(f"table '{path.name}'") from None


def on_grid(points: np.ndarray, values: np.ndarray) -> tuple[list[np.ndarray], np.ndarray] | None:
    """Places by axis and values (m_1, ..., m_d, components) of points (N, d) that fill a grid in any order, or None."""
    axes, numbers = [], []
    for column in points.T:
        order = np.argsort(column, kind="stable")
        steps = np.diff(column[order], prepend=-np.inf) > ROUNDING * np.ptp(column)
        axes.append(column[order][steps])
        number = np.empty(len(column), dtype=np.int64)
        number[order] = np.cumsum(steps) - 1
        numbers.append(number)
    shape = tuple(map(len, axes))
    place = np.ravel_multi_index(numbers, shape)
    if len(points) != np.prod(shape, dtype=float) or len(np.unique(place)) != len(points):
        return None
    gridded = np.empty_like(values)
    gridded[place] = values
    return axes, gridded.reshape(*shape, -1)


def _csv(path: Path, column: str, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (N, d) and values (N, 1)."""
    text = path.read_text(encoding="utf-8-sig")
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip() and line[0] != "#"]
    head = lines[0][1] if lines else ""
    delimiter = next((sign for sign in (";", "\t") if sign in head), ",")
    names = [name.strip() for name in next(csv.reader([head], delimiter=delimiter), [])]
    if column not in names[d:]:
        raise unknown_name("column", column, names[d:], where=f"the columns behind the {d} of coordinates")
    rows = []
    for number, line in lines[1:]:
        words = next(csv.reader([line], delimiter=delimiter))
        try:
            rows.append([float(words[place]) for place in (*range(d), names.index(column))])
        except (ValueError, IndexError):
            cure = "write numbers with a point, as many on every line as there are names"
            raise ProblemError(f"line {number}", expected="numbers", got=f"{line!r:.60}", cure=cure) from None
    array = np.array(rows, dtype=float).reshape(-1, d + 1)
    return array[:, :d], array[:, d:]


def _vtk(path: Path, column: str, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Coordinates (N, d), values (N, components), and the cells (C, d + 1) that simplices of them make."""
    grid = _read_vtk(path)
    if column not in grid.point_data:
        there = column in grid.cell_data
        cure = "turn cell data into point data first (grid.cell_data_to_point_data())" if there else None
        raise unknown_name("array", column, grid.point_data.keys(), where="the point data", cure=cure)
    values, points = np.asarray(grid.point_data[column]), np.asarray(grid.points, dtype=float)
    varies = np.ptp(points, axis=0) > ROUNDING * np.ptp(points, axis=0).max()
    if varies.sum() != d:
        axes = ", ".join(name for name, own in zip("xyz", varies, strict=True) if own)
        cure = f"call interpolated(({axes}), ...)" if "," in axes else f"call interpolated({axes}, ...)"
        raise ProblemError("coordinates", expected=f"{d}, as many as were given", got=f"points over {axes}", cure=cure)
    values = values.reshape(len(points), -1)
    values = values if np.iscomplexobj(values) else values.astype(float)
    return points[:, varies], values, _simplices(grid, d)


def _read_vtk(path: Path) -> Any:
    import pyvista

    try:
        grid = pyvista.read(path)
    except Exception as error:  # VTK's readers may raise anything at all on a file that is broken
        got = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ProblemError(
            "the file cannot be read", expected="a whole file", got=got, cure="write it again"
        ) from error
    if not isinstance(grid, pyvista.DataSet) or not grid.n_points:
        got = f"{type(grid).__name__} without points"
        raise ProblemError("the file cannot be read", expected="points with data", got=got, cure="write it again")
    return grid


def _simplices(grid: Any, d: int) -> np.ndarray | None:
    """The cells of dimension d as triangles or tetrahedra; None for those that cannot be."""
    import pyvista

    if d == 1 or not grid.n_cells:
        return None
    simple = grid.cast_to_unstructured_grid().triangulate()
    if simple.n_points != grid.n_points:
        return None
    return simple.cells_dict.get(pyvista.CellType.TRIANGLE if d == 2 else pyvista.CellType.TETRA)
