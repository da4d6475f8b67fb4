"""Heat in a rod: u_t = kappa u_xx on 0 < x < 1, 0 < t < 0.1 / kappa; u = sin(pi x) at t = 0; u = 0 at both ends."""

from math import pi

import torch

from pinnml import LSGD, Box, Equation, Features, Problem, Recipe
from pinnml.errors import ProblemError


def problem(kappa: float = 0.1) -> Problem:
    if not kappa > 0:
        raise ProblemError("kappa", expected="a number above 0", got=kappa, cure="heat spreads: write kappa=0.1")

    def heat(u):
        return u.d("t") - kappa * u.d("xx")

    def start(u, x):
        return u - torch.sin(pi * x)

    def ends(u):
        return u

    def exact(x, t):
        return torch.exp(-kappa * pi**2 * t) * torch.sin(pi * x)

    return Problem(
        domain=Box(x=(0, 1), t=(0, 0.1 / kappa)),
        fields=("u",),
        equations=(Equation(heat), Equation(start, on="t=0"), Equation(ends, on=("x=0", "x=1"))),
        exact=exact,
    )


recipe = Recipe(network=Features(400, bandwidth=8), solver=LSGD(), points=1600, rule="gauss", expect=1e-12)
