"""Steady advection and diffusion on an unstructured mesh: b . grad u - eps laplacian(u) = q on the unit disc, |b| = 1.

Two streams, cold and warm, flow side by side along a plate that ends in front of the disc, and mix behind it: with s
along the wind and n across it, both from the end of the plate, r^2 = s^2 + n^2,

    u = (1 + erf(n / sqrt(2 eps (r + s)))) / 2 + q s,

whose values are given on the rim. The weak form is that of the streamline-upwind Petrov-Galerkin method: the balance
b . grad u - q is tested with v + tau b . grad v, where tau = h / 2 (coth P - 1 / P), P = h / (2 eps), and h is the mean
size of the cells of the problem's own mesh. The part -eps laplacian(u) of the balance is left out there: it vanishes in
straight cells of degree 1, and in others the term is less than consistent. upwind=0 is Galerkin's method, which
oscillates where the layer is thinner than the cells. The network receives tanh of the argument of erf besides s and n.
"""

from math import cos, inf, pi, sin, sqrt, tanh
from pathlib import Path

import torch

from pinnml import LSGD, Equation, Features, Mesh, Problem, Recipe, dot, grad, laplacian
from pinnml.errors import ProblemError

MESH = Path(__file__).parents[1] / "meshes" / "disc.msh"
#: The wind, and how far in front of the middle of the disc the plate ends.
WIND, UPSTREAM = (cos(pi / 6), sin(pi / 6)), 1.25


def problem(eps: float = 1e-2, heating: float = 1.0, upwind: float = 1.0) -> Problem:
    if not 0 < eps < inf:
        raise ProblemError("eps", expected="a number above 0", got=eps, cure="streams mix by diffusion: write eps=0.01")
    if not 0 <= upwind < inf:
        raise ProblemError("upwind", expected="a number, 0 or above", got=upwind, cure="write upwind=1")
    mesh = Mesh.read(MESH)
    tau = upwind * intrinsic_time(sqrt(2 * mesh.measure() / len(mesh.cells)), eps)

    def balance(u):
        return dot(grad(u), WIND) - eps * laplacian(u) - heating

    def rim(u, x, y):
        return u - exact(x, y)

    def streamline_upwind(u, v):
        return (dot(grad(u), WIND) - heating) * (v + tau * dot(grad(v), WIND)) + eps * dot(grad(u), grad(v))

    def exact(x, y):
        s, n = along_and_across(x, y)
        return (1 + torch.erf(n / torch.sqrt(2 * eps * (torch.hypot(s, n) + s)))) / 2 + heating * s

    return Problem(
        domain=mesh,
        fields=("u",),
        equations=(Equation(balance), Equation(rim, on="boundary")),
        weak=streamline_upwind,
        exact=exact,
    )


def along_and_across(x, y):
    """Coordinates along the wind and across it, from the end of the plate."""
    return WIND[0] * x + WIND[1] * y + UPSTREAM, WIND[0] * y - WIND[1] * x


def intrinsic_time(h: float, eps: float) -> float:
    """The tau that is exact at the nodes of a line with cells of size h."""
    peclet = h / (2 * eps)
    return h / 2 * (1 / tanh(peclet) - 1 / peclet)


def recipe(eps: float = 1e-2) -> Recipe:
    def inputs(x, y):
        s, n = along_and_across(x, y)
        return s, n, torch.tanh(n / torch.sqrt(2 * eps * (torch.hypot(s, n) + s)))

    expect = 1e-6 * max(1.0, 0.01 / eps) ** 1.5
    return Recipe(network=Features(400, inputs=inputs), solver=LSGD(tolerance=1e-7), points=4000, expect=expect)
