"""The estimated error of a solution beside its true error, which the solve is not told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp

import numpy as np
import pytest
import torch

from pinnml import (
    KAN,
    LSGD,
    MLP,
    Adam,
    Box,
    Equation,
    Features,
    LevenbergMarquardt,
    Problem,
    laplacian,
    normal_derivative,
    solve,
)
from pinnml.calculus import div, grad
from pinnml.errors import ProblemError
from pinnml.problem import Field


def bent(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A smooth field with a bend that few functions do not reach."""
    return torch.sin(3 * x - y) + 0.5 * torch.sqrt((x - 0.4) ** 2 + 0.05)


def poisson() -> Problem:
    laws = (
        Equation(lambda u, x, y: laplacian(u - bent(x, y)), name="poisson"),
        Equation(lambda u, x, y: u - bent(x, y), on="boundary", name="wall"),
    )
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=laws)


def diffusion() -> Problem:
    """-div((1 + u^2) grad u) with the source that makes u bent."""

    def flux(u):
        return tuple((1 + u**2) * slope for slope in grad(u))

    laws = (
        Equation(lambda u, x, y: div(flux(u)) - div(flux(bent(x, y))), name="balance"),
        Equation(lambda u, x, y: u - bent(x, y), on="boundary", name="wall"),
    )
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=laws)


def wave() -> Problem:
    """A plane complex wave, its size in millions and its length in thousandths."""

    def true(x):
        return 1e6 * torch.exp(1j * 9e3 * x)

    laws = (
        Equation(lambda p: p.d("xx") + 81e6 * p, name="helmholtz"),
        Equation(lambda p, x: p - true(x), on="x=min", name="source"),
        Equation(lambda p: p.d("x") - 9e3j * p, on="x=max", name="outlet"),
    )
    return Problem(domain=Box(x=(0, 1e-3)), fields=(Field("p", is_complex=True),), equations=laws)


def true_error(solution, true: Callable, n: int = 2000) -> float:
    box = np.array(solution.problem.domain.bounds)
    points = box[:, 0] + np.random.default_rng(0).random((n, len(box))) * (box[:, 1] - box[:, 0])
    (found,) = solution(points).values()
    right = true(*torch.from_numpy(points).T).numpy()
    return float(np.linalg.norm(found - right) / np.linalg.norm(right))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("problem", "network", "solver"),
    [
        (poisson, Features(60, bandwidth=5), LSGD(hidden="fixed")),
        (poisson, Features(120, bandwidth=5), LSGD(hidden="fixed")),
        (poisson, KAN(4, depth=2, intervals=4), LevenbergMarquardt(steps=15)),
        (poisson, MLP(8, depth=2), Adam(steps=100)),
        (diffusion, Features(60, bandwidth=5), LSGD(hidden="fixed")),
        (diffusion, MLP(6, depth=2), LevenbergMarquardt(steps=12)),
    ],
    ids=["few functions", "more functions", "kan", "adam", "nonlinear", "nonlinear mlp"],
)
def test_the_estimate_is_the_error_within_a_factor_of_three(problem, network, solver, seed):
    solution = solve(problem(), network, solver, points=400, seed=seed)
    error = true_error(solution, bent)
    assert error / 3 < solution.verdict.estimate["u"] < 3 * error
    assert not solution.verdict.good or error < 1e-2


def test_units_do_not_change_the_estimate():
    solution = solve(wave(), Features(40, bandwidth=6), LSGD(hidden="fixed"))
    error = true_error(solution, lambda x: 1e6 * torch.exp(1j * 9e3 * x))
    assert 1e-14 < error < 1e-3
    assert error / 10 < solution.verdict.estimate["p"] < 10 * error


def test_the_second_fields_are_the_better_ones():
    solution = solve(poisson(), Features(60, bandwidth=5), LSGD(hidden="fixed"), points=400)
    network, parameters = solution.second
    better = replace(solution, network=network, parameters=parameters)
    assert true_error(better, bent) < 0.3 * true_error(solution, bent)


def test_parameters_are_estimated_too():
    """Decay at an unknown rate of 2, from its exact value at the end."""
    laws = (
        Equation(lambda u, k: u.d("t") + k * u, name="decay"),
        Equation(lambda u: u - 1, on="t=min", name="start"),
        Equation(lambda u: u - exp(-2), on="t=max", name="end"),
    )
    problem = Problem(domain=Box(t=(0, 1)), fields=("u",), parameters={"k": 1.0}, equations=laws)
    solution = solve(problem, Features(4, bandwidth=1), LevenbergMarquardt(steps=30), points=60)
    error = abs(solution.parameters["k"] - 2)
    assert error / 3 < solution.verdict.parameter_estimates["k"] < 3 * error


@pytest.mark.parametrize("seed", [0, 1])
def test_where_no_step_helps_the_estimate_is_the_step(seed):
    """u'' + 5 exp(u) = 0 between zeros has no solution (Bratu): what is found is no answer that is right to 0."""
    laws = (
        Equation(lambda u: u.d("xx") + 5 * torch.exp(u), name="balance"),
        Equation(lambda u: u, on="boundary", name="ends"),
    )
    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), equations=laws)
    verdict = solve(problem, Features(30, bandwidth=3), LSGD(hidden="fixed"), points=200, seed=seed).verdict
    assert verdict.estimate["u"] > 1
    assert not verdict.good


def test_the_error_of_a_flux_is_estimated():
    solution = solve(poisson(), Features(60, bandwidth=5), LSGD(hidden="fixed"), points=400)
    flux = {"function": lambda u, normal: normal_derivative(u, normal), "region": "x=1"}
    known = replace(solution, problem=poisson()).integrate(lambda x, y: bent(x, y).d("x"), "x=1")
    error = abs(solution.integrate(**flux) - known)
    assert error / 5 < solution.integral_error(**flux) < 5 * error
    with pytest.raises(ProblemError, match="no second solve"):
        replace(solution, second=None).integral_error(**flux)
