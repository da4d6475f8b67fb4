"""Points on the cells or facets of a mesh."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pinnml.domains.cells import Cells
from pinnml.domains.geometry import carried_normal, chunks, located, measures
from pinnml.domains.reference_cells import corners as reference_corners
from pinnml.domains.reference_cells import outward_normals, quadrature
from pinnml.domains.rules import RULES, unit_points
from pinnml.domains.sample import Sample
from pinnml.errors import DomainError, unknown_name

#: Degree at which the measures of facets are taken whose cells are not affine: that of a curved one is no polynomial.
FACET_DEGREE = 12
#: Highest degree of a quadrature.
HIGHEST_DEGREE = 20
#: Points from which one is taken where they are to be dense towards the boundary.
CHOICE = 8
#: Points of the boundary that tell how near it is, by its dimension; the part by which they may err; the part of a line
#: that is nearest of all.
NEAR_POINTS, ROUGHLY, SAME_END = (64, 2048, 16_384), 0.1, 1e-6
_SHAPES = {(1, 2): "interval", (2, 3): "triangle", (2, 4): "quadrilateral", (3, 4): "tetrahedron", (3, 8): "hexahedron"}

#: A density (N,) of points (N, s), up to a factor.
Density = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Cells (k,) of a mesh by number, or with `local` (k,) one facet of each by its number in the cell."""

    cells: Cells
    cell: np.ndarray
    local: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def dimension(self) -> int:
        """The dimension of a piece."""
        return self.cells.kind.dimension - (self.local is not None)

    @property
    def shape(self) -> str:
        """The reference cell of a piece; "point" in no dimension."""
        kind = self.cells.kind
        return _SHAPES.get((self.dimension, kind.corners if self.local is None else len(kind.facets[0])), "point")

    def rule(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        """Points (q, k) and weights (q,) that integrate polynomials of a degree over the reference cell of a piece."""
        return (np.zeros((1, 0)), np.ones(1)) if self.shape == "point" else quadrature(self.shape, degree)

    @property
    def corners(self) -> np.ndarray:
        """The numbers of the corners of every piece, (k, c)."""
        own = self.cells.corners[self.cell]
        if self.local is None:
            return own
        return np.take_along_axis(own, np.array(self.cells.kind.facets)[self.local], axis=1)

    @cached_property
    def measure(self) -> np.ndarray:
        """The measure of every piece, (k,); of cells exact, since the determinant of dx/dX is a polynomial there."""
        kind = self.cells.kind
        if self.local is None:
            cells = Cells(self.cells.points, self.cells.nodes[self.cell], kind)
            return measures(cells, *self.rule(0 if kind.is_affine else kind.degree * kind.dimension - 1))
        points, weights = self.rule(0 if kind.is_affine else FACET_DEGREE)
        found = np.empty(len(self))
        for some in chunks(len(self), len(points)):
            number = np.arange(len(self))[some]
            sample = self.at(np.repeat(number, len(points)), np.tile(points, (len(number), 1)))
            found[some] = sample.weight.numpy().reshape(len(number), -1) @ weights
        return found

    def middles(self, most: int) -> Sample:
        """The middles of pieces, of so many at most."""
        piece = np.linspace(0, len(self) - 1, min(most, len(self))).round().astype(np.int64)
        return self.at(piece, np.tile(self.rule(0)[0][:1], (len(piece), 1)))

    @cached_property
    def along_curve(self) -> np.ndarray:
        """The pieces in an order in which neighbours are mostly near each other: that of Morton's curve."""
        x = self.cells.points[self.cells.corners[self.cell]].mean(axis=1)
        level = ((x - x.min(axis=0)) / (np.ptp(x, axis=0).max() or 1.0) * 1023).astype(np.int64)
        code = np.zeros(len(self), dtype=np.int64)
        for bit in range(10):
            for axis in range(x.shape[1]):
                code |= (level[:, axis] >> bit & 1) << (bit * x.shape[1] + axis)
        return np.argsort(code, kind="stable")

    def at(self, piece: np.ndarray, points: np.ndarray) -> Sample:
        """Points of reference pieces (n, k), each on a piece (n,); the weight is the stretching of the piece there."""
        cell = self.cell[piece]
        if self.local is None:
            x, jacobian = located(self.cells, cell, points)
            return Sample(x, torch.linalg.det(jacobian).abs())
        reference, facets = self.cells.kind.reference, self.cells.kind.facets
        local = self.local[piece]
        ends = np.array([reference_corners(reference)[list(facet)] for facet in facets])  # (f, c, s)
        sides = ends[:, 1 : self.dimension + 1] - ends[:, :1]  # (f, s - 1, s)
        size = np.sqrt(np.linalg.det(sides @ sides.transpose(0, 2, 1))) if self.dimension else np.ones(len(ends))
        inside = ends[local, 0] + (points[:, None] @ sides[local])[:, 0]
        x, jacobian = located(self.cells, cell, inside)
        normal, stretch = carried_normal(jacobian, torch.from_numpy(outward_normals(reference)[local]))
        if self.dimension == 0:
            stretch = torch.ones_like(stretch)
        return Sample(x, torch.from_numpy(size[local]) * stretch, normal)


def pieces_at(pieces: Pieces, unit: Tensor, weight: Tensor) -> Sample:
    """Points of the unit cube (n, 1 + k) carried to pieces: the first coordinate chooses the piece by its measure.

    Of weights (n,) that sum to 1 come weights that sum to the measure.
    """
    order = pieces.along_curve
    share = np.cumsum(pieces.measure[order])
    place = np.searchsorted(share, unit[:, 0].numpy() * share[-1], side="right").clip(max=len(pieces) - 1)
    piece = order[place]
    sample = pieces.at(piece, in_reference(pieces.shape, unit[:, 1:].numpy()))
    weight = weight * sample.weight / torch.from_numpy(pieces.measure[piece])
    return replace(sample, weight=weight * (share[-1] / weight.sum()))


def in_reference(shape: str, unit: np.ndarray) -> np.ndarray:
    """Points of the unit cube (n, k) carried to a reference cell, equally dense as before."""
    if shape not in ("triangle", "tetrahedron"):
        return unit
    rest, columns = np.ones(len(unit)), []
    for axis in range(unit.shape[1]):
        kept = rest * unit[:, axis] ** (1 / (unit.shape[1] - axis))
        columns.append(rest - kept)
        rest = kept
    return np.stack(columns, axis=1)


def sampled(pieces: Pieces, n: int, generator: torch.Generator, rule: str, nearness: Callable[[], Density]) -> Sample:
    """About n points of pieces by a rule, with weights that sum to their measure.

    random, sobol: n points, as dense everywhere. chebyshev: on cells about n out of 8 n Sobol points, with the density
    that `nearness` returns, cut off at 8 times its mean; on facets the same as sobol. gauss: the points of a quadrature
    on every piece, of the degree that gives about n of them, at least one on each; grid: the same, but the middles of
    n pieces if there are more.
    """
    check_sampling(n, rule)
    if pieces.dimension == 0 or rule == "gauss":
        return _by_quadrature(pieces, n)
    if rule == "grid" and len(pieces) <= n:
        sample = _by_quadrature(pieces, n)
        return replace(sample, weight=sample.weight * (pieces.measure.sum() / sample.weight.sum()))
    if rule == "grid":
        return pieces_at(pieces, *_middles(pieces, n, generator))
    d = 1 + pieces.dimension
    if rule == "chebyshev" and pieces.local is None:
        sample = pieces_at(pieces, *unit_points("sobol", CHOICE * n, d, generator, (False,) * d))
        return thinned(sample, n, generator, sample.weight * nearness()(sample.x))
    plain = "random" if rule == "random" else "sobol"
    return pieces_at(pieces, *unit_points(plain, n, d, generator, (False,) * d))


def thinned(sample: Sample, n: int, generator: torch.Generator, wanted: Tensor) -> Sample:
    """About n points of a sample (N,), each as likely as `wanted` (N,), in equal steps; the weights sum as before.

    A point is taken once at most, so that there are fewer than n where some are wanted very much.
    """
    chance = (n * wanted / wanted.sum()).clamp(max=1.0)
    edges = torch.cumsum(chance, 0)
    start = torch.rand((), generator=generator, dtype=torch.float64)
    steps = torch.arange(max(round(float(edges[-1])), 1), dtype=torch.float64)
    chosen = torch.searchsorted(edges, (start + steps) * (edges[-1] / len(steps))).clamp(max=len(edges) - 1)
    weight = sample.weight[chosen] / chance[chosen]
    return replace(sample[chosen], weight=weight * (sample.weight.sum() / weight.sum()))


def towards(outer: Pieces) -> Density:
    """The density 1 / sqrt(distance) from facets, which is that of Chebyshev points beside a face."""
    d, many = outer.dimension + 1, NEAR_POINTS[outer.dimension]
    unit = unit_points("sobol", many, d, torch.Generator().manual_seed(0), (False,) * d)
    x = pieces_at(outer, *unit).x
    if not outer.dimension:
        return near(x, SAME_END * float(x.max() - x.min()))
    return near(x, (float(outer.measure.sum()) / many) ** (1 / outer.dimension))


def near(places: Tensor, least: float) -> Density:
    """The density 1 / sqrt(distance) from places (m, s), cut off at the distance `least`."""
    from scipy.spatial import KDTree

    tree = KDTree(places.numpy())
    return lambda x: torch.from_numpy(1 / np.sqrt(np.maximum(tree.query(x.numpy(), eps=ROUGHLY)[0], least)))


def check_sampling(n: int, rule: str) -> None:
    """Raise DomainError for no points, UnknownNameError for a rule that is not there."""
    if n < 1:
        raise DomainError("a region was given no points", expected="at least 1", got=n, cure="raise points")
    if rule not in RULES:
        raise unknown_name("sampling rule", rule, RULES)


def _by_quadrature(pieces: Pieces, n: int) -> Sample:
    """The points of the quadrature whose number comes nearest to n; its weights are the squares of something."""
    degrees = range(HIGHEST_DEGREE + 1) if pieces.dimension else (0,)
    rules = [rule for rule in map(pieces.rule, degrees) if rule[1].min() > 0]
    points, weights = min(reversed(rules), key=lambda rule: abs(math.log(len(pieces) * len(rule[1]) / n)))
    sample = pieces.at(np.repeat(np.arange(len(pieces)), len(points)), np.tile(points, (len(pieces), 1)))
    return replace(sample, weight=sample.weight * torch.from_numpy(np.tile(weights, len(pieces))))


def _middles(pieces: Pieces, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points of the unit cube (n, 1 + k) for n pieces, chosen in equal steps of their measure, and weights (n,)."""
    start = torch.rand((), generator=generator, dtype=torch.float64)
    unit = torch.full((n, 1 + pieces.dimension), 0.5, dtype=torch.float64)
    unit[:, 0] = (start + torch.arange(n, dtype=torch.float64)) / n
    return unit, torch.full((n,), 1 / n, dtype=torch.float64)
