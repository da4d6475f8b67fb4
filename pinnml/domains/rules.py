"""Point sets in the unit cube: random, Sobol, Chebyshev, grid, Gauss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pinnml.errors import DomainError, unknown_name

#: Points beside the corners or nodes that tell the range of a function of the coordinates.
SPANNING = 4096
#: Gauss-Legendre points of one panel.
MOST_ON_A_PANEL = 200


def random(n: int, d: int, generator: torch.Generator, periodic: tuple[bool, ...]) -> tuple[Tensor, Tensor]:
    """N independent uniform points."""
    return torch.rand((n, d), generator=generator, dtype=torch.float64), _equal(n)


def sobol_points(n: int, d: int, seed: int) -> Tensor:
    """The first points of a scrambled Sobol sequence in the unit box, (n, d)."""
    engine = torch.quasirandom.SobolEngine(d, scramble=True, seed=seed)
    first = engine.quasi.to(torch.float32) / 2**engine.MAXBIT
    points = engine.draw(n, dtype=torch.float64)
    points[0] = first  # which the engine rounds to whatever PyTorch's default type is
    return points


def sobol(n: int, d: int, generator: torch.Generator, periodic: tuple[bool, ...]) -> tuple[Tensor, Tensor]:
    """The first n points of a scrambled Sobol sequence."""
    seed = int(torch.randint(2**31 - 1, (), generator=generator))
    return sobol_points(n, d, seed), _equal(n)


def chebyshev(n: int, d: int, generator: torch.Generator, periodic: tuple[bool, ...]) -> tuple[Tensor, Tensor]:
    """A scrambled Sobol set carried to x = (1 - cos(pi s)) / 2 along axes that are not periodic, with weights to match.

    Dense towards the faces, where least-squares fits with equally dense points go astray.
    """
    points, weight = sobol(n, d, generator, periodic)
    for axis in (i for i in range(d) if not periodic[i]):
        weight = weight * torch.sin(math.pi * points[:, axis])
        points[:, axis] = (1 - torch.cos(math.pi * points[:, axis])) / 2
    return points, weight / weight.sum()


def grid(n: int, d: int, generator: torch.Generator, periodic: tuple[bool, ...]) -> tuple[Tensor, Tensor]:
    """The centres of about n equal cubes."""
    per_axis = max(round(n ** (1 / d)), 1)
    nodes = (torch.arange(per_axis, dtype=torch.float64) + 0.5) / per_axis
    return _tensor([(nodes, _equal(per_axis))] * d)


def gauss(n: int, d: int, generator: torch.Generator, periodic: tuple[bool, ...]) -> tuple[Tensor, Tensor]:
    """About n tensor Gauss-Legendre points; equal steps along a periodic axis, where they are as exact.

    Many points on an axis are spread over equal panels, since finding Gauss points takes time cubic in their number.
    """
    per_axis = max(round(n ** (1 / d)), 1)
    panels = math.ceil(per_axis / MOST_ON_A_PANEL)
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(round(per_axis / panels)))
    starts = torch.arange(panels, dtype=torch.float64).unsqueeze(1)
    legendre = (((starts + (nodes + 1) / 2) / panels).flatten(), weights.repeat(panels) / (2 * panels))
    equal = (torch.arange(per_axis, dtype=torch.float64) / per_axis, _equal(per_axis))
    return _tensor([equal if wraps else legendre for wraps in periodic])


Rule = Callable[[int, int, torch.Generator, tuple[bool, ...]], tuple[Tensor, Tensor]]
RULES: dict[str, Rule] = {
    "random": random,
    "sobol": sobol,
    "chebyshev": chebyshev,
    "grid": grid,
    "gauss": gauss,
}


def unit_points(
    rule: str, n: int, d: int, generator: torch.Generator, periodic: tuple[bool, ...]
) -> tuple[Tensor, Tensor]:
    """About n points of the unit cube, (n, d), and weights (n,) that sum to one. In no dimension: one point."""
    if n < 1:
        raise DomainError("a region was given no points", expected="at least 1", got=n, cure="raise points")
    if rule not in RULES:
        raise unknown_name("sampling rule", rule, RULES)
    if d == 0:
        return torch.zeros((1, 0), dtype=torch.float64), _equal(1)
    return RULES[rule](n, d, generator, periodic)


def spanning_box(bounds: np.ndarray) -> Tensor:
    """Points (n, d) that span a box with ends (d, 2): its corners and a Sobol set."""
    low, high = torch.from_numpy(bounds).T
    d = len(low)
    corners = torch.cartesian_prod(*([torch.tensor([0.0, 1.0], dtype=torch.float64)] * d)).reshape(-1, d)
    unit = torch.cat([corners, torch.quasirandom.SobolEngine(d, seed=0).draw(SPANNING, dtype=torch.float64)])
    return low + (high - low) * unit


def _equal(n: int) -> Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def _tensor(axes: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    points = torch.cartesian_prod(*(nodes for nodes, _ in axes)).reshape(-1, len(axes))
    weights = torch.cartesian_prod(*(weights for _, weights in axes)).reshape(-1, len(axes)).prod(dim=1)
    return points, weights
