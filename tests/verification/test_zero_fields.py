"""Fields and parameters that are truly zero are determined, and their errors measured by what they could have been."""

from __future__ import annotations

from math import pi

import pytest
import torch

from pinnml import LSGD, Box, Equation, Features, LevenbergMarquardt, Points, Problem, laplacian, solve

BASIS, FIXED = Features(60, bandwidth=4), LSGD(hidden="fixed")


def couette(fix_pressure: bool = True) -> Problem:
    """Stokes flow between moving plates: u = y, v = p = 0; the pressure is open unless its mean is fixed."""
    laws = [
        Equation(
            lambda u, v, p: (laplacian(u) - p.d("x"), laplacian(v) - p.d("y"), u.d("x") + v.d("y")), name="stokes"
        ),
        Equation(lambda u, v, y: (u - y, v), on="boundary", name="wall"),
    ]
    if fix_pressure:
        laws.append(Equation(lambda p: p, integral=True, name="mean"))
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u", "v", "p"), equations=tuple(laws))


def test_fields_that_are_zero_are_good():
    verdict = solve(couette(), BASIS, FIXED, points=400).verdict
    assert verdict.good, verdict.complaints
    assert all(estimate < 1e-4 for estimate in verdict.estimate.values())


def test_a_field_of_which_a_constant_is_free_is_open_although_it_could_be_zero():
    verdict = solve(couette(fix_pressure=False), BASIS, FIXED, points=400).verdict
    assert "p" in verdict.undetermined
    assert not {"u", "v"} & set(verdict.undetermined)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_parameter_that_is_zero_is_determined(scale):
    """u'' + kappa u = -pi^2 sin(pi x) between zeros with the integral of sin(pi x): kappa = 0."""
    laws = (
        Equation(lambda u, x, kappa: u.d("xx") + kappa * u + scale * pi**2 * torch.sin(pi * x), name="balance"),
        Equation(lambda u: u, on="boundary", name="ends"),
        Equation(lambda u: u - 2 * scale / pi, integral=True, name="mean"),
    )
    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), parameters={"kappa": 1.0}, equations=laws)
    verdict = solve(problem, Features(30, bandwidth=4), LevenbergMarquardt(steps=60), points=200).verdict
    assert abs(verdict.parameters_found["kappa"]) < 1e-4
    assert not any("determine" in complaint for complaint in verdict.complaints)


@pytest.mark.parametrize("power", [0.5, 0.1])
def test_a_residual_that_does_not_fall_is_no_sign_of_a_small_error(power):
    """x u' = power u, u(1) = 1: x^power, of which no smooth function is near at 0."""
    laws = (
        Equation(lambda u, x: x * u.d("x") - power * u, name="growth"),
        Equation(lambda u: u - 1, on="x=1", name="end"),
    )
    solution = solve(Problem(domain=Box(x=(0, 1)), fields=("u",), equations=laws), Features(40, bandwidth=8), FIXED)
    x = torch.linspace(0, 1, 2000, dtype=torch.float64)
    true = x**power
    error = float((torch.from_numpy(solution(x[:, None].numpy())["u"]) - true).norm() / true.norm())
    assert solution.verdict.estimate["u"] > error / 10 or not solution.verdict.good


def test_an_integral_that_the_quadrature_misses_is_seen_by_the_second_solve():
    """u'' = 0, u(0) = 0 and the integral of u |sin(40 x)| is 1."""
    laws = (
        Equation(lambda u: u.d("xx"), name="line"),
        Equation(lambda u: u, on="x=0", name="start"),
        Equation(lambda u, x: u * torch.abs(torch.sin(40 * x)) - 1, integral=True, name="mean"),
    )
    solution = solve(Problem(domain=Box(x=(0, 1)), fields=("u",), equations=laws), Features(40, bandwidth=4), FIXED)
    fine = torch.linspace(0, 1, 1_000_001, dtype=torch.float64)
    slope = 1 / float(torch.trapezoid(fine * torch.sin(40 * fine).abs(), fine))
    error = abs(float(solution([[1.0]])["u"][0]) / slope - 1)
    assert error / 30 < solution.verdict.estimate["u"]  # the other quadrature is as far off


@pytest.mark.parametrize("expansion", [1e-4, 1e-6])
def test_a_field_far_smaller_than_another_is_determined(expansion):
    """A temperature of 300 bends a beam by thousandths: T'' = f, w'' = expansion (T - 300)."""
    laws = (
        Equation(lambda T, x: T.d("xx") + 300 * pi**2 * torch.sin(pi * x), name="heat"),
        Equation(lambda w, T: w.d("xx") - expansion * (T - 300), name="bend"),
        Equation(lambda T, w: (T - 300, w), on="boundary", name="ends"),
    )
    problem = Problem(domain=Box(x=(0, 1)), fields=("T", "w"), equations=laws)
    verdict = solve(problem, BASIS, FIXED, points=300).verdict
    assert verdict.undetermined == ()


def test_equations_on_scattered_points_alone_are_not_taken_for_solved():
    x = torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    points = Points({"x": x[:, 0], "y": x[:, 1]})
    laws = (Equation(lambda u: laplacian(u) - 1, name="poisson"),)
    wall = {"wall": Points({"x": [0.0, 0.0], "y": [0.2, 0.8]})}
    laws = (*laws, Equation(lambda u: u, on="wall", name="held"))
    verdict = solve(Problem(domain=points, fields=("u",), data=wall, equations=laws), BASIS).verdict
    assert not verdict.good
    assert any("Scattered points alone" in complaint for complaint in verdict.complaints)
