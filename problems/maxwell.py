"""Maxwell's equations in vacuum, in units with c = 1.

case=cavity  a TM wave between walls of perfect conductor on the unit square, over one period: Ez, Hx, Hy in time
case=guide   a time-harmonic wave, convention exp(-i k t), in a parallel-plate guide on [0, 2]^2: complex Ez = u
case=cube    curl curl E + E = f on [-1, 1]^3 with perfectly conducting walls: three components

The cavity's mode is Ez = sin(pi x) sin(pi y) cos(w t), w = pi sqrt(2). The guide is excited by sin(pi y) at x = 0
and leaves through u_x = i kx u at x = 2, kx = sqrt(k^2 - pi^2): u = exp(i kx x) sin(pi y).
"""

from math import pi, sqrt
from typing import Literal

import torch

from pinnml import LSGD, Box, Equation, Features, Problem, Recipe, cross, curl, laplacian
from pinnml.errors import ProblemError

Case = Literal["cavity", "guide", "cube"]


def problem(case: Case = "cavity", k: float = 32.0) -> Problem:
    return {"cavity": cavity, "guide": lambda: guide(k), "cube": cube}[case]()


def cavity() -> Problem:
    w = pi * sqrt(2)

    def ampere(Ez, Hx, Hy):
        return Ez.d("t") - Hy.d("x") + Hx.d("y")

    def faraday(Ez, Hx, Hy):
        return Hx.d("t") + Ez.d("y"), Hy.d("t") - Ez.d("x")

    def conductor(Ez):
        return Ez

    def start(Ez, Hx, Hy, x, y):
        return Ez - torch.sin(pi * x) * torch.sin(pi * y), Hx, Hy

    def exact(x, y, t):
        return {
            "Ez": torch.sin(pi * x) * torch.sin(pi * y) * torch.cos(w * t),
            "Hx": -pi / w * torch.sin(pi * x) * torch.cos(pi * y) * torch.sin(w * t),
            "Hy": pi / w * torch.cos(pi * x) * torch.sin(pi * y) * torch.sin(w * t),
        }

    return Problem(
        domain=Box(x=(0, 1), y=(0, 1), t=(0, 2 * pi / w)),
        fields=("Ez", "Hx", "Hy"),
        equations=(
            Equation(ampere),
            Equation(faraday),
            Equation(conductor, on="boundary"),
            Equation(start, on="initial"),
        ),
        exact=exact,
    )


def guide(k: float) -> Problem:
    if not k > pi:
        raise ProblemError("k", expected="a number above pi", got=k, cure="below pi no wave passes: write k=32")
    kx = sqrt(k**2 - pi**2)

    def helmholtz(u):
        return laplacian(u) + k**2 * u

    def excited(u, y):
        return u - torch.sin(pi * y)

    def conductor(u):
        return u

    def leaving(u):
        return u.d("x") - 1j * kx * u

    def exact(x, y):
        return torch.exp(1j * kx * x) * torch.sin(pi * y)

    return Problem(
        domain=Box(x=(0, 2), y=(0, 2)),
        fields={"u": complex},
        equations=(
            Equation(helmholtz),
            Equation(excited, on="x=0"),
            Equation(conductor, on=("y=0", "y=2")),
            Equation(leaving, on="x=2"),
        ),
        exact=exact,
    )


def cube() -> Problem:
    def exact(x, y, z):
        a, b, c = ((torch.cos(pi * s), torch.sin(pi * s)) for s in (x, y, z))
        return torch.stack([a[0] * b[1] * c[1], 0.7 * a[1] * b[0] * c[1], -0.5 * a[1] * b[1] * c[0]])

    def curl_curl(E, x, y, z):
        known = exact(x, y, z)
        return curl(curl(E)) + E - curl(curl(known)) - known

    def conductor(E, normal):
        return cross(normal, E)

    return Problem(
        domain=Box(x=(-1, 1), y=(-1, 1), z=(-1, 1)),
        fields={"E": 3},
        equations=(Equation(curl_curl), Equation(conductor, on="boundary")),
        exact=exact,
    )


def recipe(case: Case = "cavity", k: float = 32.0) -> Recipe:
    if case == "cavity":
        network, points = Features(1000, bandwidth=7), {"interior": 4096, "boundary": 2400, "initial": 900}
    elif case == "guide":
        network, points = Features(800, bandwidth=(2.6 * k, 9)), {"interior": 3600}
    else:
        network, points = Features(1500, bandwidth=7), {"interior": 4096, "boundary": 2400}
    expect = {"cavity": 1e-7, "guide": 1e-10, "cube": 1e-6}[case]
    return Recipe(network=network, solver=LSGD(), points=points, rule="gauss", expect=expect)
