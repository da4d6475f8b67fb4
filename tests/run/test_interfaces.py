"""Interfaces of boxes: jumps of values and fluxes, against solutions in closed form."""

from __future__ import annotations

import re
from math import acos, cosh, pi, sin, sinh

import numpy as np
import pytest
import torch

from pinnml import LSGD, MLP, Box, Equation, Features, LevenbergMarquardt, Parts, Problem, div, grad, laplacian, solve
from pinnml import normal_derivative as slope
from pinnml.errors import ProblemError
from tests.helpers.places import ROOT

SMALL = Features(60, bandwidth=3.0)
CONTINUOUS = Equation(lambda u, jump: jump(u), on="interface", name="value")


def two_materials(ratio: float, factor: float = 1.0) -> Problem:
    """(k u')' = 0 between 0 and 1, k = 1 and `ratio` on either side of 1/2; factor: a mistake in the flux behind."""

    def k(x):
        return torch.where(x < 0.5, 1 + 0 * x, ratio + 0 * x)

    def flux(u, x, normal, jump):
        wrong = torch.where(x < 0.5, 1 + 0 * x, factor + 0 * x)
        return jump(wrong * k(x) * slope(u, normal))

    return Problem(
        domain=Box(x=Parts(0, 0.5, 1)),
        fields="u",
        equations=(
            Equation(lambda u, x: (k(x) * u.d("x")).d("x"), name="balance"),
            Equation(lambda u, x: u - x, on="boundary", name="ends"),
            CONTINUOUS,
            Equation(flux, on="interface"),
        ),
    )


def at(solution, *points) -> np.ndarray:
    return solution(np.array(points, dtype=float))["u"]


@pytest.mark.parametrize("ratio", [100.0, 2.0, 1.0, 1e-3])
def test_a_rod_of_two_materials(ratio):
    solution = solve(two_materials(ratio), SMALL)
    assert solution.verdict.good, solution.verdict.summary
    middle = ratio / (1 + ratio)
    assert at(solution, [0.25], [0.5], [0.75]) == pytest.approx([middle / 2, middle, (1 + middle) / 2], abs=1e-11)


@pytest.mark.slow
def test_the_example_of_the_page_is_right_by_default(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "interfaces.md").read_text("utf-8"), re.DOTALL)
    names: dict = {}
    exec(example, names)
    assert names["solution"].verdict.good
    assert float(capsys.readouterr().out.strip(" []\n")) == pytest.approx(100 / 101, rel=1e-7)  # as it is printed
    assert at(names["solution"], [0.5])[0] == pytest.approx(100 / 101, rel=1e-12)


def test_a_wrong_factor_in_the_flux_is_another_problem():
    assert at(solve(two_materials(100.0, factor=0.1), SMALL, verify=False), [0.5])[0] == pytest.approx(10 / 11)


def test_equations_on_an_interface_are_missed():
    problem = two_materials(2.0)
    with pytest.raises(ProblemError, match=r"nothing is said on the interface x=0\.5"):
        Problem(domain=problem.domain, fields="u", equations=problem.equations[:2])
    alone = Problem(domain=problem.domain, fields="u", equations=problem.equations[:3])
    verdict = solve(alone, SMALL).verdict
    assert not verdict.good
    assert "u_xx asks for 2 conditions on the interface x=0.5: 1 found" in " ".join(verdict.complaints)


def test_three_layers_the_middle_one_thin():
    # u' = q / k with q = 1 / (0.49 + 0.02 / 1e-2 + 0.49)
    def k(x):
        return torch.where((x > 0.49) & (x < 0.51), 1e-2 + 0 * x, 1 + 0 * x)

    equations = (
        Equation(lambda u, x: (k(x) * u.d("x")).d("x"), name="balance"),
        Equation(lambda u, x: u - x, on="boundary", name="ends"),
        CONTINUOUS,
        Equation(lambda u, x, jump: jump(k(x) * u.d("x")), on=("x=0.49", "x=0.51"), name="flux"),
    )
    problem = Problem(domain=Box(x=Parts(0, 0.49, 0.51, 1)), fields="u", equations=equations)
    solution = solve(problem, Features(100, bandwidth=3.0), verify=False)
    q = 1 / 2.98
    assert at(solution, [0.49], [0.51], [0.2]) == pytest.approx([0.49 * q, 1 - 0.49 * q, 0.2 * q], abs=1e-10)


def test_a_plate_of_two_materials():
    # harmonic on either side, sin(pi y) in y: the two pieces meet with one value and one flux
    ratio = 20.0
    value, flux = sinh(pi / 2), cosh(pi / 2) / ratio

    def exact(x, y):
        z = pi * (x - 0.5)
        behind = value * torch.cosh(z) + flux * torch.sinh(z)
        return torch.sin(pi * y) * torch.where(x < 0.5, torch.sinh(pi * x), behind)

    def k(x):
        return torch.where(x < 0.5, 1 + 0 * x, ratio + 0 * x)

    equations = (
        Equation(lambda u, x: div(k(x) * grad(u)), name="balance"),
        Equation(lambda u, x, y: u - exact(x, y), on="boundary", name="wall"),
        CONTINUOUS,
        Equation(lambda u, x, normal, jump: jump(k(x) * slope(u, normal)), on="interface", name="flux"),
    )
    problem = Problem(domain=Box(x=Parts(0, 0.5, 1), y=(0, 1)), fields="u", equations=equations, exact=exact)
    verdict = solve(problem, Features(300, bandwidth=(6.0, 6.0, 6.0)), verify=False).verdict
    assert verdict.good, verdict.summary
    assert verdict.error < 1e-9


def test_a_contact_that_resists_makes_values_jump():
    # u'' = 0 on both sides, [u'] = 0, [u] = r u': u' = 1 / (1 + r)
    resistance = 0.5
    equations = (
        Equation(lambda u: laplacian(u), name="balance"),
        Equation(lambda u, x: u - x, on="boundary", name="ends"),
        Equation(lambda u, normal, jump: jump(u) - resistance * slope(u, normal), on="interface", name="contact"),
        Equation(lambda u, normal, jump: jump(slope(u, normal)), on="interface", name="flux"),
    )
    solution = solve(Problem(domain=Box(x=Parts(0, 0.25, 1)), fields="u", equations=equations), SMALL)
    assert solution.verdict.good, solution.verdict.summary
    q = 1 / (1 + resistance)
    assert at(solution, [0.1], [0.249999], [0.250001]) == pytest.approx([0.1 * q, 0.25 * q, 1 - 0.75 * q], abs=1e-6)
    assert solution.integrate(lambda u, jump: jump(u), "interface") == pytest.approx(resistance * q, rel=1e-10)


@pytest.mark.parametrize(
    ("network", "solver"),
    [(MLP(8, 1, "tanh"), LevenbergMarquardt(steps=60)), (MLP(10, 2, "tanh"), LSGD(steps=10))],
    ids=["levenberg-marquardt", "lsgd"],
)
def test_other_networks_and_solvers_kink_as_well(network, solver):
    solution = solve(two_materials(5.0), network, solver, points=60, verify=False)
    assert at(solution, [0.5])[0] == pytest.approx(5 / 6, abs=1e-3)


def test_heat_in_a_rod_of_two_materials():
    # u_t = (k u_x)_x between zeros, k = 1 | 4: u = exp(-w^2 t) X with X = sin(w x) | a sin(w (1 - x) / 2), where
    # cos(w / 2) = -2 a cos(w / 4) for the flux, and so 3 cos(w / 2) = -2
    w = 2 * acos(-2 / 3)
    a = sin(w / 2) / sin(w / 4)

    def k(x):
        return torch.where(x < 0.5, 1 + 0 * x, 4 + 0 * x)

    def exact(x, t):
        return torch.exp(-(w**2) * t) * torch.where(x < 0.5, torch.sin(w * x), a * torch.sin(w * (1 - x) / 2))

    equations = (
        Equation(lambda u, x: u.d("t") - (k(x) * u.d("x")).d("x"), name="heat"),
        Equation(lambda u: u, on="boundary", name="ends"),
        Equation(lambda u, x, t: u - exact(x, t), on="initial", name="start"),
        CONTINUOUS,
        Equation(lambda u, x, jump: jump(k(x) * u.d("x")), on="interface", name="flux"),
    )
    problem = Problem(domain=Box(x=Parts(0, 0.5, 1), t=(0, 0.1)), fields="u", equations=equations, exact=exact)
    verdict = solve(problem, Features(200, bandwidth=(5.0, 5.0, 5.0)), verify=False).verdict
    assert verdict.good, verdict.summary
    assert verdict.error < 1e-8
