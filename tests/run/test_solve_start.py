"""Recipes, solves that go on from a solution, and promises that a second solve checks."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import pytest
import torch
from torch import nn

from pinnml import (
    KAN,
    LSGD,
    MLP,
    Box,
    Equation,
    Features,
    LevenbergMarquardt,
    Multilevel,
    Periodic,
    Points,
    Problem,
    Recipe,
    Wrapped,
    load,
    solve,
)
from pinnml.errors import ProblemError, SettingsError
from pinnml.run import judge
from pinnml.solvers import Status
from problems import heat
from tests.helpers.solving import SMALL, rod, two_fields


def test_a_solve_goes_on_from_another_solution():
    first = solve(rod(), MLP(12, 1, "tanh"), LevenbergMarquardt(steps=5), points=60)
    second = solve(rod(), solver=LevenbergMarquardt(steps=5), points=60, start=first)
    assert second.verdict.error < first.verdict.error
    assert second.history[0]["loss"] <= first.history[-1]["loss"] * 1.0000001
    with pytest.raises(SettingsError, match="a solution of this problem"):
        solve(heat.problem(), start=solve(two_fields(), **SMALL))


# Recipes


def test_a_recipe_is_followed_unless_told_otherwise():
    recipe = Recipe(Features(60, bandwidth=5), LSGD(), points=300, expect=1e-9)
    assert recipe.solve(rod()).verdict.good
    other = recipe.solve(rod(), solver=LevenbergMarquardt(steps=2), points=100).verdict
    assert (other.solver, other.expected) == ("lm", 1e-9)
    assert not other.good


def test_a_promise_without_an_exact_solution_is_judged_by_the_estimate():
    known = rod()
    problem = Problem(domain=known.domain, fields=known.fields, equations=known.equations)
    fine = Recipe(Features(40, bandwidth=5), points=200, expect=1e-6).solve(problem).verdict
    assert fine.good
    assert 0 < fine.estimate["u"] < 1e-6
    coarse = Recipe(Features(6, bandwidth=5), LSGD(hidden="fixed"), points=200, expect=1e-6).solve(problem).verdict
    assert not coarse.good


def test_a_promise_of_no_error_is_refused():
    with pytest.raises(SettingsError, match="above 0"):
        Recipe(expect=0.0)


# Going on from a solution


def inverse(guess: float = 1.0, **changes) -> Problem:
    """k u'' = -3 pi^2 sin(pi x) with measured u = sin(pi x): k = 3."""
    x = np.linspace(0, 1, 30)

    def balance(u, k, x):
        return k * u.d("xx") + 3 * pi**2 * torch.sin(pi * x)

    def measured(u, value):
        return u - value

    parts = {
        "domain": Box(x=(0, 1)),
        "fields": ("u",),
        "equations": (Equation(balance), Equation(measured, on="sensors")),
        "parameters": {"k": guess},
        "data": {"sensors": Points({"x": x}, {"value": np.sin(pi * x)})},
    }
    return Problem(**{**parts, **changes})


@pytest.mark.parametrize("flag", [True, np.True_], ids=["python", "numpy"])
def test_true_ends_a_solve_whoever_says_it(flag):
    solver = LevenbergMarquardt(steps=4)
    verdict = solve(rod(), MLP(8, 1), solver, points=40, callback=lambda progress: flag).verdict
    assert (verdict.status, verdict.steps) == (Status.INTERRUPTED, 1)
    for other in (np.False_, 1, "stop", None):
        assert solve(rod(), MLP(8, 1), solver, points=40, callback=lambda p, o=other: o).verdict.steps == 4


def test_trainable_parameters_begin_as_the_solution_found_them():
    first = solve(inverse(), MLP(12, 1, bandwidth=4), LevenbergMarquardt(steps=150), points=60)
    assert first.parameters["k"] == pytest.approx(3, rel=1e-3)
    again = solve(inverse(), solver=LevenbergMarquardt(steps=1), points=60, start=first)
    assert again.parameters["k"] == pytest.approx(first.parameters["k"], rel=1e-3)
    forgetful = replace(first, parameters={})  # the first guess, 1, spoils what the network knows
    steps = [solve(inverse(), solver=LevenbergMarquardt(steps=1), points=60, start=s) for s in (first, forgetful)]
    assert steps[0].history[0]["loss"] < 1e-3 * steps[1].history[0]["loss"]


@pytest.mark.parametrize(
    ("network", "solver"),
    [
        (MLP(7, 1, "tanh"), LevenbergMarquardt(steps=3)),
        (Features(30), LSGD(hidden="fixed")),
        (KAN(3, 1, order=5, intervals=2), Multilevel(levels=2, inner=LevenbergMarquardt(steps=4))),
    ],
    ids=["mlp", "searched features", "refined kan"],
)
def test_a_solution_that_went_on_is_described_by_its_own_network_and_comes_back(tmp_path, network, solver):
    first = solve(rod(), network, solver, points=80)
    second = solve(rod(), solver=LevenbergMarquardt(steps=2), points=80, start=first)
    assert second.settings["network"]["kind"] == first.settings["network"]["kind"] == second.verdict.network
    assert second.settings["network"] == first.settings["network"]
    again = load(second.save(tmp_path / "second.pt"), rod())
    x = np.linspace(0, 1, 9)
    np.testing.assert_array_equal(again(x)["u"], second(x)["u"])
    third = solve(rod(), solver=LevenbergMarquardt(steps=1), points=80, start=again)
    assert third.history[0]["loss"] <= 1.0000001 * second.history[-1]["loss"]


def test_features_that_were_searched_for_are_not_searched_for_again():
    first = solve(rod(), Features(40), LSGD(hidden="fixed"), points=100)
    second = solve(rod(), solver=LSGD(hidden="fixed"), points=100, start=first)
    torch.testing.assert_close(second.network.basis.ridges.bandwidth, first.network.basis.ridges.bandwidth)
    torch.testing.assert_close(second.network.basis.weights[0], first.network.basis.weights[0])
    assert "bandwidth" in first.verdict.notes
    assert "bandwidth" not in second.verdict.notes


def test_a_network_beside_a_solution_to_go_on_from_is_refused_and_a_recipe_leaves_its_own_out():
    first = solve(rod(), MLP(8, 1, "tanh"), LevenbergMarquardt(steps=3), points=40)
    with pytest.raises(SettingsError, match="start and network were both given") as refused:
        solve(rod(), MLP(8, 1), points=40, start=first)
    assert all((refused.value.expected, refused.value.got, refused.value.cure))
    recipe = Recipe(Features(20), LevenbergMarquardt(steps=2), points=40)
    assert recipe.solve(rod(), start=first).settings["network"] == first.settings["network"]
    assert recipe.solve(rod(), start=None).settings["network"]["kind"] == "features"
    with pytest.raises(SettingsError, match="both given"):
        recipe.solve(rod(), start=first, network=MLP(8, 1))


def test_a_solution_on_another_domain_is_refused():
    def on(domain: Box) -> Problem:
        return replace(rod(), domain=domain)

    first = solve(rod(), **SMALL)
    for other in (Box(x=(0, 2)), Box(x=(-1, 1))):
        with pytest.raises(SettingsError, match="a solution of this problem: on Box") as refused:
            solve(on(other), start=first)
        assert all((refused.value.got, refused.value.cure))
    assert solve(on(Box(x=(0.0, 1.0))), start=first, points=40).verdict.good


# A promise that a second solve checks


def unknown() -> Problem:
    """The rod, its solution kept secret."""
    return replace(rod(), exact=None)


def test_without_a_second_solve_nothing_is_estimated_and_a_promise_is_not_checked():
    settings = {"network": Features(40, bandwidth=5), "points": 200, "expect": 1e-6}
    assert solve(unknown(), **settings).verdict.estimate["u"] < 1e-6
    verdict = solve(unknown(), **settings, verify=False).verdict
    assert verdict.estimate == {}
    assert any("could not be checked" in complaint for complaint in verdict.complaints)


def test_a_second_solve_that_is_interrupted_says_nothing(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(judge, "verify", interrupted)
    verdict = solve(unknown(), Features(40, bandwidth=5), points=200, expect=1e-6).verdict
    assert verdict.estimate == {}
    assert verdict.status.by_own_test
    assert any("could not be checked" in complaint for complaint in verdict.complaints)


def test_the_callback_does_not_hear_of_the_second_solve():
    seen, settings = [], {"network": Features(40, bandwidth=5), "points": 200}
    verdict = solve(unknown(), callback=lambda progress: seen.append(progress.step), **settings).verdict
    assert seen == list(range(1, verdict.steps + 1))
    assert verdict.estimate


def test_every_kind_of_network_is_checked_by_a_second_solve():
    first = solve(unknown(), Features(40, bandwidth=5), points=200)
    second = solve(unknown(), points=200, start=first, expect=1e-6).verdict
    assert second.good
    assert 0 < second.estimate["u"] < 1e-6
    module = Wrapped(nn.Sequential(nn.Linear(1, 8), nn.Tanh()))
    rough = solve(rod(), module, LevenbergMarquardt(steps=20), points=40).verdict
    assert rough.error / 3 < rough.estimate["u"] < 3 * rough.error


# Measured points


def test_a_number_of_points_for_a_data_set_is_refused():
    with pytest.raises(SettingsError, match="points in the data set 'sensors'") as refused:
        solve(inverse(), points={"interior": 50, "sensors": 5})
    assert all((refused.value.expected, refused.value.got, refused.value.cure))
    solution = solve(inverse(), Features(20, bandwidth=4), points={"interior": 50})
    assert solution.settings["points"] == {"interior": 50, "sensors": 30}


def test_measured_points_outside_the_box_are_refused_but_a_periodic_axis_goes_round():
    x = np.linspace(5, 6, 30)
    outside = {"sensors": Points({"x": x}, {"value": np.sin(pi * x)})}
    with pytest.raises(ProblemError, match="data set 'sensors' lies outside the domain along 'x'") as refused:
        solve(inverse(data=outside))
    assert refused.value.expected == "x from 0 to 1"
    assert all((refused.value.got, refused.value.cure))
    round_again = solve(inverse(data=outside, domain=Box(x=Periodic(0, 2))), Features(20, bandwidth=4), points=50)
    assert round_again.settings["points"]["sensors"] == 30
    edge = {"sensors": Points({"x": np.array([-1e-17, 1 + 1e-15])}, {"value": np.zeros(2)})}
    assert solve(inverse(data=edge), Features(20, bandwidth=4), points=50).settings["points"]["sensors"] == 2
