"""Heat through two materials: -div(k grad u) = f on the unit square, k = 1 for x < 1/2 and k = 10 beyond; u = 0 around.

-k u = sin(2 pi x) sin(pi y): u and the flux k u_x are continuous at x = 1/2, where u has a kink. The parts are named
in the mesh, and each has its own equation.

The network receives s = integral of dx / k from the interface in place of x, and the squares of the distance from it on
either side. As k u_x = u_s, and the squares have no slope there, every smooth function of these has a continuous flux:
nothing is left to impose at the interface.
"""

from math import inf, pi
from pathlib import Path

import torch

from pinnml import LSGD, Equation, Features, Mesh, Problem, Recipe, Weak, dot, grad, laplacian
from pinnml.errors import ProblemError

MESH = Path(__file__).parents[1] / "meshes" / "two_materials.msh"


def problem(ratio: float = 10.0) -> Problem:
    if not 0 < ratio < inf:
        raise ProblemError("ratio", expected="a number above 0", got=ratio, cure="heat flows downhill: write ratio=10")

    def source(x, y):
        return -5 * pi**2 * torch.sin(2 * pi * x) * torch.sin(pi * y)

    def balance(k):
        return lambda u, x, y: -k * laplacian(u) - source(x, y)

    def conduction(k):
        return lambda u, v: k * dot(grad(u), grad(v))

    def heating(v, x, y):
        return -source(x, y) * v

    def wall(u):
        return u

    def exact(x, y):
        k = torch.where(x < 0.5, 1 + 0 * x, ratio + 0 * x)
        return -torch.sin(2 * pi * x) * torch.sin(pi * y) / k

    return Problem(
        domain=Mesh.read(MESH),
        fields=("u",),
        equations=(
            Equation(balance(1.0), on="left", name="left"),
            Equation(balance(ratio), on="right", name="right"),
            Equation(wall, on="boundary"),
        ),
        weak=(Weak(conduction(1.0), on="left"), Weak(conduction(ratio), on="right"), Weak(heating)),
        exact=exact,
    )


def recipe(ratio: float = 10.0) -> Recipe:
    def stretched(x, y):
        left, right = torch.clamp(0.5 - x, min=0.0), torch.clamp(x - 0.5, min=0.0)
        return right / ratio - left, left**2, right**2, y

    return Recipe(network=Features(400, inputs=stretched), solver=LSGD(), points=3000, expect=1e-10)
