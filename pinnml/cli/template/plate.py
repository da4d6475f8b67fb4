"""Heat in a square plate: -k laplacian(u) = q on 0 < x, y < 1, in a steady state.

u is the temperature, k the conductivity, q the heat that is produced. The left, right and lower sides are held at
given temperatures, and the upper side is insulated but for a given flux -k du/dn.

    pinnml check plate.py                          regions, equations, and that `exact` solves them
    pinnml solve plate.py k=2 --out runs/plate     solve, and write fields for ParaView and a picture
"""

from math import pi

import torch

from pinnml import LSGD, Box, Equation, Features, Problem, Recipe, laplacian, normal_derivative


def problem(k: float = 1.0) -> Problem:
    """What is to be solved. Arguments with defaults are parameters: `k=2` on the command line sets one."""

    # If you know a solution, write it with torch functions of the axes: every error is then measured against it,
    # and the data below can be taken from it. If you know none, leave `exact` out and write the data themselves.
    def exact(x, y):
        return torch.sin(pi * x) * torch.exp(-y)

    # An equation is a function that returns left side minus right side. Its argument names choose what it gets:
    # fields, axes, and on the boundary `normal`. Derivatives: u.d("x"), u.d("xy"), grad, div, curl, laplacian.
    def heat(u, x, y):
        q = -k * laplacian(exact(x, y))
        return -k * laplacian(u) - q

    def held(u, x, y):
        return u - exact(x, y)

    def flux(u, x, y, normal):
        return -k * normal_derivative(u, normal) + k * normal_derivative(exact(x, y), normal)

    return Problem(
        # Axes are named. `t` is time: Box(x=(0, 1), t=(0, 5)). A circle: Box(x=Periodic(0, 2 * pi)).
        domain=Box(x=(0, 1), y=(0, 1)),
        # Several fields: ("u", "p"). Vectors and complex fields: {"E": 3, "p": complex}.
        fields=("u",),
        # Regions: "interior" (the default), "boundary" (all sides), "initial" (t at its start), and sides by name.
        equations=(
            Equation(heat),
            Equation(held, on=("x=0", "x=1", "y=0")),
            Equation(flux, on="y=1"),
        ),
        exact=exact,
    )


# How it is solved, unless the command line says otherwise: `--solver lm --network mlp:width=32,depth=2 --points 2000`.
# `expect` is the relative L2 error that this script promises; `pinnml solve` succeeds only if it is kept.
recipe = Recipe(network=Features(300), solver=LSGD(), points=1500, expect=1e-8)
