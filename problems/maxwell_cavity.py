"""Maxwell's equations, time-harmonic, between walls of perfect conductor, on meshes.

case=source  curl curl E - k^2 E = f in the unit cube, E x n = 0 on its walls: three components, driven below the first
             resonance k = pi sqrt(2)
case=guide   -laplacian(u) = k2 eps u in the cross-section of a guide, the unit square; eps = 4 for x < 1/2 and 1
             beyond, u = 0 around: the lowest k2 is found together with u, which is 1 at (1/4, 1/2)

The source is that of E = (sin pi y sin pi z, 0.7 sin pi x sin pi z, -0.5 sin pi x sin pi y). The guide's mode is
sin(pi y) times sin(a x) / sin(a/2) to the left and sinh(b (1 - x)) / sinh(b/2) to the right, with a^2 = 4 k2 - pi^2,
b^2 = pi^2 - k2: u_x is continuous at x = 1/2 if a cot(a/2) + b coth(b/2) = 0. The network receives the square of the
distance from x = 1/2 besides the coordinates: u_xx has a jump there. The classical answer is that of `modes`, as
`reference` holds k2 at its first guess, where u = 0 is all there is.
"""

from math import pi, sin, sinh, sqrt, tan, tanh
from pathlib import Path
from typing import Any, Literal

import torch
from scipy.optimize import brentq

from pinnml import LSGD, Element, Equation, Features, Mesh, Points, Problem, Recipe, Weak, laplacian
from pinnml.calculus import Vector, cross, curl, dot, grad
from pinnml.errors import ProblemError

Case = Literal["source", "guide"]
MESHES = Path(__file__).parents[1] / "meshes"
#: The parts of the guide, and eps in each.
PARTS = {"left": 4.0, "right": 1.0}


def problem(case: Case = "source", k: float = 3.0) -> Problem:
    return source(k) if case == "source" else guide()


def source(k: float) -> Problem:
    if not 0 < k < pi * sqrt(2):
        raise ProblemError("k", expected="a number above 0, below pi sqrt(2)", got=k, cure="write k=3")

    def exact(x, y, z):
        a, b, c = (torch.sin(pi * s) for s in (x, y, z))
        return Vector((b * c, 0.7 * a * c, -0.5 * a * b))

    def current(x, y, z):
        return (2 * pi**2 - k**2) * exact(x, y, z)

    def waves(E, x, y, z):
        return curl(curl(E)) - k**2 * E - current(x, y, z)

    def conductor(E, normal):
        return cross(normal, E)

    def work(E, v, x, y, z):
        return dot(curl(E), curl(v)) - k**2 * dot(E, v) - dot(current(x, y, z), v)

    return Problem(
        domain=Mesh.read(MESHES / "cube.msh"),
        fields={"E": 3},
        equations=(Equation(waves), Equation(conductor, on="boundary")),
        weak=work,
        exact=exact,
    )


def guide() -> Problem:
    k2: Any = brentq(lambda k2: mismatch(k2)[0], 4, 9, xtol=1e-14)
    _, a, b = mismatch(k2)
    height = sin(a / 4) / sin(a / 2)  # at (1/4, 1/2)

    def balance(eps):
        return lambda u, k2: laplacian(u) + k2 * eps * u

    def oscillation(eps):
        return lambda u, v, k2: dot(grad(u), grad(v)) - k2 * eps * u * v

    def conductor(u):
        return u

    def unit(u):
        return u - 1

    def exact(x, y):
        left, right = torch.sin(a * x) / sin(a / 2), torch.sinh(b * (1 - x)) / sinh(b / 2)
        return torch.where(x < 0.5, left, right) * torch.sin(pi * y) / height

    return Problem(
        domain=Mesh.read(MESHES / "two_materials.msh"),
        fields=("u",),
        equations=(
            *(Equation(balance(eps), on=part, name=part) for part, eps in PARTS.items()),
            Equation(conductor, on="boundary"),
            Equation(unit, on="place"),
        ),
        data={"place": Points({"x": [0.25], "y": [0.5]})},
        parameters={"k2": 5.0},
        weak=tuple(Weak(oscillation(eps), on=part, name=part) for part, eps in PARTS.items()),
        exact=exact,
    )


def mismatch(k2: float) -> tuple[float, float, float]:
    """Of the slopes at x = 1/2, and the wave numbers a and b on either side."""
    a, b = sqrt(4 * k2 - pi**2), sqrt(pi**2 - k2)
    return a / tan(a / 2) + b / tanh(b / 2), a, b


def recipe(case: Case = "source", k: float = 3.0) -> Recipe:
    if case == "source":
        # towards k = 0 gradients are determined by ever less
        points = {"interior": 4000, "boundary": 2000}
        network, elements = Features(600, bandwidth=6), {"E": Element("N1curl", 2)}
        return Recipe(
            network=network,
            solver=LSGD(tolerance=1e-6),
            points=points,
            expect=1e-6 * max(1.0, k**-2),
            elements=elements,
        )
    network = Features(300, bandwidth=(5, 3, 5), inputs=lambda x, y: (x, torch.clamp(x - 0.5, min=0.0) ** 2, y))
    return Recipe(network=network, solver=LSGD(tolerance=1e-6), points=2000, expect=1e-5)
