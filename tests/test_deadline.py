"""Deadlines: what stops at them, what is given up beforehand, and that solves of every kind keep to them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import LBFGS, LSGD, MLP, Adam, Features, LevenbergMarquardt, Recipe, solve
from pinnml.deadline import NEVER, Deadline, OutOfTimeError
from pinnml.linalg import RankRevealed, damped_steps, triangle
from pinnml.run import prepared
from pinnml.solvers import Status
from tests.helpers.solving import rod

LATER = Deadline(time.perf_counter() + 1e6)
PAST = Deadline(0.0)


def matrix(rows: int, columns: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((rows, columns)))


def test_a_deadline_tells_what_is_left_and_its_parts():
    with pytest.raises(OutOfTimeError):
        PAST.check()
    NEVER.check()
    LATER.check()
    assert NEVER.left == np.inf
    assert NEVER.part(0.5) is NEVER
    assert LATER.part(0.25).left == pytest.approx(LATER.left / 4, rel=1e-3)
    assert PAST.part(0.5).left <= 0


def test_work_that_would_outlast_it_is_not_begun():
    LATER.forecast(1e12)
    NEVER.forecast(1e30)
    PAST.forecast(1e3)  # so little is not worth a measurement
    with pytest.raises(OutOfTimeError):
        Deadline(time.perf_counter() + 1).forecast(1e18)


@pytest.mark.parametrize("shape", [(300, 150), (300, 128), (150, 150), (120, 260)])
def test_panels_give_the_triangle_of_one_piece(shape, monkeypatch):
    monkeypatch.setattr("pinnml.linalg.BRIEF", 0.0)
    a, b = matrix(*shape), matrix(shape[0], 1)[:, 0]
    whole, panels = triangle(a, b), triangle(a, b, deadline=LATER)
    assert torch.equal(panels.r, panels.r.triu())
    assert torch.allclose(panels.r.mT @ panels.r, whole.r.mT @ whole.r, rtol=0, atol=1e-13)
    assert torch.allclose(panels.r.mT @ panels.d, whole.r.mT @ whole.d, rtol=0, atol=1e-12)
    with pytest.raises(OutOfTimeError):
        triangle(a, b, deadline=PAST)


def test_panels_take_columns_of_which_nothing_is_left(monkeypatch):
    """Zeros and repeated columns, and a panel that is triangular already: vectors that reflect nothing."""
    monkeypatch.setattr("pinnml.linalg.BRIEF", 0.0)
    a = matrix(400, 300)
    a[:, :130], a[:, 150], a[:, 200] = 0.0, 0.0, a[:, 140]
    a[:20, :20] = torch.eye(20, dtype=a.dtype)
    whole, panels = triangle(a, a[:, 299]), triangle(a, a[:, 299], deadline=LATER)
    assert torch.allclose(panels.r.mT @ panels.r, whole.r.mT @ whole.r, rtol=0, atol=1e-13)


def test_a_rank_decision_that_would_take_too_long_is_not_begun():
    system = triangle(matrix(900, 800), matrix(900, 1)[:, 0])
    with pytest.raises(OutOfTimeError):
        RankRevealed(system, PAST)


class Hasty(Deadline):
    """A deadline for which every factorisation is too long."""

    def forecast(self, operations: float) -> None:
        raise OutOfTimeError


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", [(40, 15), (15, 40), (20, 20)])
def test_steps_of_the_whole_krylov_space_are_those_of_the_factorisation(shape, gram):
    j, r = matrix(*shape), matrix(shape[0], 1)[:, 0]
    hasty, exact = damped_steps(j, r, gram=gram, deadline=Hasty(LATER.moment)), damped_steps(j, r)
    for damping in (0.1, 10.0):
        assert torch.allclose(hasty.step(damping), exact.step(damping), rtol=0, atol=1e-11)
        assert hasty.predicted(damping) == pytest.approx(exact.predicted(damping), rel=1e-10)


def test_steps_of_a_small_krylov_space_keep_the_promise_of_the_model():
    j, r = matrix(300, 250), matrix(300, 1)[:, 0]
    soon = Hasty(time.perf_counter() + 0.05)
    steps = damped_steps(j, r, deadline=soon)
    for damping in (0.0, 5.0):
        moved = r + j @ steps.step(damping)
        assert 0.5 * float(r @ r - moved @ moved) == pytest.approx(steps.predicted(damping), rel=1e-8)
    assert steps.predicted(0.0) > 0.2 * 0.5 * float(r @ r)


@pytest.mark.parametrize("deadline", [PAST, Hasty(LATER.moment)], ids=["past", "hasty"])
def test_no_residual_is_no_division_by_zero(deadline):
    zero = torch.zeros(8, dtype=torch.float64)
    if deadline is PAST:
        damped_steps(matrix(8, 5), zero, deadline=deadline)  # small enough to be done at once
    else:
        assert not damped_steps(matrix(8, 5), zero, deadline=deadline).step(1.0).any()


def test_a_system_looks_at_the_clock_between_chunks():
    system = prepared(rod(), Recipe(MLP(6, 1, "tanh"), points=60))
    theta, late = system.initial(), system.within(PAST)
    assert late.held_out is not None
    for work in (late.residual, late.jacobian, late.loss_and_gradient, late.relative, late.held_out.rms):
        with pytest.raises(OutOfTimeError):
            work(theta)
    assert torch.equal(late.within(NEVER).residual(theta), system.residual(theta))


def test_the_gradient_by_chunks_is_that_of_the_whole():
    system = prepared(rod(), Recipe(MLP(6, 2, "tanh"), points=60)).in_chunks(7)
    theta = system.initial().requires_grad_()
    loss, gradient = system.loss_and_gradient(theta)
    whole = system.loss(theta)
    assert float(loss) == pytest.approx(whole.item(), rel=1e-13)
    assert torch.allclose(gradient, torch.autograd.grad(whole, theta)[0], rtol=0, atol=1e-11)


SOLVERS = {
    "lsgd": (Features(60, bandwidth=3.0), LSGD),
    "search": (Features(60), LSGD),
    "lm": (MLP(8, 2, "tanh"), LevenbergMarquardt),
    "lbfgs": (MLP(8, 2, "tanh"), LBFGS),
    "adam": (MLP(8, 2, "tanh"), Adam),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_without_time_for_a_step_the_start_is_kept_and_judged(name):
    network, solver = SOLVERS[name]
    verdict = solve(rod(), network, solver(seconds=1e-9), points=60, verify=False).verdict
    assert verdict.status is Status.SECONDS
    assert verdict.steps == 0
    assert not verdict.good
    assert np.isfinite(list(verdict.relative.values())).all()


def test_without_time_for_all_functions_a_few_are_fitted():
    solution = solve(rod(), Features(700, bandwidth=3.0), LSGD(seconds=1e-9), verify=False)
    assert solution.verdict.status is Status.SECONDS
    assert solution.verdict.notes["functions"] == 300
    assert solution.verdict.error < 1e-6
    assert len(solution.network.coef) == 301


def test_a_line_search_without_time_keeps_the_best_of_its_trials(monkeypatch):
    system = prepared(rod(), Recipe(MLP(4, 1, "tanh"), points=20))
    solver, theta = LBFGS(), system.initial()
    state, evaluations = solver.init(system, theta), []
    work = type(system).loss_and_gradient

    def counted(self, theta):
        if len(evaluations) == 6:
            raise OutOfTimeError
        evaluations.append(self.loss(theta).item())
        return work(self, theta)

    monkeypatch.setattr(type(system), "loss_and_gradient", counted)
    step = solver.step(system, theta, state)
    assert step.report.status is Status.SECONDS
    assert step.report.loss == pytest.approx(min(evaluations), rel=1e-12)
    assert float(system.loss(step.theta)) == pytest.approx(min(evaluations), rel=1e-12)
    assert min(evaluations) < evaluations[0]


def test_a_second_solve_has_a_budget_of_its_own_and_says_when_it_was_not_enough(monkeypatch):
    monkeypatch.setattr("pinnml.run.judge.LEAST_SECONDS", 0.0)
    late = solve(rod(), Features(60, bandwidth=3.0), LSGD(seconds=1e-9), points=60).verdict
    assert late.estimate == {}
    assert any("not estimated" in warning for warning in late.warnings)
    unknown = replace(rod(), exact=None)
    late = solve(unknown, Features(60, bandwidth=3.0), LSGD(seconds=1e-9), points=60).verdict
    assert any("could not be checked: the second solve did not end within 1e-09 s" in each for each in late.complaints)
    monkeypatch.setattr("pinnml.run.judge.LEAST_SECONDS", 600.0)
    timely = solve(rod(), Features(60, bandwidth=3.0), LSGD(seconds=1e-9), points=60).verdict
    assert timely.estimate["u"] > 0.5
    assert not any("not estimated" in warning for warning in timely.warnings)
    timely = solve(unknown, Features(60, bandwidth=3.0), LSGD(seconds=1e-9), points=60).verdict
    assert not any("could not be checked" in each for each in timely.complaints)
