"""Levenberg-Marquardt: against the closed forms of a linear model, against dense NumPy, and every way to stop."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from torch import nn

from pinnml import MLP, LevenbergMarquardt, Schedule, Wrapped
from pinnml.errors import SettingsError
from pinnml.linalg import damped_steps
from pinnml.solvers import Status
from pinnml.solvers.levenberg_marquardt import TERMINAL_WINDOW, State, rebalanced
from pinnml.system import System
from tests.helpers.catalogue import NETWORKS, PROBLEMS, built, system
from tests.helpers.cosines import Cosines, linear_model, values
from tests.helpers.solving import cubic, solve_once


def residuals_of(s: System, solver: LevenbergMarquardt, steps: int) -> list[np.ndarray]:
    theta = s.initial()
    state, found = solver.init(s, theta), [s.residual(theta).detach().numpy()]
    for _ in range(steps):
        step = solver.step(s, theta, state)
        s, theta, state = step.system, step.theta, step.state
        found.append(s.residual(theta).detach().numpy())
    return found


@pytest.mark.parametrize(("points", "functions"), [(14, 6), (10, 10), (6, 9)])
@pytest.mark.parametrize(("mu", "rate"), [(0.1, 1.0), (0.01, 0.3), (1.0, 1.7), (0.0, 0.4)])
def test_every_mode_of_a_linear_model_decays_by_its_closed_form(points, functions, mu, rate):
    s, j = linear_model(points, functions)
    u, values, _ = np.linalg.svd(j)
    eigenvalues = np.zeros(points)
    eigenvalues[: len(values)] = values**2
    reached = eigenvalues > 0
    part = np.where(reached, eigenvalues / np.where(reached, mu + eigenvalues, 1.0), 0.0)
    steps = 20
    first, *_, last = residuals_of(s, LevenbergMarquardt(damping=mu, rate=rate), steps)
    expected = (1 - rate * part) ** steps * (u.T @ first)
    # Least eigenvalue over largest is 1e-3: eigenvectors of the Gram matrix keep 13 digits of each mode.
    assert np.allclose(u.T @ last, expected, rtol=0, atol=1e-12 * np.linalg.norm(first))
    assert not np.allclose(u.T @ last, (1 - rate * part / 2) ** steps * (u.T @ first), rtol=0, atol=1e-3)
    unreached = np.abs(expected[~reached])
    assert points <= functions or unreached.max() > 1e-2  # modes beyond the reach of the model stay


def test_gauss_newton_leaves_modes_below_the_cutoff_alone():
    left, right = (np.linalg.qr(np.random.default_rng(k).standard_normal((5, 5)))[0] for k in (0, 1))
    j = torch.from_numpy(left * np.array([1.0, 0.1, 1e-3, 1e-18, 0.0]) @ right)
    r, rate, steps = torch.from_numpy(left.sum(axis=1)), 0.25, 12
    now = r.clone()
    for _ in range(steps):
        now = now + rate * j @ damped_steps(j, now).step(0.0)
    decay = (1 - rate) ** steps
    # The mode at 1e-3 carries the round-off of the rows over its singular value.
    assert np.allclose(left.T @ now.numpy(), [decay, decay, decay, 1.0, 1.0], rtol=0, atol=1e-11)


@pytest.mark.parametrize("mu", [1e-3, 1.0, 984.0])
@pytest.mark.parametrize("p", [8, 13])
def test_condition_of_the_damped_kernel_is_the_closed_form(mu, p):
    left, right = (np.linalg.qr(np.random.default_rng(k).standard_normal((n, n)))[0] for k, n in ((0, 8), (1, p)))
    eigenvalues = np.geomspace(1.0, 984.0, 8)
    j = torch.from_numpy(left * np.sqrt(eigenvalues) @ right[:8])
    steps = damped_steps(j, torch.zeros(8, dtype=torch.float64))
    kernel = np.column_stack([(-j @ steps.answer(unit, mu)).numpy() for unit in torch.eye(8, dtype=torch.float64)])
    expected = 984.0 * (1 + mu) / (984.0 + mu)
    assert np.linalg.cond(kernel) == pytest.approx(expected, rel=1e-10)
    if mu == 1.0:
        assert np.linalg.cond(kernel) == pytest.approx(1.998, abs=5e-4)


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize(("m", "p"), [(30, 12), (12, 30), (9, 9)])
@pytest.mark.parametrize("mu", [1e-3, 1.0, 1e3])
def test_parameter_form_kernel_form_and_conjugate_gradients_agree(m, p, mu, gram):
    j = np.random.default_rng(0).standard_normal((m, p))
    r = np.random.default_rng(1).standard_normal(m)
    found = damped_steps(torch.from_numpy(j), torch.from_numpy(r), gram=gram).step(mu).numpy()
    parameter = -np.linalg.solve(j.T @ j + mu * np.eye(p), j.T @ r)
    kernel = -j.T @ np.linalg.solve(j @ j.T + mu * np.eye(m), r)
    iterated, failed = scipy.sparse.linalg.cg(j.T @ j + mu * np.eye(p), -j.T @ r, rtol=1e-14, maxiter=1000)
    assert not failed
    for expected in (parameter, kernel, iterated):  # solved through matrices of condition 1e5 and less
        assert np.allclose(found, expected, rtol=0, atol=1e-10 * np.linalg.norm(parameter))


@pytest.mark.parametrize(("m", "p"), [(30, 12), (12, 30)])
def test_step_tends_to_the_gradient_and_to_the_shortest_gauss_newton_step(m, p):
    j = np.random.default_rng(0).standard_normal((m, p))
    r = np.random.default_rng(1).standard_normal(m)
    steps = damped_steps(torch.from_numpy(j), torch.from_numpy(r))
    gradient, shortest = j.T @ r, np.linalg.pinv(j) @ r
    assert np.allclose(-1e10 * steps.step(1e10).numpy(), gradient, rtol=0, atol=1e-7 * np.linalg.norm(gradient))
    assert np.allclose(-steps.step(0.0).numpy(), shortest, rtol=0, atol=1e-12)


@pytest.mark.parametrize("points", [14, 5])
def test_rows_scaled_by_c_need_c_squared_times_the_damping(points):
    c = 7.0
    (plain, _), (scaled, _) = linear_model(points, 8), linear_model(points, 8, weight=c**2)
    first = residuals_of(plain, LevenbergMarquardt(damping=0.05), 1)[1]
    second = residuals_of(scaled, LevenbergMarquardt(damping=0.05 * c**2), 1)[1]
    assert np.allclose(second, c * first, rtol=0, atol=1e-13 * c)
    unscaled = residuals_of(scaled, LevenbergMarquardt(damping=0.05), 1)[1]
    assert not np.allclose(unscaled, c * first, rtol=0, atol=1e-2 * c)


@pytest.mark.parametrize(("step", "damping"), [(0, 1e-2), (125, 10**-2.5), (250, 1e-3), (500, 1e-4), (10_000, 1e-4)])
def test_schedule_is_log_linear_and_then_constant(step, damping):
    assert Schedule(1e-2, 1e-4, 500)(step) == pytest.approx(damping, rel=1e-14)


def test_scheduled_damping_is_counted_from_zero():
    schedule = Schedule(1.0, 1e-2, 3)
    s, j = linear_model(12, 5)
    found = residuals_of(s, LevenbergMarquardt(damping=schedule), 5)
    for step, (before, after) in enumerate(itertools.pairwise(found)):
        mu = [1.0, 10 ** (-2 / 3), 10 ** (-4 / 3), 1e-2, 1e-2][step]
        expected = before - j @ np.linalg.solve(j.T @ j + mu * np.eye(5), j.T @ before)
        assert np.allclose(after, expected, rtol=0, atol=1e-13 * np.linalg.norm(before))


@pytest.mark.parametrize(("start", "end", "steps"), [(0.0, 1.0, 5), (1.0, -1.0, 5), (1.0, 0.1, 0)])
def test_schedule_that_cannot_be_is_refused(start, end, steps):
    with pytest.raises(SettingsError, match="expected"):
        Schedule(start, end, steps)


@pytest.mark.parametrize("damping", ["trust", -1.0, math.nan, None])
def test_damping_that_cannot_be_is_refused(damping):
    with pytest.raises(SettingsError, match="trust-region"):
        LevenbergMarquardt(damping=damping)


@pytest.mark.parametrize("network", [n for n in NETWORKS if n != "wrapped"])
@pytest.mark.parametrize("target", [0.1, 0.5])
def test_no_accepted_step_raises_the_loss_and_each_meets_its_target(network, target):
    s = system(cubic(), NETWORKS[network](cubic()))
    solver = LevenbergMarquardt(target=target, final_target=target)
    theta, state = s.initial(), solver.init(s, s.initial())
    losses, ratios = [float(s.loss(theta))], []
    for _ in range(15):
        step = solver.step(s, theta, state)
        theta, state = step.theta, step.state
        if step.report.status:
            break
        assert step.report.loss == pytest.approx(float(s.loss(theta)), rel=1e-10)
        losses.append(step.report.loss)
        ratios.append(step.report.notes["gain ratio"])
    assert all(after < before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 1e-2 * losses[0]
    assert np.mean([ratio >= target for ratio in ratios]) >= 0.9  # the rest lower the loss without the target


def test_target_rises_once_the_damping_has_long_passed_its_minimum():
    s = system(cubic(), NETWORKS["sine mlp"](cubic()))
    theta, low = s.initial(), LevenbergMarquardt(target=0.05, final_target=0.95)
    high = LevenbergMarquardt(target=0.95, final_target=0.95)
    early = State(radius=10.0, losses=(float(s.loss(theta)),), dampings=(1e-9, *[1.0] * (TERMINAL_WINDOW - 1)))
    late = State(radius=10.0, losses=early.losses, dampings=(*early.dampings, 1.0))
    by_low, by_high = low.step(s, theta, early), high.step(s, theta, early)
    assert not torch.equal(by_low.theta, by_high.theta)
    assert torch.equal(low.step(s, theta, late).theta, by_high.theta)


def test_a_linear_model_is_solved_in_two_steps():
    s, j = linear_model(20, 8)
    first, *_, last = residuals_of(s, LevenbergMarquardt(), 2)
    least = first - j @ np.linalg.lstsq(j, first, rcond=None)[0]
    assert np.linalg.norm(last) == pytest.approx(np.linalg.norm(least), rel=1e-13)


@pytest.mark.slow
def test_nonlinear_problem_is_solved_to_eight_digits():
    solution = solve_once(cubic(), MLP(10, 1, bandwidth=3.0), LevenbergMarquardt(steps=120), points=60, rule="gauss")
    assert solution.verdict.error is not None
    assert solution.verdict.error < 1e-8


def test_rebalancing_moves_weights_by_the_share_of_the_loss_and_keeps_their_mean():
    s = system(cubic(weight=30.0), MLP(8, 2, "tanh"))
    theta, exponent = s.initial(), 0.3
    r = s.residual(theta).detach().numpy()
    own = {name: 0.5 * np.sum(r[rows] ** 2) for name, rows in s.rows.items()}
    mean = np.mean(list(own.values()))
    raised = {name: s.weights[name] * (mean / own[name]) ** exponent for name in own}
    scale = np.mean(list(s.weights.values())) / np.mean(list(raised.values()))
    found = rebalanced(s, theta, exponent)
    assert found.weights == pytest.approx({name: scale * weight for name, weight in raised.items()}, rel=1e-13)
    step = LevenbergMarquardt(rebalance=exponent).step(s, theta, State())
    assert step.system.weights == found.weights
    assert step.report.loss == pytest.approx(float(found.loss(step.theta)), rel=1e-10)


def test_rebalancing_evens_the_shares_of_the_loss_out():
    s = system(cubic(weight=1e-4), MLP(8, 2, "tanh"))
    theta = s.initial()

    def spread(s: System) -> float:
        r = s.residual(theta).detach()
        shares = [float(r[rows].square().sum()) for rows in s.rows.values()]
        return max(shares) / min(shares)

    before = spread(s)
    for _ in range(20):
        s = rebalanced(s, theta, 0.2)
    assert before > 100
    assert spread(s) < 1.2


STOPS = {
    Status.CONVERGED: (LevenbergMarquardt(damping=1e-3, tolerance=1e-6), True),
    Status.STALLED: (LevenbergMarquardt(damping=1e-3, patience=5), False),
    Status.ROUND_OFF: (LevenbergMarquardt(tolerance=0.0), True),
    Status.NO_DESCENT: (LevenbergMarquardt(), False),
    Status.STEPS: (LevenbergMarquardt(damping=1.0, steps=3), False),
    Status.SECONDS: (LevenbergMarquardt(damping=1.0, seconds=1e-9), False),
    Status.DIVERGED: (LevenbergMarquardt(damping=0.0, rate=3.0), False),
    Status.NOT_FINITE: (LevenbergMarquardt(damping=0.0, rate=1e200), False),
}


@pytest.mark.parametrize("status", STOPS)
def test_every_reason_to_stop_is_reached_and_true(status):
    solver, inside = STOPS[status]
    problem = values(40, inside)
    verdict = solve_once(problem, Wrapped(Cosines(6)), solver).verdict
    assert verdict.status is status
    kept = problem.domain.sample("interior", 40, torch.Generator())
    functions, value = Cosines(6)(kept.x).numpy(), kept.columns["value"].numpy()
    least = rms(functions @ np.linalg.lstsq(functions, value, rcond=None)[0] - value)
    first, last = rms(functions[:, 0] - value), verdict.training["fit"]
    match status:
        case Status.CONVERGED:
            assert max(verdict.relative.values()) <= 1e-6
            assert last <= 1e-6 * 3 * first  # the terms are fields and values, of about the same size
        case Status.ROUND_OFF:
            assert last < 1e-14 * first
        case Status.STALLED | Status.NO_DESCENT:
            assert last == pytest.approx(least, rel=1e-3 if status is Status.STALLED else 1e-12)
        case Status.STEPS:
            assert verdict.steps == 3
            assert least < last < first
        case Status.SECONDS:
            assert verdict.steps == 0
            assert last == first
        case Status.DIVERGED:  # twice the error in reach at each step: four times the loss, 4^9 < 1e6 < 4^10
            assert verdict.steps in (10, 11)
            assert last < 2**11 * first
        case Status.NOT_FINITE:
            assert last == pytest.approx(first, rel=1e-12)
    assert verdict.converged == (status in (Status.CONVERGED, Status.STALLED, Status.ROUND_OFF))


def test_balancing_weights_the_first_step_alone_and_makes_rows_equally_long():
    s = system(cubic(weight=1e-4), MLP(8, 2, "tanh"))
    plain = LevenbergMarquardt().step(s, s.initial(), State())
    assert plain.system.weights == s.weights
    solver = LevenbergMarquardt(balance=True)
    first = solver.step(s, s.initial(), State())
    second = solver.step(first.system, first.theta, first.state)
    assert second.system.weights == first.system.weights
    lengths = []
    for name, own in (("balance", 1.0), ("ends", 1e-4)):
        rows = first.system.jacobian(s.initial(), s.head)[s.rows[name]]
        lengths.append(float(rows.square().sum()) / own)
    measures = (1.0, 2.0)  # of the interval, and of its two ends
    assert lengths[0] / measures[0] == pytest.approx(lengths[1] / measures[1], rel=1e-10)


def test_frozen_parameters_of_a_module_stay_as_they_are():
    module = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh()).double()
    module[0].requires_grad_(False)
    frozen, free = module[0].weight.clone(), module[2].weight.clone()
    solution = solve_once(cubic(), Wrapped(module), LevenbergMarquardt(steps=1), points=10)
    found = solution.network.basis.state_dict()
    assert torch.equal(found["module.0.weight"], frozen)
    assert not torch.equal(found["module.2.weight"], free)
    assert system(cubic(), Wrapped(module)).hidden.stop == 6 * 5 + 5  # the second layer alone
    again = solve_once(cubic(), solver=LevenbergMarquardt(steps=1), points=10, start=solution)
    assert torch.equal(again.network.basis.state_dict()["module.0.weight"], frozen)
    assert module[0].weight.requires_grad is False  # the user's own module is left alone


def rms(rows: np.ndarray) -> float:
    return math.sqrt(np.mean(rows**2))


PAIRS = [(name, network) for name in PROBLEMS for network in NETWORKS if network != "wrapped"]


@pytest.mark.parametrize(("name", "network"), [*PAIRS, ("advection layer", "wrapped")])
def test_every_problem_with_every_network_goes_downhill(name, network):
    s = built(name, network, 6)
    solver, theta = LevenbergMarquardt(), s.initial()
    state = solver.init(s, theta)
    for _ in range(2):
        step = solver.step(s, theta, state)
        s, theta, state = step.system, step.theta, step.state
    start, first, second = state.losses
    assert second < first < start
    assert second == pytest.approx(float(s.loss(theta)), rel=1e-8)
