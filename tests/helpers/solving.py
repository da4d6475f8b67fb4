"""A rod, two fields, and a solver whose losses are written down: what tests of `solve` share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import pi

import numpy as np
import torch

from pinnml import Box, Equation, Features, Problem, solve
from pinnml.solvers import Report, Solver, Step

#: Without the second solve that estimates the error, which is put to the test by itself.
solve_once = partial(solve, verify=False)

SMALL = {"network": Features(60, bandwidth=5), "points": 300}


def rod(source: float = 1.0) -> Problem:
    """-u'' = pi^2 sin(pi x) between zeros: u = sin(pi x)."""

    def balance(u, x):
        return -u.d("xx") - source * pi**2 * torch.sin(pi * x)

    def ends(u):
        return u

    def exact(x):
        return source * torch.sin(pi * x)

    equations = (Equation(balance), Equation(ends, on="boundary"))
    return Problem(domain=Box(x=(0, 1)), fields=("u",), equations=equations, exact=exact)


@dataclass(frozen=True, kw_only=True)
class Scripted(Solver):
    """Steps to losses that are written down; theta moves by one each time."""

    losses: tuple[float, ...] = ()
    steps: int = 100

    def init(self, system, theta):
        return 0

    def step(self, system, theta, state):
        loss = self.losses[min(state, len(self.losses) - 1)]
        return Step(system, theta + 1.0 if np.isfinite(loss) else theta * np.nan, state + 1, Report(loss))


def cubic(weight: float = 1.0) -> Problem:
    """u'' = u^3 + f on (0, 1) with u = sin(2 x) + x."""

    def exact(x):
        return torch.sin(2 * x) + x

    def balance(u, x):
        return u.d("xx") - u**3 + exact(x) ** 3 + 4 * torch.sin(2 * x)

    def ends(u, x):
        return u - exact(x)

    equations = (Equation(balance), Equation(ends, on="boundary", weight=weight))
    return Problem(domain=Box(x=(0, 1)), fields=("u",), equations=equations, exact=exact)


def two_fields() -> Problem:
    def system(u, w):
        return u.d("x") - w, w.d("x") + u

    def start(u, w):
        return u, w - 1

    equations = (Equation(system), Equation(start, on="x=0"))
    return Problem(domain=Box(x=(0, 1)), fields=("u", "w"), equations=equations, reference=sine_and_cosine)


def sine_and_cosine(points):
    return {"u": np.sin(points[:, 0]), "w": np.cos(points[:, 0])}
