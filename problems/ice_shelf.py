"""An outlet glacier and its ice shelf from above: the shallow-shelf approximation with Glen's law, n = 3.

    div(H T) = friction a w + rho g H grad s,   T = 2 eta (e + tr(e) 1),   e = (grad w + grad w^T) / 2
    eta = B / 2 (|e|^2 + tiny^2)^(-1/3),        |e|^2 = (e : e + tr(e)^2) / 2

w is the velocity, H the thickness, s the surface, B the hardness. The ice comes in with a parabola of velocities and
sticks to the sides; at the front it ends in the sea: T n = (1 - rho / rho_w) rho g H n / 2. Below y = 1.5 it floats;
above, where a > 0, there is friction, and the surface rises faster.

Lengths are in 10 km, H and s in km, velocities in km a year, stresses in MPa; so strain rates are in 0.1 a year, and B
in MPa to the (0.1 a year)^(1/3). Nothing is known in closed form: the reference is the classical answer of degree 3.
Where ice that sticks meets the front, and at the corners of the sides, strain rates are not bounded: this is what
limits networks and elements alike.
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
WEIGHT, BUOYANCY, GROUNDING, TINY = 9.0, 0.108, 1.5, 0.2


def problem(hardness: float = 0.2, friction: float = 0.2, inflow: float = 0.5) -> Problem:
    if not 0 < hardness < inf:
        raise ProblemError("hardness", expected="a number above 0", got=hardness, cure="write hardness=0.2")
    if not 0 <= friction < inf:
        raise ProblemError("friction", expected="a number, 0 or above", got=friction, cure="write friction=0.2")
    if not 0 <= inflow < inf:
        raise ProblemError("inflow", expected="a number, 0 or above", got=inflow, cure="write inflow=0.5")

    def balance(w, y):
        return div(stress(w, hardness) * thickness(y)) - friction * grounded(y) * w - driving(y)

    def sea(w, normal, y):
        rows, push = stress(w, hardness), BUOYANCY * WEIGHT * thickness(y) / 2
        return dot(rows[0], normal) - push * normal[0], dot(rows[1], normal) - push * normal[1]

    def side(w):
        return w

    def entering(w, x):
        return w[0], w[1] + inflow * (x + 0.4) * (2.3 - x) / 1.35**2

    def creep(w, v, y):
        rows, g = stress(w, hardness), grad(v)
        return thickness(y) * (dot(rows[0], g[0]) + dot(rows[1], g[1]))

    def held_back(w, v, y):
        return friction * grounded(y) * dot(w, v) + dot(driving(y), v)

    def pushed(v, normal, y):
        return -BUOYANCY * WEIGHT * thickness(y) ** 2 / 2 * dot(normal, v)

    posed = Problem(
        domain=Mesh.read(MESH),
        fields={"w": 2},
        equations=(
            Equation(balance, weight=10.0),  # the corners of the sides would have all the attention
            Equation(sea, on="front"),
            Equation(side, on="sides"),
            Equation(entering, on="inflow"),
        ),
        weak=(Weak(creep), Weak(held_back), Weak(pushed, on="front")),
    )
    solved = cache(lambda: classical(posed, degree=3))
    return replace(posed, reference=lambda points: solved()(points))


def thickness(y):
    """H."""
    return 0.3 + 0.15 * y


def grounded(y):
    """What friction and slope are proportional to: zero where ice floats, with no kink."""
    above = torch.clamp(y - GROUNDING, min=0.0)
    return above**2 / (1 + above)


def surface(y):
    """s: a part 1 - rho / rho_w of the ice that floats is above the sea."""
    return BUOYANCY * thickness(y) + 0.06 * grounded(y)


def driving(y):
    """rho g H grad s."""
    return WEIGHT * thickness(y) * grad(surface(y))


def stress(w, hardness: float) -> Vector:
    """T, row by row."""
    (a, b), (c, d) = grad(w)
    shear = (b + c) / 2
    twice = hardness * (a**2 + d**2 + a * d + shear**2 + TINY**2) ** (-1 / 3)  # 2 eta
    return Vector((Vector((twice * (2 * a + d), twice * shear)), Vector((twice * shear, twice * (a + 2 * d)))))


recipe = Recipe(
    network=MLP(16, depth=3, activation="tanh"),
    solver=LevenbergMarquardt(steps=400, tolerance=4.4e-2),
    points={"interior": 2500, "front": 150, "sides": 500, "inflow": 100},
    expect=3e-2,
)
