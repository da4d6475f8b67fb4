"""Poisson's equation -laplacian(u) = f, with the sign of physics: a positive f pushes u up.

case=sine    unit square, u = sin(pi x) sin(pi y), u = 0 on the boundary, by penalty
case=expcos  unit square, u = exp(-x^2 - 2 y^2) cos(3 x + y), which no finite sum of sines contains
case=cube    unit cube, u = exp(-x^2 - 2 y^2 - z^2) cos(2 x + y)
case=mixed   unit square, u = exp(x) cos(2 y); u given at y = 0, du/dn at y = 1, du/dn + u at x = 0 and x = 1

f and the data of the conditions are those of the exact solution.
"""

from math import pi
from typing import Literal

import torch

from pinnml import LSGD, Box, Equation, Features, Problem, Recipe, laplacian, normal_derivative

Case = Literal["sine", "expcos", "cube", "mixed"]

SOLUTIONS = {
    "sine": lambda x, y: torch.sin(pi * x) * torch.sin(pi * y),
    "expcos": lambda x, y: torch.exp(-(x**2) - 2 * y**2) * torch.cos(3 * x + y),
    "cube": lambda x, y, z: torch.exp(-(x**2) - 2 * y**2 - z**2) * torch.cos(2 * x + y),
    "mixed": lambda x, y: torch.exp(x) * torch.cos(2 * y),
}


def problem(case: Case = "sine") -> Problem:
    exact = SOLUTIONS[case]

    def poisson(u, x, y):
        return -laplacian(u) + laplacian(exact(x, y))

    def poisson_in_space(u, x, y, z):
        return -laplacian(u) + laplacian(exact(x, y, z))

    def dirichlet(u, x, y):
        return u - exact(x, y)

    def dirichlet_in_space(u, x, y, z):
        return u - exact(x, y, z)

    def neumann(u, x, y, normal):
        return normal_derivative(u - exact(x, y), normal)

    def robin(u, x, y, normal):
        return normal_derivative(u - exact(x, y), normal) + u - exact(x, y)

    square, cube = Box(x=(0, 1), y=(0, 1)), Box(x=(0, 1), y=(0, 1), z=(0, 1))
    if case == "cube":
        equations = (Equation(poisson_in_space), Equation(dirichlet_in_space, on="boundary"))
    elif case == "mixed":
        sides = (
            Equation(dirichlet, on="y=0"),
            Equation(neumann, on="y=1"),
            Equation(robin, on=("x=0", "x=1")),
        )
        equations = (Equation(poisson), *sides)
    else:
        equations = (Equation(poisson), Equation(dirichlet, on="boundary"))
    return Problem(domain=cube if case == "cube" else square, fields=("u",), equations=equations, exact=exact)


def recipe(case: Case = "sine") -> Recipe:
    if case == "cube":
        points = {"interior": 4096, "boundary": 2400}
        return Recipe(network=Features(1500, bandwidth=7), solver=LSGD(), points=points, rule="gauss", expect=1e-10)
    return Recipe(network=Features(400, bandwidth=8), solver=LSGD(), points=1600, rule="gauss", expect=1e-12)
