"""Reference cells, their parts, mapping functions and quadratures, as basix has them.

basix is loaded when a mesh is there: it takes longer than all that a solve on a box needs.
"""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np


@cache
def topology(cell: str) -> Sequence[Sequence[Sequence[int]]]:
    """The corners of the vertices, edges, faces ... of a reference cell, by dimension."""
    import basix

    return basix.topology(basix.CellType[cell])


@cache
def corners(cell: str) -> np.ndarray:
    """The corners of a reference cell, (c, s)."""
    import basix

    return basix.geometry(basix.CellType[cell])


@cache
def outward_normals(cell: str) -> np.ndarray:
    """The outward unit normals of the facets, (f, s)."""
    import basix

    return basix.cell.facet_outward_normals(basix.CellType[cell])


def lattice(cell: str, n: int) -> np.ndarray:
    """Equally spaced points of a reference cell, its faces among them, n intervals a side, (q, s)."""
    import basix

    return np.asarray(basix.create_lattice(basix.CellType[cell], n, basix.LatticeType.equispaced, True))


def quadrature(cell: str, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (q, s) and weights (q,) that integrate polynomials of a degree exactly over a reference cell."""
    import basix

    points, weights = basix.make_quadrature(basix.CellType[cell], degree)
    return np.asarray(points), np.asarray(weights)


def mapping(cell: str, degree: int) -> Any:
    """The element whose g nodal functions map a reference cell to a cell."""
    return basix_element("P", cell, degree, "gll_warped")


@cache
def basix_element(family: str, cell: str, degree: int, variant: str) -> Any:
    """The element of basix with these names; made once, since that takes longer than to evaluate it at some points."""
    import basix

    kinds = basix.ElementFamily[family], basix.CellType[cell]
    return basix.create_element(*kinds, degree, basix.LagrangeVariant[variant])


# what basix has made is not to outlive it
atexit.register(basix_element.cache_clear)


def facet_quadrature(cell: str, facet: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (q, s) on a facet of a reference cell and weights (q,) that sum to its measure there."""
    ends = corners(cell)[list(topology(cell)[-2][facet])]
    dimension = ends.shape[1]
    if dimension == 1:
        return ends, np.ones(1)
    shape = "interval" if dimension == 2 else {3: "triangle", 4: "quadrilateral"}[len(ends)]
    points, weights = quadrature(shape, degree)
    sides = ends[1:dimension] - ends[0]
    stretch = np.sqrt(np.linalg.det(sides @ sides.T))
    return ends[0] + points @ sides, weights * stretch
