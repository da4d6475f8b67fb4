"""Trainable parameters of a problem under LSGD: found to six digits and more, and refused where nothing moves them."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch

from pinnml import LSGD, MLP, Box, Equation, Features, Points, Problem
from pinnml.errors import SettingsError
from pinnml.solvers import Status
from tests.helpers.catalogue import system
from tests.helpers.solving import solve_once


def conduction() -> Problem:
    """k u'' + 3 pi^2 sin(pi x) = 0 with u = sin(pi x) measured: k = 3."""
    x = np.linspace(0, 1, 50)

    def balance(u, k, x):
        return k * u.d("xx") + 3 * pi**2 * torch.sin(pi * x)

    def measured(u, m):
        return u - m

    return Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        parameters={"k": 1.0},
        data={"sensors": Points({"x": x}, {"m": np.sin(pi * x)})},
        equations=(Equation(balance), Equation(measured, on="sensors")),
    )


def ramp() -> Problem:
    """An ansatz k x + x (1 - x) u of a field that was measured: k = 2."""
    x = np.linspace(0, 1, 41)

    def exact(x):
        return 2 * x + x * (1 - x) * torch.sin(x)

    def balance(u, x):
        return u.d("xx") - exact(x).d("xx")

    def measured(u, m):
        return u - m

    return Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        parameters={"k": 0.5},
        data={"sensors": Points({"x": x}, {"m": exact(torch.from_numpy(x)).numpy()})},
        ansatz=lambda u, x, k: k * x + x * (1 - x) * u,
        equations=(Equation(balance), Equation(measured, on="sensors")),
    )


@pytest.mark.parametrize("hidden", ["gradient", "gauss-newton"])
@pytest.mark.parametrize(("problem", "k"), [(conduction(), 3.0), (ramp(), 2.0)])
@pytest.mark.parametrize("network", [Features(60, bandwidth=6), MLP(30, 1, "tanh", init="box")])
def test_a_coefficient_is_found_from_measurements(problem, k, network, hidden):
    solution = solve_once(problem, network, LSGD(hidden=hidden, steps=60))
    assert solution.parameters["k"] == pytest.approx(k, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 4])
def test_nearly_dependent_functions_do_not_stop_variable_projection(seed):
    """Without a damping singular values that pass the cut-off make the reduced loss jump, and no step gets past."""
    network = MLP(30, 1, "tanh", init="box")
    found = [
        solve_once(conduction(), network, LSGD(hidden="gauss-newton", steps=60, damping=damping), seed=seed)
        for damping in (None, 0.0)
    ]
    errors = [abs(solution.parameters["k"] - 3) for solution in found]
    assert errors[0] < 1e-6
    assert errors[1] > 1e-4


def test_the_default_solver_ends_by_its_own_test():
    verdict = solve_once(conduction(), Features(60, bandwidth=6)).verdict
    assert verdict.status is Status.CONVERGED


def test_a_fixed_basis_with_trainable_parameters_is_refused():
    with pytest.raises(SettingsError, match="parameters k") as raised:
        solve_once(conduction(), Features(20), LSGD(hidden="fixed"))
    assert raised.value.cure is not None
    assert "gradient" in raised.value.cure


@pytest.mark.parametrize("network", [Features(8, bandwidth=3), MLP(4, 2, "tanh")])
def test_columns_of_the_own_parameters_are_those_of_the_whole_jacobian(network):
    s = system(conduction(), network)
    theta = s.initial() + torch.linspace(0.1, 1, s.n_params, dtype=torch.float64)
    whole = s.jacobian(theta)
    for part in (s.own, slice(s.own.start, s.head.stop), s.hidden):
        assert torch.allclose(s.jacobian(theta, part), whole[:, part], rtol=0, atol=1e-12 * float(whole.abs().max()))
    assert bool(whole[:, s.own].abs().max() > 1e-3)
