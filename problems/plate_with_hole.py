"""A plate with a round hole, pulled along x: plane stress, Young's modulus 1.

div sigma = 0, sigma = 2 mu eps + lambda tr(eps) 1, no traction on the hole; displacements on the outer sides are those
of Kirsch's solution for an infinite plate, in which the stress beside the hole is three times that far away. It is the
reference: the rim of the mesh is round to 1e-5 only.
"""

from pathlib import Path

import torch

from pinnml import LSGD, Equation, Features, Mesh, Problem, Recipe, Weak, div, dot, grad
from pinnml.calculus import Vector
from pinnml.errors import ProblemError

MESH = Path(__file__).parents[1] / "meshes" / "plate_with_hole.msh"
RADIUS = 0.25
SIDES = ("left", "right", "bottom", "top")


def problem(poisson: float = 0.3) -> Problem:
    if not -1 < poisson <= 0.5:
        raise ProblemError("poisson", expected="a ratio above -1, up to 1/2", got=poisson, cure="write poisson=0.3")
    mu = 1 / (2 * (1 + poisson))
    lame = poisson / (1 - poisson**2)  # that of plane stress
    kappa = (3 - poisson) / (1 + poisson)

    def stress(u):
        g = grad(u)
        shear, trace = mu * (g[0][1] + g[1][0]), lame * (g[0][0] + g[1][1])
        return Vector((Vector((2 * mu * g[0][0] + trace, shear)), Vector((shear, 2 * mu * g[1][1] + trace))))

    def kirsch(x, y):
        r, angle = torch.hypot(x, y), torch.atan2(y, x)
        a, c, s = RADIUS / r, torch.cos(2 * angle), torch.sin(2 * angle)
        out = r * ((kappa - 1) / 2 + c + a**2 * (1 + (1 + kappa) * c) - a**4 * c) / (4 * mu)
        along = r * (a**2 * (1 - kappa) - 1 - a**4) * s / (4 * mu)
        return (out * x - along * y) / r, (out * y + along * x) / r

    def equilibrium(u):
        return div(stress(u))

    def free(u, normal):
        rows = stress(u)
        return dot(rows[0], normal), dot(rows[1], normal)

    def held(u, x, y):
        known = kirsch(x, y)
        return u[0] - known[0], u[1] - known[1]

    def work(u, v):
        rows, g = stress(u), grad(v)
        return dot(rows[0], g[0]) + dot(rows[1], g[1])

    return Problem(
        domain=Mesh.read(MESH),
        fields={"u": 2},
        equations=(Equation(equilibrium), Equation(free, on="hole"), Equation(held, on=SIDES)),
        weak=Weak(work),
        reference=lambda points: {"u": torch.stack(kirsch(*torch.from_numpy(points).T), dim=1).numpy()},
    )


def around(x, y):
    """The coordinates, and their images in the rim: a field around a hole is smooth in the four, not in two."""
    square = x**2 + y**2
    return x, y, x / square, y / square


recipe = Recipe(
    network=Features(400, inputs=around),
    solver=LSGD(),
    points={"interior": 3000, "hole": 150, **dict.fromkeys(SIDES, 100)},
    expect=1e-4,
)
