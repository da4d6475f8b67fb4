"""-Laplace u = 1 on the L-shape (-1, 1)^2 less its upper right quarter; u = 0 on the rim.

At the re-entrant corner u behaves as r^(2/3) sin(2 theta / 3), and at each of the five others as
r^2 (log r sin 2 theta + theta cos 2 theta): smooth functions alone stall at 1e-1; with these in the basis, what is
left to them is smooth.
"""

from math import cos, pi, sin
from pathlib import Path

import torch

from pinnml import LSGD, Equation, Features, Mesh, Problem, Recipe, dot, grad, laplacian

MESH = Path(__file__).parents[1] / "meshes" / "l_shape.msh"
#: The corners, and the direction of the side from which the other is reached by turning left.
CORNERS = {(0, 0): pi / 2, (-1, -1): 0.0, (1, -1): pi / 2, (1, 0): pi, (0, 1): pi, (-1, 1): 3 * pi / 2}
#: The exponents 2 k / 3 of the re-entrant corner that are not whole.
EXPONENTS = tuple(2 * k / 3 for k in (1, 2, 4, 5, 7, 8, 10, 11))
#: Added to distances, so that a logarithm at the corner itself is finite.
TINY = 1e-100


def polar(x, y, corner: tuple[int, int]):
    """Distance from a corner, and the angle from its first side, in the domain between 0 and 3 pi / 2."""
    middle = CORNERS[corner] + (3 * pi / 4 if corner == (0, 0) else pi / 4)
    x, y = x - corner[0], y - corner[1]
    along, across = x * cos(middle) + y * sin(middle), y * cos(middle) - x * sin(middle)
    return torch.hypot(along, across) + TINY, torch.atan2(across, along) + (middle - CORNERS[corner])


def singular(x, y):
    """What smooth functions cannot follow, at the corners."""
    r, angle = polar(x, y, (0, 0))
    found = [r**k * torch.sin(k * angle) for k in EXPONENTS]
    for corner in CORNERS:
        r, angle = polar(x, y, corner)
        found.append(r**2 * (torch.log(r) * torch.sin(2 * angle) + angle * torch.cos(2 * angle)))
    return tuple(found)


def problem() -> Problem:
    def balance(u):
        return -laplacian(u) - 1

    def rim(u):
        return u

    return Problem(
        domain=Mesh.read(MESH),
        fields=("u",),
        equations=(Equation(balance), Equation(rim, on="boundary")),
        weak=lambda u, v: dot(grad(u), grad(v)) - v,
    )


recipe = Recipe(
    network=Features(600, extra=singular),
    solver=LSGD(),
    points={"interior": 4000, "boundary": 600},
    expect=1e-6,
)
