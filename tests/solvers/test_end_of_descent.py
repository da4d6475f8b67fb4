"""No step lowers the residual: round-off where the equations are solved, perhaps a local minimum where they are not."""

from __future__ import annotations

import pytest
import torch

from pinnml import LBFGS, LSGD, MLP, Box, Equation, LevenbergMarquardt, Problem, Wrapped, laplacian
from pinnml.solvers import Status
from pinnml.solvers.base import end_of_descent
from tests.helpers.catalogue import system
from tests.helpers.cosines import Cosines, values
from tests.helpers.solving import solve_once


@pytest.mark.parametrize("solver", [LevenbergMarquardt(tolerance=0.0), LSGD(tolerance=0.0), LBFGS(inner=50)])
@pytest.mark.parametrize(("inside", "status"), [(True, Status.ROUND_OFF), (False, Status.NO_DESCENT)])
def test_the_reason_is_round_off_only_where_the_equations_are_solved(solver, inside, status):
    verdict = solve_once(values(40, inside), Wrapped(Cosines(6)), solver).verdict
    assert verdict.status is status
    assert verdict.converged is inside
    assert (max(verdict.relative.values()) < 1e-3) is inside


@pytest.mark.parametrize(("shift", "status"), [(1e-5, Status.ROUND_OFF), (0.1, Status.NO_DESCENT)])
def test_the_worst_equation_decides(shift, status):
    s, theta = nearly_solved(shift)
    assert end_of_descent(s, theta) is status


def nearly_solved(shift: float):
    def balance(u):
        return u.d("x")

    def start(u):
        return u - 1

    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), equations=(Equation(balance), Equation(start, on="x=0")))
    s = system(problem, Wrapped(Cosines(3)))
    theta = torch.zeros(s.n_params, dtype=torch.float64)
    theta[s.head.start] = 1 + shift  # the constant function solves the first equation at once
    return s, theta


def test_a_long_box_is_solved_as_a_short_one():
    side = 1e6

    def exact(x, y):
        return torch.sin(torch.pi * x / side) * torch.sin(torch.pi * y / side)

    def poisson(u, x, y):
        return laplacian(u) + 2 * (torch.pi / side) ** 2 * exact(x, y)

    equations = (Equation(poisson), Equation(lambda u: u, on="boundary", name="wall"))
    problem = Problem(domain=Box(x=(0, side), y=(0, side)), fields=("u",), equations=equations, exact=exact)
    verdict = solve_once(problem, MLP(12, 1, activation="tanh"), LevenbergMarquardt(steps=60)).verdict
    assert verdict.error is not None
    assert verdict.error < 1e-3
