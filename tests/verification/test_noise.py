"""Noise of measured values: found or declared, it is no fault of the fit, and makes parameters uncertain."""

from __future__ import annotations

from functools import cache
from math import pi

import numpy as np
import pytest

from pinnml import LSGD, Box, Equation, Features, Points, Problem, solve
from pinnml.errors import SettingsError, UnknownNameError
from pinnml.results import Verdict

DEVIATION, RATE = 0.01, 0.1
BASIS = Features(12, bandwidth=3)


def temperature(x, t):
    return np.exp(-RATE * pi**2 * t) * np.sin(pi * x)


def conduction(seed: int, deviation: float = DEVIATION, bias: float = 0.0, **given) -> Problem:
    """The rate at which a rod cools, from 200 temperatures; bias: a drift that no rate explains."""
    random = np.random.default_rng(seed)
    x, t = random.random((2, 200))
    value = temperature(x, t) + deviation * random.standard_normal(200) + bias * x * t
    laws = (
        Equation(lambda u, kappa: u.d("t") - kappa * u.d("xx"), name="heat"),
        Equation(lambda u: u, on="boundary", name="ends"),
        Equation(lambda u, value: u - value, on="sensors", name="measured"),
    )
    sensors = Points({"x": x, "t": t}, {"value": value}, **given)
    box, guess = Box(x=(0, 1), t=(0, 1)), {"kappa": 0.3}
    return Problem(domain=box, fields=("u",), parameters=guess, data={"sensors": sensors}, equations=laws)


def solved(problem: Problem):
    return solve(problem, BASIS, LSGD(hidden="gauss-newton", steps=60, patience=3), points=150)


@cache
def twenty(**given: float) -> list[Verdict]:
    """The verdicts on twenty draws of the noise, solved once for all tests of them."""
    return [solved(conduction(seed, **given)).verdict for seed in range(20)]


@pytest.mark.slow
@pytest.mark.parametrize("given", [{}, {"noise": DEVIATION}], ids=["found", "declared"])
def test_two_standard_errors_hold_the_truth_as_often_as_they_should(given):
    inside, sizes = 0, []
    for verdict in twenty(**given):
        sizes.append(verdict.standard_errors["kappa"])
        inside += abs(verdict.parameters_found["kappa"] - RATE) < 2 * sizes[-1]
        assert verdict.good, verdict.complaints
    assert inside >= 17
    assert max(sizes) < 1.5 * min(sizes)


@pytest.mark.slow
def test_the_standard_error_is_the_spread_of_the_found():
    verdicts = twenty(noise=DEVIATION)
    spread = np.std([each.parameters_found["kappa"] for each in verdicts], ddof=1)
    told = np.mean([each.standard_errors["kappa"] for each in verdicts])
    assert 0.5 < told / spread < 2  # the spread of 20 is known to a sixth


def test_noise_is_found_at_its_size():
    assert solved(conduction(3)).verdict.noise["measured"] == pytest.approx(DEVIATION, rel=0.15)


def test_exact_values_are_no_noise():
    verdict = solved(conduction(0, deviation=0.0)).verdict
    assert verdict.noise == {}
    assert verdict.good
    assert abs(verdict.parameters_found["kappa"] - RATE) < 1e-6


def test_a_misfit_that_is_no_noise_is_not_good():
    verdict = solved(conduction(0, deviation=0.001, bias=0.3)).verdict
    assert not verdict.good


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_misfit_that_neighbours_have_in_common_is_no_noise(seed):
    """A drift beside a rate that is known: no basis lowers it, and the fields are off by 2e-2."""
    known = conduction(seed, deviation=0.0, bias=0.05)
    laws = (Equation(lambda u: u.d("t") - RATE * u.d("xx"), name="heat"), *known.equations[1:])
    problem = Problem(domain=known.domain, fields=known.fields, data=known.data, equations=laws)
    verdict = solve(problem, Features(40, bandwidth=3), LSGD(hidden="fixed"), points=300).verdict
    assert verdict.noise == {}
    assert not verdict.good


@pytest.mark.parametrize("seed", range(3))
def test_a_field_is_as_uncertain_as_the_one_value_that_fixes_it(seed):
    """A decay, met exactly, from its value at the end: both solves agree, and are off by the noise."""
    random, deviation = np.random.default_rng(seed), 0.02
    end = np.exp(-1) + deviation * random.standard_normal(1)
    laws = (
        Equation(lambda u: u.d("t") + u, name="decay"),
        Equation(lambda u, value: u - value, on="sensors", name="measured"),
    )
    sensors = Points({"t": [1.0]}, {"value": end}, noise=deviation)
    problem = Problem(domain=Box(t=(0, 1)), fields=("u",), data={"sensors": sensors}, equations=laws)
    solution = solve(problem, Features(30, bandwidth=2), LSGD(hidden="fixed"))
    assert float(solution([[0.5]])["u"][0]) == pytest.approx(end[0] * np.exp(0.5), rel=1e-8)
    # the RMS of ten draws is known to a quarter
    assert solution.verdict.estimate["u"] == pytest.approx(deviation / end[0], rel=0.5)


def test_more_misfit_than_was_declared_is_not_good():
    verdict = solved(conduction(0, noise=DEVIATION / 10)).verdict
    assert not verdict.good


def test_a_deviation_is_above_zero_and_of_a_column_that_is_there():
    with pytest.raises(SettingsError, match="above 0"):
        Points({"x": [0.0, 1.0]}, {"value": [1.0, 2.0]}, noise=0.0)
    with pytest.raises(UnknownNameError, match="did you mean 'value'"):
        Points({"x": [0.0, 1.0]}, {"value": [1.0, 2.0]}, noise={"valu": 0.1})
