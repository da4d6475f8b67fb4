"""Cells to look at on which fields show finer than on the cells themselves: VTK's Lagrange cells of any degree."""

from __future__ import annotations

from math import factorial

import numpy as np

from pinnml.domains.cells import Cells
from pinnml.domains.geometry import mapped

#: VTK's cells of any degree, and the names that files know them by.
LAGRANGE = {
    "interval": ("vtkLagrangeCurve", "VTK_LAGRANGE_CURVE"),
    "triangle": ("vtkLagrangeTriangle", "VTK_LAGRANGE_TRIANGLE"),
    "quadrilateral": ("vtkLagrangeQuadrilateral", "VTK_LAGRANGE_QUADRILATERAL"),
    "tetrahedron": ("vtkLagrangeTetra", "VTK_LAGRANGE_TETRAHEDRON"),
    "hexahedron": ("vtkLagrangeHexahedron", "VTK_LAGRANGE_HEXAHEDRON"),
}
#: Nodes of neighbours closer than this part of the mesh are one.
ONE = 1e-9


def lagrange_cells(cells: Cells, degree: int) -> tuple[np.ndarray, np.ndarray, str]:
    """The cells with equally spaced nodes of a degree: points (n, s), cells (c, v), and their kind.

    Nodes that neighbours share are there once.
    """
    points = mapped(cells, vtk_nodes(cells.kind.reference, degree), np.ones(1)).x.flatten(0, 1).numpy()
    low, extent = points.min(axis=0), np.ptp(points, axis=0).max()
    code = np.round((points - low) / (ONE * extent)).astype(np.int64)
    _, first, numbers = np.unique(code, axis=0, return_index=True, return_inverse=True)
    return points[first], numbers.reshape(len(cells), -1), LAGRANGE[cells.kind.reference][1]


def finest_degree(cells: Cells, points: int) -> int:
    """The highest degree, at least that of the cells, with which they have about so many points at most."""
    kind = cells.kind
    share = factorial(kind.dimension) if kind.corners == kind.dimension + 1 else 1
    fitting = (p for p in (4, 3, 2) if len(cells) * p**kind.dimension / share <= points)
    return max(next(fitting, 1), kind.degree)


def vtk_nodes(reference: str, degree: int) -> np.ndarray:
    """The nodes of VTK's cell of a degree in its own order, in the reference cell, (q, s)."""
    from vtkmodules import vtkCommonDataModel

    dimension = {"interval": 1, "triangle": 2, "quadrilateral": 2}.get(reference, 3)
    simplex = reference in ("triangle", "tetrahedron")
    side = range(degree + 1, degree + 1 + dimension)
    count = int(np.prod(side)) // (1, 1, 2, 6)[dimension] if simplex else (degree + 1) ** dimension
    cell = getattr(vtkCommonDataModel, LAGRANGE[reference][0])()
    cell.GetPointIds().SetNumberOfIds(count)
    cell.GetPoints().SetNumberOfPoints(count)
    if hasattr(cell, "SetUniformOrderFromNumPoints"):
        cell.SetUniformOrderFromNumPoints(count)
    cell.Initialize()
    return np.array(cell.GetParametricCoords()[: 3 * count]).reshape(count, 3)[:, :dimension]
