"""An outlet glacier and its ice shelf from above: the shallow-shelf approximation with Glen's law, n = 3.

    div(H T) = friction w + rho g H grad s,   T = 2 eta (e + tr(e) 1),   e = (grad w + grad w^T) / 2
    eta = B / 2 (|e|^2 + tiny^2)^(-1/3),   |e|^2 = (e : e + tr(e)^2) / 2

w is the velocity, H the thickness, s the surface. The ice sticks to the sides, comes in with a parabola of velocities,
and is pushed by the sea at the front: T n = (1 - rho / rho_w) rho g H n / 2. Below y = AFLOAT it floats, and there is
no friction; above, friction and slope grow with the square of the distance.

Lengths are in 10 km, H and s in km, velocities in km a year, stresses in MPa; so strain rates are in 0.1 a year.
Nothing is known in closed form: the reference is the classical answer of degree 3 on the same mesh.
"""

from dataclasses import replace
from functools import cache
from math import inf
from pathlib import Path

import torch

from pinnml import MLP, Equation, LevenbergMarquardt, Mesh, Problem, Recipe, Weak, div, dot, grad
from pinnml import reference as classical
from pinnml.calculus import Vector
from pinnml.errors import ProblemError

MESH = Path(__file__).parents[1] / "meshes" / "glacier.msh"
#: rho g in MPa / km, 1 - rho / rho_w, the y of the grounding line, and the strain rate below which ice is Newtonian.
WEIGHT, BUOYANCY, AFLOAT, TINY = 9.0, 0.108, 1.5, 0.1


def problem(hardness: float = 0.2, friction: float = 0.5, inflow: float = 0.8) -> Problem:
    if not 0 < hardness < inf:
        raise ProblemError("hardness", expected="a number above 0", got=hardness, cure="write hardness=0.2")
    if not 0 <= friction < inf:
        raise ProblemError("friction", expected="a number, 0 or above", got=friction, cure="write friction=0.5")

    def thickness(x, y):
        return 0.3 + 0.15 * y

    def grounded(y):
        above = torch.clamp(y - AFLOAT, min=0.0)
        return above**2 / (1 + above)

    def driving(x, y):
        return WEIGHT * thickness(x, y) * grad(BUOYANCY * thickness(x, y) + 0.1 * grounded(y))

    def stress(w):
        (a, b), (c, d) = grad(w)
        shear = (b + c) / 2
        eta = hardness / 2 * (a**2 + d**2 + a * d + shear**2 + TINY**2) ** (-1 / 3)
        return Vector((Vector((2 * eta * (2 * a + d), 2 * eta * shear)), Vector((2 * eta * shear, 2 * eta * (a + 2 * d)))))

    def balance(w, x, y):
        return div(stress(w) * thickness(x, y)) - friction * grounded(y) * w - driving(x, y)

    def sea(w, normal, x, y):
        push = BUOYANCY * WEIGHT * thickness(x, y) / 2
        return [dot(row, normal) - push * n for row, n in zip(stress(w), normal, strict=True)]

    def wall(w):
        return w

    def entering(w, x):
        return w[0], w[1] + inflow * (x + 0.4) * (2.3 - x) / 1.35**2

    def work(w, v, x, y):
        (a, b), (c, d) = stress(w), grad(v)
        return thickness(x, y) * (dot(a, c) + dot(b, d)) + friction * grounded(y) * dot(w, v) + dot(driving(x, y), v)

    def pushing(v, normal, x, y):
        return -BUOYANCY * WEIGHT * thickness(x, y) ** 2 / 2 * dot(normal, v)

    posed = Problem(
        domain=Mesh.read(MESH),
        fields={"w": 2},
        equations=(
            Equation(balance),
            Equation(sea, on="front"),
            Equation(wall, on="sides"),
            Equation(entering, on="inflow"),
        ),
        weak=(Weak(work), Weak(pushing, on="front")),
    )
    solved = cache(lambda: classical(posed, degree=3, expect=1.0))
    return replace(posed, reference=lambda points: solved()(points))


recipe = Recipe(
    network=MLP(24, depth=2, activation="tanh"),
    solver=LevenbergMarquardt(steps=300),
    points={"interior": 1500, "front": 100, "sides": 400, "inflow": 100},
    expect=1e-2,
)
