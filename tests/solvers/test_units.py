"""A change of units changes nothing: fields, coefficients, lengths and parameters of any size, by every solver."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinnml import LSGD, MLP, Box, Equation, Features, LevenbergMarquardt, Points, Problem, Recipe, solve
from pinnml.run import prepared
from pinnml.solvers.units import columns, measured
from tests.helpers.solving import rod

NETWORK = MLP(6, 1, "tanh", init="box")


def curved(amplitude: float, coefficient: float, length: float) -> Problem:
    """-k (u'' - u^3) = f on (0, L) with u = A sin(3 x / L), in units that are written into it."""

    def exact(x):
        return amplitude * torch.sin(3 * x / length)

    def law(u):
        return coefficient * (-u.d("xx") + u**3 / (amplitude * length) ** 2)

    def balance(u, x):
        return law(u) - law(exact(x))

    def ends(u, x):
        return u - exact(x)

    equations = (Equation(balance), Equation(ends, on="boundary"))
    return Problem(domain=Box(x=(0, length)), fields=("u",), equations=equations, exact=exact)


def error(problem: Problem, network=NETWORK, steps: int = 12) -> float:
    solution = solve(problem, network, LevenbergMarquardt(steps=steps), points=60, verify=False)
    assert solution.verdict.error is not None
    return solution.verdict.error


@pytest.mark.parametrize(
    "units",
    [(1e12, 1, 1), (1e-12, 1, 1), (1, 1e12, 1), (1, 1e-12, 1), (1, 1, 1e-12), (1, 1, 1e12), (1e-9, 1e6, 1e-6)],
    ids=str,
)
def test_units_of_powers_of_ten_change_nothing(units):
    assert error(curved(*units)) == pytest.approx(error(curved(1, 1, 1)), rel=0.05)


@pytest.mark.parametrize("units", [(3e7, 1, 1), (1, 2e-8, 1), (1, 1, 5e4)], ids=str)
def test_other_units_change_as_much_as_another_weight_would(units):
    assert error(curved(*units), steps=25) < 1e-3


def test_two_fields_are_measured_each_in_its_own_unit():
    """E' = H / z, H' = -z E with E = cos, H = -z sin: the fields differ by z."""

    def error_of(z: float) -> float:
        def rise(E, H):
            return E.d("x") - H / z

        def fall(E, H):
            return H.d("x") + z * E

        def electric(E):
            return E - 1

        def magnetic(H):
            return H

        def exact(x):
            return {"E": torch.cos(x), "H": -z * torch.sin(x)}

        equations = (Equation(rise), Equation(fall), Equation(electric, on="x=0"), Equation(magnetic, on="x=0"))
        return error(Problem(domain=Box(x=(0, 2)), fields=("E", "H"), equations=equations, exact=exact))

    assert error_of(1e9) == pytest.approx(error_of(1.0), rel=0.05)


def test_sensible_units_are_left_as_they_are():
    system = prepared(rod(), Recipe(NETWORK, points=60))
    theta = system.initial()
    outputs, same, start = measured(system, theta)
    assert outputs == (1.0,)
    assert same.weights == system.weights
    assert torch.equal(start, theta)
    assert torch.equal(columns(system, system.jacobian(theta), outputs), torch.ones_like(theta))


def test_a_start_that_solves_the_problem_is_kept():
    problem = curved(1e12, 1, 1)
    first = solve(problem, NETWORK, LevenbergMarquardt(steps=12), points=60, verify=False)
    system = prepared(problem, Recipe(NETWORK, points=60))
    theta = torch.cat([*(p.reshape(-1) for p in first.network.basis.parameters()), first.network.coef.reshape(-1)])
    assert torch.equal(measured(system, theta)[2], theta)
    assert not torch.equal(measured(system, system.initial())[2], system.initial())


def decay(rate: float, guess: float) -> Problem:
    """y' = -A y^2 / rate with y = 1 / (1 + t) measured: A = rate."""
    t = np.linspace(0, 1, 30)

    def law(y, A):
        return y.d("t") + A / rate * y**2

    def fit(y, value):
        return y - value

    return Problem(
        domain=Box(t=(0, 1)),
        fields=("y",),
        parameters={"A": guess},
        data={"measured": Points({"t": t}, {"value": 1 / (1 + t)})},
        equations=(Equation(law), Equation(fit, on="measured")),
    )


@pytest.mark.parametrize(("rate", "guess"), [(1e9, 0.1), (1e9, 1e-9), (1.0, 0.5), (1e-9, 0.1)])
def test_a_parameter_is_found_in_units_of_its_first_guess_or_of_what_it_does(rate, guess):
    solver = LevenbergMarquardt(steps=30, tolerance=1e-5)
    found = solve(decay(rate, rate * guess), MLP(5, 1, "tanh", init="box"), solver, points=30, verify=False)
    assert found.parameters["A"] == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("rate", [1e9, 1e-9])
def test_lsgd_measures_parameters_alike(rate):
    solution = solve(decay(rate, rate / 10), Features(20, bandwidth=2), LSGD(steps=10), points=60, verify=False)
    assert solution.parameters["A"] == pytest.approx(rate, rel=1e-4)
