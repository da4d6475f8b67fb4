"""Derivatives across switches: refused where what is differentiated jumps, left alone where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pinnml import (
    MLP,
    Box,
    Equation,
    Features,
    Mesh,
    Parts,
    Problem,
    Recipe,
    TestSpace,
    Weak,
    div,
    dot,
    grad,
    laplacian,
    normal_derivative,
)
from pinnml.cli.script import load_script
from pinnml.errors import MissingDerivativeError, ProblemError
from pinnml.run import prepared
from tests.helpers.places import PROBLEMS

LINE, PLANE = Box(x=(0, 1)), Box(x=(0, 1), y=(0, 1))
FEW = Features(20, bandwidth=12.0)


def begun(balance, domain: Any = LINE, network: Any = FEW, points: int = 60, **more: Any) -> None:
    """All that `solve` does before its first step."""
    wall = Equation(lambda u: u, on="boundary", name="wall")
    equations = (Equation(balance, name="balance"), wall, *more.pop("equations", ()))
    prepared(Problem(domain=domain, fields="u", equations=equations, **more), Recipe(network, points=points))


def by_where(x, other=100.0):
    return torch.where(x < 0.5, 1 + 0 * x, other + 0 * x)


JUMPING = {
    "where": lambda u, x: (by_where(x) * u.d("x")).d("x"),
    "where, 1 | 2": lambda u, x: (by_where(x, 2.0) * u.d("x")).d("x"),
    "where of a tensor": lambda u, x: (torch.where(x.value < 0.5, 1 + 0 * x, 2.0) * u.d("x")).d("x"),
    "sign": lambda u, x: ((1.5 + 0.5 * torch.sign(x - 0.5)) * u.d("x")).d("x"),
    "heaviside": lambda u, x: ((1 + torch.heaviside(x - 0.5, torch.tensor(0.5).double())) * u.d("x")).d("x"),
    "abs over itself": lambda u, x: (abs(x - 0.5) / (x - 0.5) * u.d("x")).d("x"),
    "clamped steeply": lambda u, x: (torch.clamp(x - 0.5, min=0.0) * u).d("xx"),
    "a kink differentiated twice": lambda u, x: (abs(x - 0.5) * u).d("xx"),
    "maximum": lambda u, x: (torch.maximum(x, 1 - x) * u).d("x").d("x"),
    "a narrow layer": lambda u, x: (torch.where(abs(x - 0.5) < 0.01, 5 + 0 * x, 1 + 0 * x) * u.d("x")).d("x"),
    "a field's own switch": lambda u, x: (torch.where(u > 0.01, 1 + 0 * x, 2 + 0 * x) * u.d("x")).d("x"),
}

SMOOTH = {
    "branches that agree": lambda u, x: (torch.where(x > 0.5, 1 + (x - 0.5) ** 2, 1) * u.d("x")).d("x"),
    "a kink differentiated once": lambda u, x: (abs(x - 0.5) * u.d("x")).d("x"),
    "a source that jumps": lambda u, x: u.d("xx") - by_where(x),
    "a coefficient in front": lambda u, x: by_where(x) * u.d("xx"),
    "x |x|": lambda u, x: (x * abs(x - 0.5) * (x - 0.5) * u).d("x").d("x"),
    "the same on either side": lambda u, x: (torch.where(x < 0.5, 1 + 0 * x, 1) * u.d("x")).d("x"),
    "steep": lambda u, x: (torch.tanh(1e5 * (x - 0.5)) * torch.where(x < 2, 1 + 0 * x, 2.0) * u.d("x")).d("x"),
}


@pytest.mark.parametrize("name", JUMPING)
def test_what_jumps_and_is_differentiated_is_refused(name):
    with pytest.raises(ProblemError, match="equation 'balance' takes the derivative along x of what jumps"):
        begun(JUMPING[name])


@pytest.mark.parametrize("name", SMOOTH)
def test_what_does_not_jump_is_left_alone(name):
    begun(SMOOTH[name])


@pytest.mark.parametrize("name", ["where", "sign", "heaviside", "a kink differentiated twice"])
def test_the_place_and_the_cure_are_told(name):
    with pytest.raises(ProblemError) as caught:
        begun(JUMPING[name])
    assert "at x = 0.5," in caught.value.got
    assert "Box(x=Parts(0, 0.5, 1))" in caught.value.cure
    assert 'jump(k(x) * normal_derivative(u, normal)), on="interface"' in caught.value.cure


def test_a_comparison_has_no_derivative_and_the_cure_leads_to_an_interface():
    with pytest.raises(MissingDerivativeError, match="Parts"):
        begun(lambda u, x: ((1 + (x >= 0.5).double()) * u.d("x")).d("x"))


def test_in_the_plane_only_the_axis_across_the_switch_counts():
    begun(lambda u, x: by_where(x) * u.d("xx") + (by_where(x) * u.d("y")).d("y"), PLANE)
    with pytest.raises(ProblemError, match="along x"):
        begun(lambda u, x: div(by_where(x) * grad(u)), PLANE)
    with pytest.raises(ProblemError, match="along y"):
        begun(lambda u, x, y: div(by_where(y) * grad(u)), PLANE)


def test_on_a_circle_the_cure_is_the_weak_form():
    with pytest.raises(ProblemError) as caught:
        begun(lambda u, x, y: div(torch.where(torch.hypot(x, y) < 0.6, 1 + 0 * x, 2.0) * grad(u)), PLANE)
    assert "TestSpace" in caught.value.cure


def test_time_counts_as_well():
    balance = lambda u, t: (torch.where(t < 0.5, 1 + 0 * t, 2.0) * u).d("t")  # noqa: E731
    with pytest.raises(ProblemError, match="along t"):
        begun(balance, Box(x=(0, 1), t=(0, 1)))
    begun(lambda u, t: torch.where(t < 0.5, 1 + 0 * t, 2.0) * u.d("t"), Box(x=(0, 1), t=(0, 1)))


def test_switches_in_an_ansatz_and_in_a_basis_are_seen():
    with pytest.raises(ProblemError, match=r"at x = 0\.25"):
        begun(lambda u: u.d("xx"), ansatz=lambda u, x: (1 + abs(x - 0.25)) * u)
    for network in (Features(20, extra=lambda x: (abs(x - 0.25),)), MLP(5, 1, inputs=lambda x: (x, abs(x - 0.25)))):
        with pytest.raises(ProblemError, match=r"at x = 0\.25"):
            begun(lambda u: u.d("xx"), network=network)


def test_a_basis_with_a_continuous_flux_loses_nothing():
    def stretched(x):
        return (torch.where(x < 0.5, x - 0.5, (x - 0.5) / 100),)

    begun(lambda u, x: (by_where(x) * u.d("x")).d("x"), network=Features(20, bandwidth=3.0, inputs=stretched))
    with pytest.raises(ProblemError, match="jumps"):
        begun(lambda u, x: (by_where(x, 50.0) * u.d("x")).d("x"), network=Features(20, bandwidth=3.0, inputs=stretched))


def test_interfaces_with_equations_are_left_out_and_others_are_not():
    equations = (
        Equation(lambda u, jump: jump(u), on="interface", name="value"),
        Equation(lambda u, x, normal, jump: jump(by_where(x) * normal_derivative(u, normal)), on="interface", name="f"),
    )
    begun(JUMPING["where"], Box(x=Parts(0, 0.5, 1)), equations=equations)
    with pytest.raises(ProblemError) as caught:
        begun(JUMPING["where"], Box(x=Parts(0, 0.75, 1)), equations=equations)
    assert "Parts(0, 0.5, 0.75, 1)" in caught.value.cure


def test_weak_forms_keep_their_fluxes():
    x = np.linspace(0, 1, 11)
    mesh = Mesh(x[:, None], np.stack([np.arange(10), np.arange(1, 11)], axis=1), "line")
    problem = Problem(
        domain=mesh,
        fields="u",
        equations=(
            Equation(JUMPING["where"], name="balance"),
            Equation(lambda u, x: u - x, on="boundary", name="ends"),
        ),
        weak=Weak(lambda u, v, x: by_where(x) * dot(grad(u), grad(v))),
    )
    prepared(problem, Recipe(FEW, tests=TestSpace(2)))
    with pytest.raises(ProblemError, match=r"at x = 0\.5"):
        prepared(problem, Recipe(FEW))


@pytest.mark.parametrize("name", ["interface", "two_materials"])
def test_problems_whose_inputs_make_fluxes_continuous_are_left_alone(name):
    script = load_script(PROBLEMS / f"{name}.py")
    network = script.recipe().network
    prepared(script.problem(), Recipe(network, points=200))


def test_the_laplacian_of_a_smooth_field_is_looked_at_once_and_costs_nothing(monkeypatch):
    def fails(*args: Any) -> None:
        raise AssertionError("segments were halved")

    monkeypatch.setattr("pinnml.system.switches._closed_in", fails)
    begun(lambda u: laplacian(u) - 1, PLANE)
