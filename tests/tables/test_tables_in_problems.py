"""Tables as coefficients, as values on the boundary, in weak forms and as laws of a field, beside formulas."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy.integrate import cumulative_trapezoid

from pinnml import (
    LSGD,
    Box,
    Equation,
    Features,
    LevenbergMarquardt,
    Problem,
    TestSpace,
    dot,
    grad,
    interpolated,
    laplacian,
    reference,
    solve,
)
from pinnml.errors import ProblemError
from tests.helpers.forms import uniform
from tests.helpers.places import ROOT

XS = np.linspace(0, 1, 9)
FAST = {"network": Features(80, bandwidth=3.0), "solver": LSGD(hidden="fixed"), "points": 300, "verify": False}


def rod(k) -> Problem:
    """(k u')' + 1 = 0, cold at both ends."""
    balance = Equation(lambda u, x: (k(x) * u.d("x")).d("x") + 1, name="balance")
    ends = Equation(lambda u: u, on="boundary", name="ends")
    return Problem(domain=Box(x=(0, 1)), fields="u", equations=(balance, ends))


def test_a_coefficient_from_a_table_has_its_slopes():
    solution = solve(rod(lambda x: interpolated(x, XS, 1 + XS**2)), **FAST)
    x = np.linspace(0, 1, 20)
    exact = 0.5 * np.log(2) / np.arctan(1) * np.arctan(x) - 0.5 * np.log(1 + x**2)
    np.testing.assert_allclose(solution(x)["u"], exact, atol=1e-8)


def test_measured_values_on_the_boundary():
    ys = np.linspace(0, 1, 7)

    def exact(x, y):
        return y**3 - 3 * x**2 * y

    def wall(u, x, y):
        return u - interpolated((x, y), (ys, ys), exact(ys[:, None], ys))

    laws = (Equation(lambda u: laplacian(u), name="balance"), Equation(wall, on="boundary"))
    solution = solve(Problem(domain=Box(x=(0, 1), y=(0, 1)), fields="u", equations=laws, exact=exact), **FAST)
    assert solution.verdict.error < 1e-8


def weak_heat(k) -> Problem:
    wall = Equation(lambda u: u, on="boundary", name="wall")
    return Problem(
        domain=uniform("triangle", 6),
        fields="u",
        equations=wall,
        weak=lambda u, v, x, y: k(x, y) * dot(grad(u), grad(v)) - v,
    )


def table(x, y):
    return interpolated((x, y), (XS, XS), 1 + XS[:, None] * XS**2)


def formula(x, y):
    return 1 + x * y**2


def test_in_a_weak_form_elements_and_networks_see_the_same_coefficient():
    points = np.random.default_rng(0).uniform(0.1, 0.9, (20, 2))
    found, expected = (reference(weak_heat(k), degree=2)(points)["u"] for k in (table, formula))
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    trained = [solve(weak_heat(k), **FAST, tests=TestSpace(2))(points)["u"] for k in (table, formula)]
    np.testing.assert_allclose(*trained, rtol=1e-6)
    np.testing.assert_allclose(trained[0], found, atol=1e-3)


def test_a_law_of_the_field_itself():
    """-((1 + u^2) u')' = f with u = x (1 - x): the law is a table over u, which reaches beyond what u takes."""
    us = np.linspace(-0.5, 1, 10)

    def balance(u, x):
        w = x * (1 - x)
        law = interpolated(u, us, 1 + us**2, outside="constant")
        return (law * u.d("x")).d("x") - ((1 + w**2) * w.d("x")).d("x")

    laws = (Equation(balance), Equation(lambda u: u, on="boundary", name="ends"))
    problem = Problem(domain=Box(x=(0, 1)), fields="u", equations=laws, exact=lambda x: x * (1 - x))
    solution = solve(problem, Features(30, bandwidth=2.0), LevenbergMarquardt(steps=100), points=60, verify=False)
    assert solution.verdict.error < 1e-6


def test_a_table_that_ends_before_the_domain_does_names_the_equation():
    with pytest.raises(ProblemError, match="equation 'balance': interpolated asks for"):
        solve(rod(lambda x: interpolated(x, 0.5 * XS, 1 + XS)), **FAST)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: np.interp(x, XS, XS),
        lambda x: torch.tensor(float(x)),
        lambda x: np.interp(x.detach().numpy(), XS, XS),
        lambda x: torch.tensor(x),
        lambda x: torch.searchsorted(torch.from_numpy(XS), x),
        lambda x: np.interp(x.value.numpy(), XS, XS) * x,
    ],
)
def test_what_looks_values_up_as_numpy_does_is_told_of_interpolated(wrong):
    with pytest.raises(ProblemError) as caught:
        solve(rod(wrong), **FAST)
    assert "equation 'balance'" in str(caught.value)
    assert "interpolated(x, xs, values)" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "instead"), [(torch.max, "maximum"), (torch.min, "minimum"), (torch.amax, "maximum")]
)
def test_reductions_are_told_of_what_compares_fields(asked, instead):
    with pytest.raises(ProblemError, match=f"did you mean torch.{instead}"):
        solve(rod(lambda x: asked(x, 0 * x)), **FAST)


def test_the_page_on_data_says_what_works():
    coefficient, points = re.findall(r"```python\n(.*?)```", (ROOT / "docs/data.md").read_text(), flags=re.DOTALL)
    names: dict = {}
    exec(coefficient, names)
    assert names["solution"].verdict.good
    x, ends = np.linspace(0, 1, 2001), np.array([0.3, 0.7])
    a, b = (np.concatenate([[0], cumulative_trapezoid(f / (1 + 0.5 * np.sin(3 * x)), x)]) for f in (1 + 0 * x, x))
    np.testing.assert_allclose(names["solution"](ends)["u"], np.interp(ends, x, a * b[-1] / a[-1] - b), rtol=1e-5)
    exec(points, names)
    solution = solve(names["problem"], **FAST)
    inside = np.array([[0.2, 0.4], [0.5, 0.5]])
    exact = np.sinh(np.pi * (1 - inside[:, 0])) / np.sinh(np.pi) * np.sin(np.pi * inside[:, 1])
    np.testing.assert_allclose(solution(inside)["u"], exact, rtol=1e-5)
