"""Values at the corners of a mesh as a function of the coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pinnml.domains import Mesh
from pinnml.errors import ProblemError, ShapeError
from pinnml.tables import CellTable, GridTable, looked_up


def at_corners(mesh: Mesh, values: Any) -> Callable[..., Any]:
    """The function that is linear within cells and has values (p,) at the corners of a mesh, for `with_values`.

    Corners count in the order of the mesh's points, those that are a corner of some cell. Beyond the mesh the value of
    the nearest cell is held. Raises ShapeError for another number of values, ProblemError for a mesh whose cells are
    no intervals, triangles or tetrahedra.
    """
    cells, corner = mesh.cells.numbered(0)
    array = np.asarray(values, dtype=float)
    if array.shape != (len(corner),):
        cure = "give one value for each corner of the mesh"
        raise ShapeError("values at corners", expected=f"({len(corner)},)", got=array.shape, cure=cure)
    points, kind = mesh.cells.points[corner[:, 0]], mesh.cells.kind
    if kind.corners != kind.dimension + 1 or points.shape[1] != kind.dimension:
        cure = "take a mesh of triangles or tetrahedra, or give the value as a function of the coordinates"
        raise ProblemError("values at corners", expected="cells that are simplices", got=kind.name, cure=cure)
    table: CellTable | GridTable
    if kind.dimension == 1:
        order = np.argsort(points[:, 0])
        table = GridTable.through((points[order, 0],), array[order, None], "linear")
    else:
        table = CellTable(points, cells, array[:, None])
    return lambda *place: looked_up(table, place, "constant")
