"""A heated sheet in the middle of a square: -Laplace u = sin(pi y) delta(x - 1/2); u = 0 around.

The source is a surface charge: no equation at points can say it, and the problem has a weak form alone. The slope of u
jumps at the sheet, u = sin(pi y) sinh(pi d) / (2 pi cosh(pi / 2)) with d = min(x, 1 - x), so the network receives the
distance from the sheet in place of x.
"""

from math import cosh, pi
from pathlib import Path

import torch

from pinnml import LSGD, Equation, Features, Mesh, Problem, Recipe, TestSpace, Weak, dot, grad

MESH = Path(__file__).parents[1] / "meshes" / "two_materials.msh"


def problem() -> Problem:
    def conduction(u, v):
        return dot(grad(u), grad(v))

    def heating(v, y):
        return -torch.sin(pi * y) * v

    def wall(u):
        return u

    def exact(x, y):
        return torch.sin(pi * y) * torch.sinh(pi * torch.minimum(x, 1 - x)) / (2 * pi * cosh(pi / 2))

    return Problem(
        domain=Mesh.read(MESH),
        fields=("u",),
        equations=(Equation(wall, on="boundary"),),
        weak=(Weak(conduction), Weak(heating, on="interface")),
        exact=exact,
    )


def recipe() -> Recipe:
    def distance(x, y):
        return torch.abs(x - 0.5), y

    return Recipe(
        network=Features(200, inputs=distance),
        solver=LSGD(),
        points={"boundary": 400},
        tests=TestSpace(3),
        expect=1e-10,
    )
