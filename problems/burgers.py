"""Burgers' equation u_t + u u_x = nu u_xx on -1 < x < 1, 0 < t < 1; u = -sin(pi x) at t = 0, u = 0 at both ends.

With the usual nu = 0.01 / pi a layer of width nu forms at x = 0. The reference is the Cole-Hopf solution

    u(x, t) = - int sin(pi (x - s)) w(s) ds / int w(s) ds,   w(s) = exp(-cos(pi (x - s)) / (2 pi nu) - s^2 / (4 nu t)),

by the trapezoidal rule, which for these integrands converges faster than any power.
"""

from math import pi

import numpy as np
import torch

from pinnml import KAN, MLP, Box, Equation, Graded, LevenbergMarquardt, Multilevel, Problem, Recipe
from pinnml.errors import ProblemError

#: From this viscosity on the layer is wide enough for splines.
WIDE = 0.005


def cole_hopf(points: np.ndarray, nu: float, nodes: int = 801) -> dict[str, np.ndarray]:
    """The exact solution at points (n, 2), columns x and t, to about 1e-13."""
    z = np.linspace(-14, 14, nodes)  # s = z sqrt(4 nu t): the Gaussian is exp(-z^2)
    u = np.empty(len(points))
    for start in range(0, len(points), 4096):
        x, t = points[start : start + 4096].T
        y = x[:, None] - np.sqrt(4 * nu * t)[:, None] * z
        exponent = -np.cos(pi * y) / (2 * pi * nu) - z**2
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        u[start : start + 4096] = -(np.sin(pi * y) * weight).sum(axis=1) / weight.sum(axis=1)
    return {"u": u}


def problem(nu: float = 0.01 / pi) -> Problem:
    if not nu > 0:
        raise ProblemError("nu", expected="a number above 0", got=nu, cure="shocks need a width: write nu=0.003")

    def burgers(u):
        return u.d("t") + u * u.d("x") - nu * u.d("xx")

    def ansatz(u, x, t):
        return -torch.sin(pi * x) + t * (1 - x**2) * u

    return Problem(
        domain=Box(x=Graded(-1, 1, at=0, width=3 * nu), t=(0, 1)),
        fields=("u",),
        equations=(Equation(burgers),),
        ansatz=ansatz,
        reference=lambda points: cole_hopf(points, nu),
    )


def recipe(nu: float = 0.01 / pi) -> Recipe:
    def inputs(x, t):
        return x, torch.asinh(x / (3 * nu)), t

    if nu < WIDE:
        network = MLP(20, depth=3, activation="tanh", inputs=inputs)
        solver = LevenbergMarquardt(steps=3000, tolerance=9e-7)
        return Recipe(network=network, solver=solver, points=4000, rule="sobol", expect=1e-5)
    first = LevenbergMarquardt(steps=60, patience=5)
    last = LevenbergMarquardt(steps=1000, tolerance=6e-6)
    solver = Multilevel(coarse=first, inner=last, levels=2, oversampling=4)
    network = KAN(6, depth=2, order=6, intervals=4, inputs=lambda x, t: inputs(x, t)[1:])
    return Recipe(network=network, solver=solver, points=5000, rule="sobol", expect=1e-5)
