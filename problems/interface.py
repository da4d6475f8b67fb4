"""A jump in the coefficient: div(eps grad u) = f on the square -1 < x, y < 1, u = 0 around it.

eps is 1 for x < 0 and 1/2 for x > 0, where u = sin(pi x) sin(3 pi y) and u = sin(2 pi x) sin(3 pi y): u and the flux
eps u_x are continuous at x = 0, while u_x doubles there.

The network receives s = integral of dx / eps in place of x, and s |s| besides. As eps u_x = u_s, and s |s| has no kink,
every smooth function of these has a continuous flux, while its second derivative may jump with f: nothing is left to
impose at the interface. A field that is smooth in x could not have the kink of u; one that is given |x| needs an
equation for the flux.
"""

from math import pi

import torch

from pinnml import KAN, Box, Equation, LevenbergMarquardt, Multilevel, Problem, Recipe, div, grad


def either_side(x, left, right):
    """What holds for x < 0 and what holds for x > 0; both fields."""
    return torch.where(x < 0, left, right)


def problem() -> Problem:
    def exact(x, y):
        return either_side(x, torch.sin(pi * x), torch.sin(2 * pi * x)) * torch.sin(3 * pi * y)

    def balance(u, x, y):
        eps = either_side(x, 1 + 0 * x, 0.5 + 0 * x)
        f = -(pi**2) * either_side(x, 10 + 0 * x, 6.5 + 0 * x) * exact(x, y)
        return div(eps * grad(u)) - f

    def wall(u):
        return u

    return Problem(
        domain=Box(x=(-1, 1), y=(-1, 1)),
        fields=("u",),
        equations=(Equation(balance), Equation(wall, on="boundary", weight=100)),
        exact=exact,
    )


def stretched(x, y):
    """s, s |s| and y, where s is the integral of dx / eps from 0."""
    s = either_side(x, x, 2 * x)
    return s, s * abs(s), y


recipe = Recipe(
    network=KAN(10, 1, order=8, intervals=8, inputs=stretched),
    solver=Multilevel(
        coarse=LevenbergMarquardt(steps=60, patience=5),
        inner=LevenbergMarquardt(steps=1000, tolerance=1e-5),
        levels=2,
        oversampling=4,
    ),
    points=3600,
    expect=1e-5,
)
