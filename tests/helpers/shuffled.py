"""Small meshes of every kind whose cells and points are numbered at random, and what there is to know of them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch

from pinnml.domains.cells import KINDS, CellKind, Cells
from pinnml.domains.geometry import Mapped, mapped

#: The corners of the simplices that fill a cube, as numbers of the cube's corners in rows of the first axis fastest.
SIMPLICES = {
    "triangle": [(0, 1, 3), (0, 2, 3)],
    "tetrahedron": [(0, a, a | b, 7) for a, b in permutations((1, 2, 4), 2)],
}
FLAT = [kind for kind in KINDS.values() if kind.degree == 1]
SIMPLEX = [kind for kind in FLAT if kind.reference in ("interval", *SIMPLICES)]
VECTORIAL = [kind for kind in KINDS.values() if kind.dimension > 1]


def shuffled(kind: CellKind, n: int = 2, bend: float = 0.05, seed: int = 0) -> Cells:
    """The unit cube in n^s cubes, or these in simplices; inner points moved, unless bend is 0, the boundary kept.

    Points are numbered at random, and every cell starts at a corner of its own.
    """
    generator = np.random.default_rng(seed)
    s = kind.dimension
    unit = kind.file_nodes[kind.from_file]  # in basix's order
    cube = np.array([[k >> i & 1 for i in range(s)] for k in range(2**s)], dtype=float)
    places = []
    for corner in np.ndindex(*(n,) * s):
        for ends in SIMPLICES.get(kind.reference, [tuple(range(2**s))]):
            own = unit[symmetry(kind, generator)]
            if kind.reference in SIMPLICES:
                own = cube[ends[0]] + own @ (cube[list(ends[1:])] - cube[ends[0]])
            places.append((own + corner) / n)
    rounded = np.round(np.array(places), 9)
    points, nodes = np.unique(rounded.reshape(-1, s), axis=0, return_inverse=True)
    points = points + bend * np.sin(np.pi * points).prod(axis=1)[:, None] * np.cos(3 * points[:, ::-1] + np.arange(s))
    order = generator.permutation(len(points))
    return Cells(points[np.argsort(order)], order[nodes].reshape(len(places), -1), kind)


def symmetry(kind: CellKind, generator: np.random.Generator) -> np.ndarray:
    """The nodes of the reference cell in one of the orders in which a cell may be written, reflections among them."""
    s, unit = kind.dimension, kind.file_nodes[kind.from_file]
    corners = unit[: kind.corners]
    axes = [int(np.flatnonzero((corners == row).all(axis=1))[0]) for row in np.vstack([np.zeros(s), np.eye(s)])]
    while True:
        images = corners[generator.permutation(kind.corners)[: s + 1]]
        sides = images[1:] - images[0]
        moved = images[0] + unit @ sides
        if np.isin(moved, (0, 0.5, 1)).all() and abs(abs(np.linalg.det(sides)) - 1) < 1e-12:
            assert np.array_equal(moved[axes], images)
            distance = np.abs(moved[:, None] - unit).sum(axis=-1)
            if (distance.min(axis=1) < 1e-12).all():
                return distance.argmin(axis=1)


def inner_facets(cells: Cells) -> list[list[tuple[int, int]]]:
    """The two (cell, local facet) of every facet between two cells."""
    sides: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number, corners in enumerate(cells.corners):
        for facet, local in enumerate(cells.kind.facets):
            sides.setdefault(tuple(sorted(corners[list(local)])), []).append((number, facet))
    return [pair for pair in sides.values() if len(pair) == 2]


def alone(cells: Cells, number: int) -> Cells:
    """One of the cells."""
    return Cells(cells.points, cells.nodes[[number]], cells.kind)


def found_again(cells: Cells, number: int, x: np.ndarray) -> Mapped:
    """Places x (q, s) as points of a cell, by Newton's method."""
    reference = np.full_like(x, 0.4)
    for _ in range(12):
        here = mapped(alone(cells, number), reference, np.ones(len(x)))
        step = torch.linalg.solve(here.jacobian[0], torch.from_numpy(x) - here.x[0])
        reference = reference + step.numpy()
    assert np.abs(here.x[0].numpy() - x).max() < 1e-14
    return mapped(alone(cells, number), reference, np.ones(len(x)))
