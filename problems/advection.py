"""Transport, alone and against a little diffusion.

case=periodic  u_t + c u_x = 0 on a circle of length 2 pi, 0 < t < 1, u = sin(x) at t = 0: u = sin(x - c t)
case=layer     -eps u'' + u' = 1 on 0 < x < 1, u = 0 at both ends: a layer of width eps at x = 1
case=layer2d   -eps laplacian(u) + u_x + u_y = f on the unit square, u = 0 around it: u = g(x) g(y), g as in layer

Points gather in the layers. In 1-D the network is told how wide the layer is: besides x it receives
asinh((1 - x) / eps). In 2-D it is told of their shape: exp((x - 1) / eps) and exp((y - 1) / eps).
"""

from math import exp, pi
from typing import Literal

import torch

from pinnml import LSGD, Box, Equation, Features, Graded, Periodic, Problem, Recipe, laplacian
from pinnml.errors import ProblemError

Case = Literal["periodic", "layer", "layer2d"]


def problem(case: Case = "periodic", c: float = 100.0, eps: float = 0.01) -> Problem:
    if not eps > 0:
        raise ProblemError("eps", expected="a number above 0", got=eps, cure="a layer needs a width: write eps=0.01")
    return {"periodic": lambda: periodic(c), "layer": lambda: layer(eps), "layer2d": lambda: layer2d(eps)}[case]()


def periodic(c: float) -> Problem:
    def advection(u):
        return u.d("t") + c * u.d("x")

    def start(u, x):
        return u - torch.sin(x)

    def exact(x, t):
        return torch.sin(x - c * t)

    equations = (Equation(advection), Equation(start, on="initial"))
    return Problem(domain=Box(x=Periodic(0, 2 * pi), t=(0, 1)), fields=("u",), equations=equations, exact=exact)


def profile(x, eps: float):
    """g with -eps g'' + g' = 1 and g(0) = g(1) = 0."""
    return x - (torch.exp((x - 1) / eps) - exp(-1 / eps)) / (1 - exp(-1 / eps))


def side(eps: float) -> Graded:
    """An axis whose points gather in the layer."""
    return Graded(0, 1, at=1, width=2 * eps)


def layer(eps: float) -> Problem:
    def balance(u):
        return -eps * u.d("xx") + u.d("x") - 1

    def ends(u):
        return u

    def exact(x):
        return profile(x, eps)

    equations = (Equation(balance), Equation(ends, on="boundary"))
    return Problem(domain=Box(x=side(eps)), fields=("u",), equations=equations, exact=exact)


def layer2d(eps: float) -> Problem:
    def balance(u, x, y):
        return -eps * laplacian(u) + u.d("x") + u.d("y") - profile(x, eps) - profile(y, eps)

    def wall(u):
        return u

    def exact(x, y):
        return profile(x, eps) * profile(y, eps)

    equations = (Equation(balance), Equation(wall, on="boundary"))
    return Problem(domain=Box(x=side(eps), y=side(eps)), fields=("u",), equations=equations, exact=exact)


def layer_coordinate(s, eps: float):
    """What a layer of width eps at s = 1 looks like: the homogeneous solution of -eps g'' + g' = 0."""
    return torch.exp((s - 1) / eps)


def recipe(case: Case = "periodic", c: float = 100.0, eps: float = 0.01) -> Recipe:
    if case == "periodic":
        return Recipe(network=Features(1200), solver=LSGD(), points=4000, expect=1e-9)
    if case == "layer":
        network = Features(300, bandwidth=16, activation="tanh", inputs=lambda x: (x, torch.asinh((1 - x) / eps)))
        return Recipe(network=network, solver=LSGD(), points=1200, rule="gauss", expect=1e-11)
    return Recipe(
        network=Features(
            800, bandwidth=5, inputs=lambda x, y: (x, y, layer_coordinate(x, eps), layer_coordinate(y, eps))
        ),
        solver=LSGD(),
        points=4900,
        rule="gauss",
        expect=1e-11,
    )
