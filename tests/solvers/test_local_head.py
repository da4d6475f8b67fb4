"""The head of patches beside the whole Jacobian and dense least squares, and whole solves."""

from __future__ import annotations

from math import pi

import pytest
import torch

from pinnml import LSGD, Box, Equation, Patches, Periodic, Problem, laplacian, solve
from pinnml.errors import SettingsError
from pinnml.solvers import Status
from pinnml.solvers.head import balancing_weights, fit_head
from pinnml.solvers.local_head import squares
from pinnml.system import local_rows
from tests.helpers.catalogue import PROBLEMS, system

FIXED = LSGD(hidden="fixed")


def waves() -> Problem:
    """Two coupled fields, one axis periodic: u_t = v_x, v_t = u_x - v^2 + ..., of u = sin(x + t), v = cos(x - t)."""

    def first(u, v, x, t):
        return u.d("t") - v.d("x") - (torch.cos(x + t) + torch.sin(x - t))

    def second(u, v, x, t):
        rest = torch.sin(x - t) - torch.cos(x + t) + torch.cos(x - t) ** 2
        return v.d("t") - u.d("x") + v**2 - rest

    def start(u, v, x):
        return u - torch.sin(x), v - torch.cos(x)

    return Problem(
        domain=Box(x=Periodic(0, 2 * pi), t=(0, 1)),
        fields=("u", "v"),
        equations=(Equation(first), Equation(second), Equation(start, on="initial")),
        exact=lambda x, t: (torch.sin(x + t), torch.cos(x - t)),
    )


def poisson(wave: float = 1.0) -> Problem:
    def exact(x, y):
        return torch.sin(wave * pi * x) * torch.cos(pi * y)

    def balance(u, x, y):
        return laplacian(u) + (wave**2 + 1) * pi**2 * exact(x, y)

    def wall(u, x, y):
        return u - exact(x, y)

    equations = (Equation(balance), Equation(wall, on="boundary"))
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=equations, exact=exact)


@pytest.mark.parametrize("problem", [waves(), poisson()], ids=["waves", "poisson"])
def test_rows_of_patches_are_those_of_the_whole_jacobian(problem):
    s = system(problem, Patches((3, 2), degree=3))
    theta = torch.linspace(-1, 1, s.n_params, dtype=torch.float64)
    r, j = s.linearise(theta, s.head)
    place, width = dict.fromkeys(s.rows, 0), j.shape[1] // 6
    for rows in local_rows(s, theta):
        start = s.rows[rows.equation].start + place[rows.equation]
        place[rows.equation] += len(rows.r)
        whole = torch.zeros((len(rows.r), 6, width), dtype=torch.float64)
        for k in range(rows.patches.shape[1]):
            there = rows.patches[:, k] >= 0
            whole[there, rows.patches[there, k]] += rows.j[there, k]
        assert torch.allclose(
            whole.flatten(1), j[start : start + len(rows.r)], rtol=0, atol=1e-13 * float(j.abs().max())
        )
        assert torch.allclose(rows.r, r[start : start + len(rows.r)], rtol=0, atol=1e-13 * float(r.abs().max()))
    assert place == {name: rows.stop - rows.start for name, rows in s.rows.items()}
    lengths = squares(s, theta)
    assert lengths == pytest.approx({name: float(j[rows].square().sum()) for name, rows in s.rows.items()}, rel=1e-12)


def test_the_head_is_that_of_dense_least_squares():
    """To round-off times the square of the condition number, which is some hundreds."""
    s = system(poisson(), Patches((3, 2), degree=4), 700)
    fit = fit_head(s, s.initial(), balance=True)
    weights = balancing_weights(s, s.jacobian(s.initial(), s.head))
    assert fit.system.weights == pytest.approx(weights, rel=1e-10)
    r, j = fit.system.linearise(torch.zeros_like(s.initial()), s.head)
    expected = torch.linalg.lstsq(j, -r[:, None]).solution.squeeze(1)
    assert torch.allclose(fit.theta, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))
    assert fit.rank == s.n_params
    assert float(fit.rows.norm()) == pytest.approx(float((r + j @ expected).norm()), rel=1e-9)


def test_errors_of_poisson_fall_with_degrees_and_with_patches():
    errors = {}
    for count, degree in ((2, 5), (2, 8), (4, 5)):
        network = Patches(count, degree=degree)
        solution = solve(poisson(3.0), network, FIXED, rule="sobol", verify=False)
        assert solution.verdict.status in (Status.SOLVED, Status.CONVERGED)
        errors[count, degree] = solution.verdict.error
    assert errors[2, 8] < 0.05 * errors[2, 5]
    assert errors[4, 5] < 0.1 * errors[2, 5]


def test_coupled_nonlinear_equations_are_solved_by_gauss_newton():
    solution = solve(waves(), Patches((4, 2), degree=7), FIXED, rule="sobol")
    assert solution.verdict.error < 1e-6
    assert solution.verdict.good, solution.verdict.complaints


@pytest.mark.parametrize("name", ["conduction"])
def test_what_couples_all_patches_is_refused(name):
    s = system(PROBLEMS[name](), Patches(2, degree=2))
    with pytest.raises(SettingsError, match="see a few of them") as raised:
        fit_head(s, s.initial())
    assert "mean" in str(raised.value)
    assert raised.value.cure


def test_a_tikhonov_term_is_refused():
    with pytest.raises(SettingsError, match="Tikhonov"):
        solve(poisson(), Patches(2, degree=2), LSGD(hidden="fixed", damping=1e-3))


def test_what_many_patches_take_is_less_than_a_whole_jacobian():
    """60 000 functions at 120 000 points: 58 GB as a whole."""
    from pinnml.run.memory import held_by

    network = Patches((30, 30), degree=10).build(
        poisson().domain, 1, torch.Generator(), torch.float64, torch.device("cpu")
    )
    assert 1e8 < held_by(FIXED, network, 120_000) < 1.5e9
