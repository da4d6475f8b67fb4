"""Adam and L-BFGS: the same numbers as PyTorch's optimisers run by hand, in both precisions, on every problem."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pinnml import LBFGS, MLP, Adam, Box, Equation, Points, Problem, Wrapped
from pinnml.run import Recipe, prepared
from pinnml.solvers import Solver, Status
from pinnml.system import System
from tests.helpers.catalogue import NETWORKS, PROBLEMS, built, system
from tests.helpers.solving import solve_once


def single(name: str, network: str) -> System:
    """A small system in float32."""
    problem = PROBLEMS[name]()
    return system(problem, NETWORKS[network](problem), points=8, dtype=torch.float32)


def run(solver: Solver, s: System, steps: int) -> tuple[list[Tensor], list[float], list[Status | None]]:
    theta = s.initial()
    state, thetas, losses, statuses = solver.init(s, theta), [], [], []
    for _ in range(steps):
        step = solver.step(s, theta, state)
        theta, state = step.theta, step.state
        thetas.append(theta)
        losses.append(step.report.loss)
        statuses.append(step.report.status)
    return thetas, losses, statuses


def by_hand(
    s: System, make: Callable[[Tensor], torch.optim.Optimizer], steps: int, rate: Callable[[int], float] | None = None
) -> list[Tensor]:
    parameter = torch.nn.Parameter(s.initial())
    optimiser, thetas = make(parameter), []
    for step in range(steps):
        if rate:
            optimiser.param_groups[0]["lr"] = rate(step)

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = 0.5 * s.residual(parameter).square().sum()
            loss.backward()
            return loss

        optimiser.step(closure)
        thetas.append(parameter.detach().clone())
    return thetas


@pytest.mark.parametrize("name", ["heat", "conduction", "wave vector"])
@pytest.mark.parametrize(("rate", "decay"), [(1e-3, 1.0), (1e-2, 1e-6)])
def test_adam_is_that_of_pytorch_step_for_step(name, rate, decay):
    s = built(name, "sine mlp", 12)
    thetas, losses, _ = run(Adam(rate=rate, decay=decay), s, 20)
    expected = by_hand(s, lambda p: torch.optim.Adam([p], lr=rate), 20, rate=lambda step: rate * decay ** (step / 1000))
    for found, theta, loss in zip(thetas, expected, losses, strict=True):
        assert torch.equal(found, theta)
        assert loss == float(s.loss(theta).detach())
    other = by_hand(s, lambda p: torch.optim.Adam([p], lr=1.001 * rate), 20)
    assert not torch.allclose(thetas[-1], other[-1], rtol=0, atol=1e-3 * rate)


@pytest.mark.parametrize("name", ["heat", "conduction"])
@pytest.mark.parametrize(("inner", "memory"), [(1, 100), (5, 3), (20, 100)])
def test_lbfgs_is_that_of_pytorch_step_for_step(name, inner, memory):
    s = built(name, "sine mlp", 12)
    thetas, losses, _ = run(LBFGS(inner=inner, memory=memory), s, 4)
    settings: dict = {"tolerance_grad": 0.0, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
    settings |= {"max_iter": inner, "max_eval": 25 * inner, "history_size": memory}
    expected = by_hand(s, lambda p: torch.optim.LBFGS([p], **settings), 4)
    for found, theta, loss in zip(thetas, expected, losses, strict=True):
        assert torch.equal(found, theta)
        assert loss == float(s.loss(theta).detach())
    assert all(after < before for before, after in itertools.pairwise(losses))


def test_the_theta_that_was_handed_in_is_left_alone():
    s = built("heat", "sine mlp")
    for solver in (Adam(), LBFGS()):
        theta = s.initial()
        state = solver.init(s, theta)
        first = solver.step(s, theta, state)
        kept = first.theta.clone()
        solver.step(s, first.theta, first.state)
        assert torch.equal(theta, s.initial())
        assert torch.equal(first.theta, kept)


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "wrapped"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_with_every_network_goes_downhill_in_single_precision(name, network):
    s = single(name, network)
    first = float(s.loss(s.initial()))
    for solver, steps in ((Adam(rate=1e-4), 3), (LBFGS(inner=2), 2)):
        thetas, losses, _ = run(solver, s, steps)
        assert thetas[-1].dtype == torch.float32
        assert math.isfinite(losses[-1])
        assert losses[-1] < first


@pytest.mark.parametrize("name", ["advection layer"])
def test_foreign_modules_go_downhill_in_single_precision(name):
    s = single(name, "wrapped")
    for solver in (Adam(rate=1e-4), LBFGS(inner=4)):
        assert run(solver, s, 2)[1][-1] < float(s.loss(s.initial()))


def line(slope: float) -> Problem:
    """A fit of slope x at eleven points."""
    x = torch.linspace(0, 1, 11, dtype=torch.float64).numpy()

    def fit(u, value):
        return u - value

    return Problem(domain=Points({"x": x}, {"value": slope * x}), fields=("u",), equations=(Equation(fit),))


class Powers(nn.Module):
    """1 and x: the model is linear, and the line within its reach."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x**0, x], dim=1)


def overflow(u):
    return 3 * (u - 0.7) + torch.exp(-2000 * (u - 0.6))


def root_of_a_negative_number(u):
    return torch.sqrt(u - 0.7) - 0.1


@pytest.mark.parametrize("equation", [overflow, root_of_a_negative_number])
def test_lbfgs_turns_back_where_a_long_step_finds_no_number(equation):
    domain = Box(x=(0, 1))
    problem = Problem(domain=domain, fields=("u",), equations=(Equation(equation),), ansatz=lambda u: u)
    s = prepared(problem, Recipe(Wrapped(Powers()), points=20))
    theta = s.initial()
    loss, gradient = s.loss_and_gradient(theta)
    # PyTorch's first step, from u = 1 beyond the solution, u near 0.7, to where there is no number
    first = theta - gradient * min(1.0, 1.0 / float(gradient.abs().sum()))
    assert not math.isfinite(float(s.loss(first)))
    assert run(LBFGS(inner=5), s, 3)[1][-1] < float(loss) / 10


STOPS = {
    Status.ROUND_OFF: LBFGS(inner=50),
    Status.STALLED: Adam(rate=1e-9, patience=7),
    Status.STEPS: Adam(steps=9),
    Status.SECONDS: LBFGS(seconds=1e-9),
    Status.NOT_FINITE: Adam(rate=1e300),
}


@pytest.mark.parametrize("status", STOPS)
def test_every_reason_to_stop_is_reached(status):
    problem, network = line(2.0), Wrapped(Powers()) if status is Status.ROUND_OFF else MLP(5, 1, "tanh")
    verdict = solve_once(problem, network, STOPS[status]).verdict
    assert verdict.status is status
    match status:
        case Status.ROUND_OFF:
            assert verdict.training["fit"] < 1e-13
        case Status.STALLED:
            assert verdict.steps == 7
        case Status.STEPS:
            assert verdict.steps == 9
        case Status.SECONDS:
            assert verdict.steps == 0
        case Status.NOT_FINITE:
            assert math.isfinite(verdict.training["fit"])


def test_a_seed_repeats_a_run_and_another_does_not():
    first, again, other = (
        solve_once(line(2.0), MLP(5, 1, "tanh"), Adam(steps=20), seed=seed).verdict.training["fit"]
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_learning_rates_rise_and_fall_as_asked():
    rates = [Adam(rate=0.1, ramp=4)._rate(step) for step in (0, 1, 3, 9)]
    assert rates == pytest.approx([0.025, 0.05, 0.1, 0.1])
    cycle = [Adam(rate=1.0, cycle=10)._rate(step) for step in (0, 5, 10, 19)]
    falls = [(1 + math.cos(math.pi * part)) / 2 for part in (0.0, 0.5, 0.0, 0.9)]
    assert cycle == pytest.approx([0.01 + 0.99 * fall for fall in falls])
    assert Adam(rate=1.0, decay=0.5)._rate(2000) == 0.25
