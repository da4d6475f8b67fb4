"""Fields that can move while the equations hardly see it are not good; their well-posed relatives are."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest
from scipy.integrate import solve_bvp, solve_ivp

from pinnml import LSGD, MLP, Box, Equation, Features, LevenbergMarquardt, Points, Problem, solve

SMALL = MLP(12, depth=2, activation="tanh")


def line(axis: str, ends: tuple[float, float], *laws: Equation, **data) -> Problem:
    return Problem(domain=Box(**{axis: ends}), fields=("u",), equations=laws, data=data)


def power(exponent: float, start: float = -1.0, *others: Equation) -> Problem:
    """x u' = exponent u and u(1) = 1: |x|^exponent on the right, any multiple of it on the left of 0."""
    growth = Equation(lambda u, x: x * u.d("x") - exponent * u, name="growth")
    return line("x", (start, 1.0), growth, Equation(lambda u: u - 1, on="x=max", name="end"), *others)


def pendulum(angle: float, length: float) -> Problem:
    """Let go at rest."""
    swing = Equation(lambda u: u.d("tt") + u.sin(), name="swing")
    return line("t", (0, length), swing, Equation(lambda u: (u - angle, u.d("t")), on="initial", name="state"))


def layer(width: float, pinned: bool = False) -> Problem:
    """width^2 / 2 u'' = u^3 - u between -1 and 1: a layer in the middle, for which hardly anything speaks, or u(0)."""
    balance = Equation(lambda u: width**2 / 2 * u.d("xx") - u**3 + u, name="balance")
    laws = [balance, Equation(lambda u, x: u - x, on="boundary", name="ends")]
    if not pinned:
        return line("x", (-1, 1), *laws)
    laws.append(Equation(lambda u: u, on="middle", name="middle"))
    return line("x", (-1, 1), *laws, middle=Points({"x": [0.0]}))


def swung(angle: float, length: float):
    def rates(t, y):
        return y[1], -np.sin(y[0])

    exact = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-14, "dense_output": True}
    found = solve_ivp(rates, (0, length), [angle, 0.0], **exact)
    return lambda t: found.sol(t)[0]


def layered(width: float):
    """Odd, from the middle to the right end."""
    x = np.linspace(0, 1, 400)
    guess = np.tanh(x / width), 1 / np.cosh(x / width) ** 2 / width
    found = solve_bvp(
        lambda x, y: np.array([y[1], 2 * (y[0] ** 3 - y[0]) / width**2]),
        lambda left, right: np.array([left[0], right[0] - 1]),
        x,
        np.array(guess),
        tol=1e-9,
    )
    return lambda x: np.sign(x) * found.sol(np.abs(x))[0]


def true_error(solution, true, n: int = 2001) -> float:
    low, high = solution.problem.domain.bounds[0]
    x = np.linspace(low, high, n)
    found, right = solution(x[:, None])["u"], true(x)
    return float(np.linalg.norm(found - right) / np.linalg.norm(right))


@pytest.mark.parametrize(("exponent", "seed"), [(2.5, 0), (2.5, 2), (1.5, 0), (3.5, 1)])
def test_what_two_sides_of_a_singular_point_leave_open_is_not_good(exponent, seed):
    verdict = solve(power(exponent), Features(60), LSGD(steps=40), seed=seed).verdict
    assert not verdict.good
    assert max(verdict.reach["u"], verdict.estimate["u"]) > 0.05


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "problem",
    [power(2.5, 0.0), power(2.5, 0.2), power(2.5, -1.0, Equation(lambda u: u - 1, on="x=min", name="other"))],
    ids=["from the singular point", "without it", "both ends"],
)
def test_a_singular_point_where_nothing_is_open_is_good(problem, seed):
    solution = solve(problem, Features(60), LSGD(steps=40), seed=seed)
    error = true_error(solution, lambda x: np.abs(x) ** 2.5)
    assert solution.verdict.good, solution.verdict.complaints
    assert error / 5 < solution.verdict.estimate["u"] + 1e-12 < 5 * error + 1e-11


@pytest.mark.slow
@pytest.mark.parametrize(("above", "seed"), [(1e-5, 1), (1e-3, 1), (1e-5, 2)])
def test_a_pendulum_that_is_taken_to_rest_at_its_top_is_not_good(above, seed):
    """What is left of the equations grows by e^16 on the way."""
    solution = solve(pendulum(pi - above, 16.0), SMALL, LevenbergMarquardt(steps=40), points=150, seed=seed)
    assert true_error(solution, swung(pi - above, 16.0)) > 0.1
    assert not solution.verdict.good
    assert solution.verdict.reach["u"] > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("angle", "length"), [(0.5, 4.0), (pi - 1e-3, 3.0)], ids=["from below", "from its top"])
def test_a_pendulum_for_a_short_while_is_good(angle, length, seed):
    solution = solve(pendulum(angle, length), SMALL, LevenbergMarquardt(steps=60), points=150, seed=seed)
    error = true_error(solution, swung(angle, length))
    assert error < 1e-3
    assert solution.verdict.good, solution.verdict.complaints
    assert error / 5 < solution.verdict.estimate["u"] < 5 * error


@pytest.mark.slow
@pytest.mark.parametrize(("square", "seed"), [(2e-2, 0), (2e-3, 1)])
def test_a_layer_that_may_stand_anywhere_is_not_good(square, seed):
    width, network = sqrt(square), MLP(10, depth=2, activation="tanh")
    solution = solve(layer(width), network, LevenbergMarquardt(steps=60), points=200, seed=seed)
    assert true_error(solution, layered(width)) > 0.05
    assert not solution.verdict.good
    assert solution.verdict.reach["u"] > 1


@pytest.mark.slow
def test_a_layer_that_is_held_is_good():
    width, network = sqrt(2e-2), MLP(10, depth=2, activation="tanh")
    solution = solve(layer(width, pinned=True), network, LevenbergMarquardt(steps=60), points=200)
    error = true_error(solution, layered(width))
    assert solution.verdict.good, solution.verdict.complaints
    assert error / 5 < solution.verdict.estimate["u"] < 5 * error < 5e-5
