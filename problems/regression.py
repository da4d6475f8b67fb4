"""Regression: a function of two variables from 20 000 values at random points of the unit square.

    cos(4 pi a) + sin(pi b) + sin(2 pi b) + |sin(3 pi b^2)|,   (a, b) = (x, y) rotated by 0.175 counter-clockwise,

as in arXiv:2603.04827. It is a sum of two functions of one variable each, which a linear layer in front of splines can
represent; the second has kinks. A tenth of the points is held out to judge the fit.
"""

from math import cos, pi, sin

import numpy as np
import torch

from pinnml import KAN, Equation, LevenbergMarquardt, Multilevel, Points, Problem, Recipe

ANGLE = 0.175


def target(x, y):
    a, b = cos(ANGLE) * x - sin(ANGLE) * y, sin(ANGLE) * x + cos(ANGLE) * y
    ridges = torch.cos(4 * pi * a) + torch.sin(pi * b) + torch.sin(2 * pi * b)
    return ridges + torch.abs(torch.sin(3 * pi * b**2))


def problem(points: int = 20_000) -> Problem:
    x, y = np.random.default_rng(1234).uniform(0.0001, 0.9999, (2, points))
    measured = target(torch.from_numpy(x), torch.from_numpy(y)).numpy()

    def fit(u, measured):
        return u - measured

    return Problem(
        domain=Points({"x": x, "y": y}, {"measured": measured}),
        fields=("u",),
        equations=(Equation(fit),),
        exact=target,
    )


recipe = Recipe(
    network=KAN(5, 1, order=4, intervals=5, first="linear", normalise="range"),
    solver=Multilevel(
        coarse=LevenbergMarquardt(steps=60, patience=5),
        inner=LevenbergMarquardt(steps=200, patience=10),
        levels=4,
    ),
    points=20_000,
    expect=2e-2,
)
