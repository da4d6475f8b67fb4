"""Kolmogorov-Arnold networks: what they compute, what they count, and refinement that changes nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from pinnml import KAN, LSGD, MLP, Box, Equation, LevenbergMarquardt, MultichannelMLP, Multilevel, Problem, load
from pinnml.calculus import total_order
from pinnml.errors import SettingsError, UnknownNameError
from pinnml.networks import Network
from pinnml.networks.knots import Knots
from pinnml.networks.spline_layers import SplineLayers
from pinnml.solvers import Status
from problems import poisson
from tests.helpers.catalogue import PROBLEMS, system
from tests.helpers.solving import solve_once
from tests.helpers.truth import autograd_derivatives, cox_de_boor, points

PLANE = Box(x=(0, 1), y=(0, 1))


def built(settings: KAN, columns: int = 1, seed: int = 0, domain: Box = PLANE) -> Network:
    return settings.build(
        domain, columns, torch.Generator().manual_seed(seed), torch.float64, torch.device("cpu")
    ).requires_grad_(False)


def parameters(network: Network) -> int:
    return sum(p.numel() for p in network.parameters())


# Values


@pytest.mark.parametrize("first", ["spline", "linear"])
@pytest.mark.parametrize("normalise", ["none", "tanh"])
def test_the_network_is_a_sum_of_splines_of_sums_of_splines(first, normalise):
    network = built(KAN(3, 2, order=4, intervals=5, first=first, normalise=normalise), columns=2)
    assert isinstance(network.basis, SplineLayers)
    for weight in network.basis.weights:
        weight.mul_(0.6)  # keeps values between the knots, where all splines are those of the recursion
    x = torch.from_numpy(np.random.default_rng(0).random((40, 2)))
    values = x.numpy()
    weights = [weight.numpy() for weight in network.basis.weights] + [network.coef.numpy()]
    if first == "linear":
        values = 2 * values - 1
    for layer, weight in enumerate(weights):
        if layer or first == "spline":
            low, high = (0.0, 1.0) if layer == 0 else (-1.0, 1.0)
            t = Knots.uniform(low, high, 5, 4).t.numpy()
            assert ((values >= low) & (values < high)).all()
            values = np.concatenate([cox_de_boor(t, column, 4) for column in values.T], axis=1)
        values = values @ weight
        if normalise == "tanh" and layer < len(weights) - 1:
            values = np.tanh(values)
    jets = network(network.inputs(x, total_order(PLANE.axes, 0)))
    np.testing.assert_allclose(jets.coefficients[0], values, atol=1e-13)


def test_derivatives_are_those_of_nested_differentiation():
    network = built(KAN(3, 2, order=5, intervals=4, normalise="tanh"))
    x = points(12, 2)
    indices = total_order(PLANE.axes, 3)
    jets = network(network.inputs(x, indices))

    def value(*columns):
        stacked = torch.stack(columns, dim=1)
        return network(network.inputs(stacked, total_order(PLANE.axes, 0))).coefficients[0, :, 0]

    for index, known in autograd_derivatives(value, x, indices).items():
        factorials = np.prod([np.prod(range(1, power + 1)) for power in index])
        found = jets.coefficients[indices.position[index], :, 0] * factorials
        np.testing.assert_allclose(found, known.detach(), rtol=1e-10, atol=1e-10 * float(known.detach().abs().max()))


# Counts, to the unit (arXiv:2603.04827, tables 2 and 3, figure 5)


def test_parameters_are_counted_as_in_the_tables():
    space = Box(x=(0, 1), y=(0, 1), z=(0, 1))
    poisson_counts = [parameters(built(KAN(5, 1, order=4, intervals=n), domain=space)) for n in (4, 8, 16, 32)]
    assert poisson_counts == [140, 220, 380, 700]
    assert [parameters(built(KAN(20, 2, order=4, intervals=n, first="linear"))) for n in (5, 20)] == [3400, 9700]
    assert [parameters(built(KAN(5, 1, order=5, intervals=n, first="linear"))) for n in (5, 40)] == [55, 230]


# Refinement


@pytest.mark.parametrize("first", ["spline", "linear"])
@pytest.mark.parametrize("normalise", ["none", "tanh"])
def test_three_refinements_change_neither_values_nor_derivatives(first, normalise):
    network = built(KAN(4, 2, order=5, intervals=4, first=first, normalise=normalise), columns=2)
    x = torch.from_numpy(np.random.default_rng(1).random((200, 2)))
    indices = total_order(PLANE.axes, 2)
    before = network(network.inputs(x, indices)).coefficients
    for level in range(3):
        network = network.refined()[0].requires_grad_(False)
        after = network(network.inputs(x, indices)).coefficients
        for place, index in enumerate(indices.indices):
            largest = float(before[place].abs().max())
            limit = 1e-12 if sum(index) < 2 else max(1e-12, 50 * 2.2e-16 * (4 * 2 ** (level + 1)) ** 2)
            assert float((after[place] - before[place]).abs().max()) <= limit * largest


def test_refinement_is_exact_even_where_values_leave_the_knots():
    network = built(KAN(3, 2, order=4, intervals=3))
    basis = network.basis
    assert isinstance(basis, SplineLayers)
    basis.weights[0].mul_(6.0)
    x = torch.from_numpy(np.random.default_rng(1).random((50, 2)))
    inputs = network.inputs(x, total_order(PLANE.axes, 0))
    assert basis.remarks(inputs)["share beyond the knots"] > 0.1
    before = network(inputs).coefficients
    after = network.refined()[0].requires_grad_(False)(inputs).coefficients
    np.testing.assert_allclose(after, before, rtol=1e-11, atol=1e-11 * float(before.abs().max()))


@pytest.mark.parametrize("normalise", ["none", "tanh"])
@pytest.mark.parametrize("name", ["conduction", "wave vector", "burgers"])
def test_rows_and_loss_of_three_layers_do_not_jump_in_three_refinements(name, normalise):
    level = system(PROBLEMS[name](), KAN(3, 2, order=4, intervals=4, normalise=normalise), points=15)
    theta = level.initial()
    rows, loss = level.residual(theta), float(level.loss(theta))
    for _ in range(3):
        level, theta, _ = level.refine(theta)
        # second derivatives divide round-off by the spacing twice: 2e-16 * 32^2 at most
        torch.testing.assert_close(level.residual(theta), rows, rtol=0, atol=1e-12 * float(rows.abs().max()))
        assert float(level.loss(theta)) == pytest.approx(loss, rel=1e-12)


# Multilevel training


@pytest.mark.slow
def test_multilevel_training_never_loses_at_a_refinement_and_gains_from_each_level():
    rows: list[tuple[int, float, float]] = []
    solution = solve_once(
        poisson.problem(),
        KAN(5, 1, order=5, intervals=3),
        Multilevel(inner=LevenbergMarquardt(steps=25), levels=3),
        points=600,
        rule="gauss",
        callback=lambda progress: rows.append(
            (int(progress.notes["level"]), progress.loss, float(progress.notes["work"]))
        ),
    )
    losses = [loss for _, loss, _ in rows]
    assert all(after <= before * (1 + 1e-9) for before, after in pairwise(losses))
    last = [[loss for level, loss, _ in rows if level == each][-1] for each in range(3)]
    assert last[0] > 3 * last[1] > 9 * last[2]
    assert rows[-1][2] == sum(2.0**level for level, _, _ in rows)
    assert solution.settings["network"]["intervals"] == 12
    assert solution.verdict.error < 1e-3
    assert "share beyond the knots" in solution.verdict.notes


@pytest.mark.parametrize("adaptive", [None, 0.5])
@pytest.mark.parametrize(
    "network",
    [KAN(3, 1), KAN(2, 1, knots="input", bias=True), KAN(2, 1, knots="edge", first="linear"), MultichannelMLP(2, 1)],
)
def test_a_refined_network_is_saved_and_read_back(network, adaptive, tmp_path):
    inner = LevenbergMarquardt(steps=2)
    solver = Multilevel(inner=inner, levels=3, adaptive=adaptive)
    solution = solve_once(poisson.problem(), network, solver, points=100)
    again = load(solution.save(tmp_path / "kan.pt"))
    x = np.random.default_rng(0).random((20, 2))
    np.testing.assert_array_equal(again(x)["u"], solution(x)["u"])


@pytest.mark.parametrize("inner", [LSGD(steps=2), LevenbergMarquardt(steps=2)])
def test_every_inner_solver_serves(inner):
    verdict = solve_once(poisson.problem(), KAN(3, 1), Multilevel(inner=inner, levels=2), points=100).verdict
    assert verdict.notes["level"] == 1
    assert verdict.status in (Status.STEPS, Status.CONVERGED, Status.ROUND_OFF, Status.STALLED)


# What is refused


def test_an_order_too_low_for_the_equation_is_refused_with_the_least_one():
    with pytest.raises(SettingsError, match="order=3 at least"):
        solve_once(poisson.problem(), KAN(3, 1, order=2), points=50)


def test_a_network_without_levels_is_refused():
    with pytest.raises(SettingsError, match="no levels"):
        solve_once(poisson.problem(), MLP(4, 1), Multilevel(inner=LevenbergMarquardt(steps=1)), points=50)


@pytest.mark.parametrize("options", [{"width": 0}, {"intervals": 2.5}, {"depth": True}, {"order": 0}])
def test_numbers_that_cannot_be_are_refused(options):
    with pytest.raises(SettingsError, match="whole number"):
        built(KAN(**options))


def test_unknown_choices_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'linear'"):
        KAN(first="linaer")
    with pytest.raises(SettingsError, match="levels"):
        Multilevel(levels=0)


def test_a_first_order_equation_takes_an_order_of_two():
    problem = Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        equations=(Equation(lambda u: u.d("x") - 1, name="slope"), Equation(lambda u: u, on="x=0", name="start")),
        exact=lambda x: x,
    )
    assert solve_once(problem, KAN(2, 1, order=2), LevenbergMarquardt(steps=30), points=40).verdict.error < 0.1
