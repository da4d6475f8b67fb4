"""LSGD: the box initialisation it was published with, the reduced loss and its gradient, and descent on the basis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml import LSGD, MLP, Adam, Box, Equation, Features, Parameter, Points, Problem, laplacian
from pinnml.errors import PinnmlError
from pinnml.networks import NetworkSettings, Perceptron
from pinnml.networks.initialisation import Layer, box, residual_box
from pinnml.solvers import Solver, Status
from pinnml.solvers.head import fit_head
from pinnml.system import System
from problems import advection
from tests.helpers.catalogue import NETWORKS, PROBLEMS, built, system
from tests.helpers.solving import solve_once

ALL = (1e-15,)
WIDTH, SEEDS = 32, 16


def he(inputs: int, outputs: int, generator: torch.Generator) -> Layer:
    """What box initialisation is compared with: variance 2 / inputs and no bias."""
    weight = torch.randn((inputs, outputs), generator=generator, dtype=torch.float64)
    return weight * math.sqrt(2 / inputs), torch.zeros(outputs, dtype=torch.float64)


def layers(kind: str, inputs: int, depth: int, generator: torch.Generator) -> list[Layer]:
    plain = he if kind == "he" else box
    rest: Callable[[int], Layer] = lambda layer: plain(WIDTH, WIDTH, generator)  # noqa: E731
    if kind == "box residual":
        rest = lambda layer: residual_box(layer, depth, WIDTH, generator)  # noqa: E731
    return [plain(inputs, WIDTH, generator), *(rest(layer) for layer in range(2, depth + 1))]


def last_layer(kind: str, inputs: int, depth: int, seed: int, x: Tensor) -> Tensor:
    """The ReLU activations (n, width) of the last hidden layer."""
    drawn = layers(kind, inputs, depth, torch.Generator().manual_seed(seed))
    a = torch.relu(x @ drawn[0][0] + drawn[0][1])
    for weight, bias in drawn[1:]:
        branch = torch.relu(a @ weight + bias)
        a = a + branch if kind == "box residual" else branch
    return a


def unit_points(inputs: int) -> Tensor:
    if inputs == 1:
        return torch.linspace(0, 1, 256, dtype=torch.float64).unsqueeze(1)
    return torch.cartesian_prod(*[torch.linspace(0, 1, 32, dtype=torch.float64)] * inputs)


#: (initialisation, inputs, depth): the rank at 1e-8 and the fit of sin(2 pi x), medians that were measured elsewhere.
MEASURED = {
    ("box", 1, 1): (32, 7.6e-3),
    ("box", 1, 4): (16, 3.1e-2),
    ("box", 1, 8): (13, 4.7e-2),
    ("box", 1, 16): (2, 8.1e-2),
    ("box residual", 1, 4): (32, 6.3e-3),
    ("box residual", 1, 8): (32, 6.1e-3),
    ("box residual", 1, 16): (32, 6.6e-3),
    ("he", 1, 1): (1, 6.5e-1),
    ("he", 1, 4): (1, 6.5e-1),
    ("he", 1, 8): (1, 6.5e-1),
    ("he", 1, 16): (1, 6.5e-1),
    ("box", 2, 1): (32, None),
    ("box", 2, 4): (18, None),
    ("box", 2, 8): (14, None),
    ("box", 2, 16): (1, None),
    ("box residual", 2, 4): (32, None),
    ("box residual", 2, 8): (32, None),
    ("box residual", 2, 16): (32, None),
    ("he", 2, 1): (18, None),
    ("he", 2, 4): (21, None),
    ("he", 2, 8): (21, None),
    ("he", 2, 16): (19, None),
}


@pytest.mark.parametrize(("kind", "inputs", "depth"), MEASURED)
def test_rank_and_fit_of_the_first_basis_are_those_measured_within_a_factor_of_two(kind, inputs, depth):
    rank, fit = MEASURED[kind, inputs, depth]
    x = unit_points(inputs)
    target, ranks, fits = np.sin(2 * np.pi * x[:, 0].numpy()), [], []
    for seed in range(SEEDS):
        a = last_layer(kind, inputs, depth, seed, x).numpy()
        values = np.linalg.svd(a, compute_uv=False)
        ranks.append(int((values > 1e-8 * values[0]).sum()))
        if fit is not None:
            fits.append(np.sqrt(np.mean((a @ np.linalg.lstsq(a, target, rcond=None)[0] - target) ** 2)))
    assert rank / 2 <= np.median(ranks) <= 2 * rank
    if kind == "box residual":
        assert min(ranks) == WIDTH
    if fit is not None:
        assert fit / 2 <= np.median(fits) <= 2 * fit


@pytest.mark.parametrize("inputs", [1, 2, 5])
def test_no_neuron_of_the_first_box_layer_is_dead(inputs):
    weight, bias = box(inputs, 2000, torch.Generator().manual_seed(0))
    highest = bias + weight.clamp(min=0).sum(dim=0)  # at the corner farthest along the weight
    lowest = bias + weight.clamp(max=0).sum(dim=0)
    assert torch.allclose(highest, torch.ones_like(highest), rtol=0, atol=1e-12)
    assert bool((lowest <= 0).all())  # the hinge runs through the box
    dead = bias_of_highest(he(inputs, 2000, torch.Generator().manual_seed(0))) <= 0
    assert bool(dead.any())


def bias_of_highest(layer: Layer) -> Tensor:
    return layer[1] + layer[0].clamp(min=0).sum(dim=0)


@pytest.mark.parametrize("depth", [2, 3, 4, 8, 16, 32, 64])
def test_residual_box_states_stay_below_e_and_plain_ones_below_one(depth):
    x = unit_points(2)
    assert float(last_layer("box residual", 2, depth, 0, x).max()) < math.e
    assert float(last_layer("box", 2, depth, 0, x).max()) <= 1 + 1e-12
    if depth >= 16:
        assert float(last_layer("he", 2, depth, 0, x).max()) > 1 + 1e-12


def test_networks_are_drawn_by_these_initialisations():
    built = MLP(WIDTH, 4, "relu", init="box", residual=True).build(
        Box(x=(0, 1)), 1, torch.Generator().manual_seed(3), torch.float64, torch.device("cpu")
    )
    drawn = layers("box residual", 1, 4, torch.Generator().manual_seed(3))
    assert isinstance(built.basis, Perceptron)
    for weight, bias, (w, b) in zip(built.basis.weights, built.basis.biases, drawn, strict=True):
        assert torch.equal(weight, w)
        assert torch.equal(bias, b)


def reduced(s: System, theta: Tensor, hidden: Tensor, damping: float) -> float:
    """The loss after the head was solved for, as a function of the hidden parameters."""
    moved = theta.clone()
    moved[s.hidden] = hidden
    return fit_head(s, moved, cutoffs=ALL, damping=damping).loss


@pytest.mark.parametrize("damping", [0.0, 1e-2])
@pytest.mark.parametrize("network", ["one tanh layer", "sine mlp", "residual gaussian mlp"])
@pytest.mark.parametrize("name", ["poisson mixed", "advection periodic", "maxwell cavity", "heat"])
def test_gradient_with_the_head_held_is_that_of_the_reduced_loss(name, network, damping):
    s = built(name, network)
    fit = fit_head(s, s.initial(), cutoffs=ALL, damping=damping)
    theta, hidden = fit.theta, fit.theta[s.hidden]
    held = s.loss_and_gradient(theta)[1][s.hidden]
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        along = torch.randn(len(hidden), generator=generator, dtype=torch.float64)
        along = along / along.norm() + held / held.norm()
        h = 1e-4

        def at(k: int, along: Tensor = along, h: float = h) -> float:
            return reduced(s, theta, hidden + k * h * along, damping)

        # The six-point central difference: an error of h^6, and the round-off of the loss over h.
        slope = (45 * (at(1) - at(-1)) - 9 * (at(2) - at(-2)) + (at(3) - at(-3))) / (60 * h)
        assert float(held @ along) == pytest.approx(slope, rel=1e-7)
    elsewhere = theta.clone()
    elsewhere[s.head] *= 1.01
    assert float(s.loss_and_gradient(elsewhere)[1][s.hidden] @ along) != pytest.approx(slope, rel=1e-4)


def losses_of(solver: Solver, s: System, steps: int) -> list[float]:
    theta = s.initial()
    state, losses = solver.init(s, theta), []
    round_off = 1e-8 * float(s.loss(theta))  # of the products in A c - b, where large heads nearly interpolate
    for _ in range(steps):
        step = solver.step(s, theta, state)
        s, theta, state = step.system, step.theta, step.state
        losses.append(step.report.loss)
        damping = getattr(state, "damping", 0.0)
        penalty = 0.5 * damping * float(theta[s.head].square().sum())
        assert float(s.loss(theta)) + penalty == pytest.approx(losses[-1], rel=1e-6, abs=round_off)
        if step.report.status:
            break
    return losses


PAIRS = [(name, network) for name in PROBLEMS for network in NETWORKS if network != "wrapped"]


@pytest.mark.parametrize("hidden", ["gradient", "gauss-newton"])
@pytest.mark.parametrize(("name", "network"), [*PAIRS, ("advection layer", "wrapped")])
def test_loss_falls_with_every_step_for_every_problem_and_network(name, network, hidden):
    s = built(name, network, 6)
    solver = LSGD(hidden=hidden, search=False, balance=False)
    losses = losses_of(solver, s, 2)
    assert losses[0] <= float(s.loss(s.initial())) or not s.is_linear
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert math.isfinite(losses[-1])


@pytest.mark.parametrize("hidden", ["gradient", "gauss-newton"])
@pytest.mark.parametrize("damping", [0.0, 1e-4])
@pytest.mark.parametrize("name", ["poisson mixed", "conduction", "maxwell cavity"])
def test_long_runs_never_raise_the_loss_and_lower_it(name, damping, hidden):
    s = built(name, "one tanh layer", 30)
    losses = losses_of(LSGD(hidden=hidden, damping=damping, search=False, patience=20), s, 15)
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 0.9 * losses[0]


def test_each_step_ends_at_the_best_head_of_its_basis():
    s = built("poisson expcos", "one tanh layer")
    solver, theta = LSGD(search=False, cutoff=1e-15), s.initial()
    state = solver.init(s, theta)
    for _ in range(4):
        step = solver.step(s, theta, state)
        s, theta, state = step.system, step.theta, step.state
        assert step.report.loss == pytest.approx(fit_head(s, theta, cutoffs=ALL).loss, rel=1e-10)


def in_span(drawn: Layer, activation: Callable, coef: Tensor) -> Problem:
    """-laplacian(u) = f for a u that the first basis of a network holds."""
    (w, v), b, c = drawn[0].tolist(), drawn[1].tolist(), coef.tolist()

    def exact(x, y):
        return c[-1] + sum(c[k] * activation(w[k] * x + v[k] * y + b[k]) for k in range(len(b)))

    def poisson(u, x, y):
        return -laplacian(u) + laplacian(exact(x, y))

    def wall(u, x, y):
        return u - exact(x, y)

    equations = (Equation(poisson), Equation(wall, on="boundary"))
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=equations, exact=exact)


@pytest.mark.parametrize(
    ("network", "activation"),
    [(Features(10, bandwidth=4.0), torch.sin), (MLP(10, 1, "tanh", init="box"), torch.tanh)],
)
def test_a_solution_in_the_span_of_the_first_basis_is_found_to_round_off_at_once(network, activation):
    domain = Box(x=(0, 1), y=(0, 1))
    basis = network.build(domain, 1, torch.Generator().manual_seed(0), torch.float64, torch.device("cpu")).basis
    drawn = basis.weights[0].detach(), basis.biases[0].detach()
    coef = torch.randn(11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    verdict = solve_once(in_span(drawn, activation, coef), network, LSGD(), points=100, seed=0).verdict
    assert verdict.status is Status.CONVERGED
    assert verdict.steps == 1
    assert verdict.error is not None
    assert verdict.error < 1e-12
    other = solve_once(in_span(drawn, activation, coef), network, LSGD(hidden="fixed"), points=100, seed=1).verdict
    assert other.error is not None
    assert other.error > 1e-9  # another draw does not hold it


def test_values_in_the_span_are_fitted_to_round_off():
    x = np.linspace(0, 1, 60)
    network = MLP(8, 3, "relu", init="box", residual=True)
    points = Points({"x": x})
    built = network.build(points, 1, torch.Generator().manual_seed(0), torch.float64, torch.device("cpu"))
    a = last_layer_of(built.basis, torch.from_numpy(x)[:, None])
    value = (a @ torch.arange(1.0, 9.0, dtype=torch.float64)).numpy()

    def fit(u, value):
        return u - value

    problem = Problem(domain=Points({"x": x}, {"value": value}), fields=("u",), equations=(Equation(fit),))
    verdict = solve_once(problem, network, LSGD(tolerance=1e-12), seed=0).verdict
    assert verdict.steps == 1
    assert verdict.training["fit"] < 1e-12 * np.abs(value).max()


def last_layer_of(basis: Perceptron, a: Tensor) -> Tensor:
    for i, (weight, bias) in enumerate(zip(basis.weights, basis.biases, strict=True)):
        branch = torch.relu(a @ weight.detach() + bias.detach())
        a = a + branch if i else branch
    return a


def wave() -> Problem:
    """u = sin(2 pi x) on the unit interval, without conditions at its ends."""

    def fit(u, x):
        return u - torch.sin(2 * math.pi * x)

    return Problem(
        domain=Box(x=Parameter(0, 1)),
        fields=("u",),
        equations=(Equation(fit),),
        exact=lambda x: torch.sin(2 * math.pi * x),
    )


def median_error(solver: Solver, network: NetworkSettings) -> float:
    errors = [
        solve_once(wave(), network, solver, points=256, rule="grid", seed=seed).verdict.error for seed in range(3)
    ]
    return float(np.median(errors))


@pytest.mark.slow
def test_a_sine_is_fitted_four_times_better_than_by_adam_in_as_many_steps():
    network = MLP(32, 4, "relu", init="box", residual=True)
    ours = median_error(LSGD(steps=200, patience=10**6, tolerance=0.0), network)
    adam = median_error(Adam(steps=200, patience=10**6), network)
    assert ours < adam / 4
    assert ours < 2e-3


def nearly_solved() -> tuple[System, Tensor]:
    """A fit by three tanh ridges, close to the weights with which it is exact, the head solved for."""
    x = np.linspace(0, 1, 40)
    value = np.tanh(3 * x - 1) - 0.5 * np.tanh(5 * x - 3)

    def fit(u, value):
        return u - value

    problem = Problem(domain=Points({"x": x}, {"value": value}), fields=("u",), equations=(Equation(fit),))
    s = system(problem, MLP(2, 1, "tanh"))
    s = s.on({"interior": problem.domain.all()})
    theta = s.initial()
    theta[s.hidden] = torch.tensor([3.0, 5.0, -1.0, -3.0], dtype=torch.float64) + 1e-4 * torch.tensor([1, -2, 3, 1])
    return s, fit_head(s, theta, cutoffs=ALL).theta


def test_variable_projection_takes_the_step_of_the_reduced_residual():
    s, theta = nearly_solved()
    hidden, n = theta[s.hidden], s.hidden.stop
    solver = LSGD(hidden="gauss-newton", search=False, balance=False, cutoff=1e-15, tolerance=0.0)
    first = solver.step(s, theta, solver.init(s, theta))
    second = solver.step(s, first.theta, first.state)

    def rows(moved: Tensor) -> np.ndarray:
        there = theta.clone()
        there[s.hidden] = moved
        return fit_head(s, there, cutoffs=ALL).rows.numpy()

    h = 1e-4
    units = h * torch.eye(n, dtype=torch.float64)
    j = np.column_stack([(rows(hidden + unit) - rows(hidden - unit)) / (2 * h) for unit in units])
    r, mu = rows(hidden), second.report.notes["damping"]
    expected = -np.linalg.solve(j.T @ j + mu * np.eye(n), j.T @ r)
    found = (second.theta - first.theta)[s.hidden].numpy()
    # Kaufman's form drops a term of the size of the residual, here 1e-5 of the values.
    assert np.allclose(found, expected, rtol=0, atol=1e-2 * np.linalg.norm(expected))
    unprojected = s.jacobian(theta, s.hidden).numpy()
    wrong = -np.linalg.solve(unprojected.T @ unprojected + mu * np.eye(n), unprojected.T @ r)
    assert not np.allclose(found, wrong, rtol=0, atol=0.1 * np.linalg.norm(expected))
    assert second.report.loss < 1e-3 * first.report.loss  # close to the solution, Gauss-Newton is fast


@pytest.mark.parametrize(("hidden", "steps", "lower"), [("gradient", 60, 2.0), ("gauss-newton", 40, 10.0)])
def test_a_moving_basis_resolves_a_layer_better_than_the_first(hidden, steps, lower):
    network, problem = MLP(24, 1, "tanh", init="box"), advection.problem("layer2d", eps=0.05)
    fixed, moved = (
        solve_once(problem, network, solver, points=300).verdict.error
        for solver in (LSGD(hidden="fixed"), LSGD(hidden=hidden, steps=steps, damping=1e-8))
    )
    assert moved < fixed / lower


@pytest.mark.parametrize(
    ("status", "solver"),
    [
        (Status.SOLVED, LSGD(hidden="fixed")),
        (Status.CONVERGED, LSGD(tolerance=0.5)),
        (Status.STALLED, LSGD(patience=1, tolerance=0.0)),
        (Status.STEPS, LSGD(steps=2, tolerance=0.0)),
        (Status.SECONDS, LSGD(seconds=1e-9, tolerance=0.0)),
    ],
)
def test_every_reason_to_stop_is_reached(status, solver):
    assert solve_once(wave(), MLP(6, 2, "tanh", init="box"), solver, points=40).verdict.status is status


@pytest.mark.parametrize("settings", [{"hidden": "newton"}, {"damping": -1.0}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(PinnmlError, match="expected"):
        LSGD(**settings)
