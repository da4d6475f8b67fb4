"""The search along one factorisation: gain ratios, radii, and the bend that follows the curve of the residual."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml.linalg import damped_steps
from pinnml.solvers.trust_region import LONGEST_BEND, longest_good_step


def random_rows(m: int = 20, p: int = 6, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    j = torch.randn((m, p), generator=generator, dtype=torch.float64)
    return j, torch.randn(m, generator=generator, dtype=torch.float64)


class Curved:
    """Rows r + J d + c (K d)^2 / 2 + e (K d)^3 / 6: the directional second derivative at 0 is c (K d)^2."""

    def __init__(self, c: float, e: float = 0.0, seed: int = 0, p: int = 6):
        self.j, self.r = random_rows(p=p, seed=seed)
        self.k, self.c, self.e = random_rows(p=p, seed=seed + 100)[0], c, e
        self.calls: list[Tensor] = []

    def __call__(self, step: Tensor) -> tuple[Tensor, Tensor]:
        self.calls.append(step.clone())
        across = self.k @ step
        return self.r + self.j @ step + self.c * across**2 / 2 + self.e * across**3 / 6, step

    def search(self, radius: float, target: float, bent: bool = False):
        return longest_good_step(damped_steps(self.j, self.r), self, self.r, radius, target, bent=bent)


def half_square(r: Tensor) -> float:
    return 0.5 * float(np.sum(r.numpy() ** 2))


def gain_ratio(rows: Curved, step: Tensor) -> float:
    """The true decrease over that of the linear model, by its definition for steps of least |r + J d|^2 + mu |d|^2."""
    model = half_square(rows.r) - half_square(rows.r + rows.j @ step)
    return (half_square(rows.r) - half_square(rows(step)[0])) / model


@pytest.mark.parametrize("radius", [1e-3, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("target", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("curvature", [0.3, 3.0])
def test_step_keeps_its_promise_and_one_of_twice_the_length_would_not(curvature, target, radius):
    rows = Curved(curvature)
    trial = rows.search(radius, target)
    assert trial is not None
    step = trial.outcome
    assert trial.ratio >= target
    assert trial.ratio == pytest.approx(gain_ratio(rows, step), rel=1e-9)
    assert trial.loss == pytest.approx(half_square(rows(step)[0]), rel=1e-14)
    assert trial.loss < half_square(rows.r)
    steps = damped_steps(rows.j, rows.r)
    assert torch.allclose(step, steps.step(trial.damping), rtol=1e-12, atol=0)
    if trial.damping > 0:
        twice = steps.step(steps.damping_for(2 * float(step.norm())))
        assert float(step.norm()) == pytest.approx(trial.radius, rel=1e-9)
        assert gain_ratio(rows, twice) < target


def test_linear_rows_are_solved_in_one_search_from_any_radius():
    for radius in (1e-6, 1.0, 1e6):
        rows = Curved(0.0)
        trial = rows.search(radius, 0.5, bent=True)
        assert trial is not None
        expected = np.linalg.lstsq(rows.j.numpy(), -rows.r.numpy(), rcond=None)[0]
        assert trial.damping == 0.0
        assert trial.ratio == pytest.approx(1.0, abs=1e-12)
        assert np.allclose(trial.outcome.numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_lower_target_takes_a_longer_step(seed):
    trials = [Curved(10.0, seed=seed).search(1.0, target) for target in (0.02, 0.98)]
    low, high = (float(trial.outcome.norm()) for trial in trials if trial is not None)
    assert low > 1.9 * high


def test_without_a_step_that_meets_the_target_the_best_decrease_is_taken():
    j, r = random_rows()

    def half_as_good(step: Tensor) -> tuple[Tensor, Tensor]:
        """The loss falls by half of what is promised, whatever the step."""
        promised = half_square(r) - half_square(r + j @ step)
        return r * math.sqrt(1 - 0.5 * promised / half_square(r)), step

    steps = damped_steps(j, r)
    trial = longest_good_step(steps, half_as_good, r, 0.1, 0.9, bent=False)
    assert trial is not None
    assert trial.ratio == pytest.approx(0.5, rel=1e-9)
    assert trial.radius == pytest.approx(0.1)  # the first and longest of those that were tried


@pytest.mark.parametrize("after", [lambda r: 1.0001 * r, lambda r: math.nan * r, lambda r: math.inf * r, lambda r: r])
def test_no_step_is_returned_where_none_lowers_the_loss(after):
    j, r = random_rows()
    trial = longest_good_step(damped_steps(j, r), lambda step: (after(r), step), r, 1.0, 0.1, bent=True)
    assert trial is None


def test_residual_of_zero_has_no_step():
    j, r = random_rows()
    zero = torch.zeros_like(r)
    assert longest_good_step(damped_steps(j, zero), lambda d: (j @ d, d), zero, 1.0, 0.1, bent=True) is None


def test_radius_shrinks_out_of_a_region_that_is_not_finite():
    rows = Curved(0.0)

    def broken(step: Tensor) -> tuple[Tensor, Tensor]:
        value, outcome = rows(step)
        return (value if float(step.norm()) < 1e-2 else math.nan * value), outcome

    trial = longest_good_step(damped_steps(rows.j, rows.r), broken, rows.r, 1.0, 0.1, bent=True)
    assert trial is not None
    assert 5e-3 <= float(trial.outcome.norm()) < 1e-2


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("p", [6, 35])
def test_bend_is_half_the_answer_to_the_second_directional_derivative(p, gram):
    rows = Curved(1e-3, p=p)
    steps = damped_steps(rows.j, rows.r, gram=gram)
    radius = 0.05
    rows.calls.clear()
    longest_good_step(steps, rows, rows.r, radius, 2.0, bent=True)  # a target out of reach: the first try is at radius
    tried = rows.calls[1]
    mu = steps.damping_for(radius)
    j = rows.j.numpy()
    straight = -np.linalg.solve(j.T @ j + mu * np.eye(p), j.T @ rows.r.numpy())
    curvature = rows.c * (rows.k.numpy() @ straight) ** 2
    bend = -0.5 * np.linalg.solve(j.T @ j + mu * np.eye(p), j.T @ curvature)
    scale = np.linalg.norm(bend)
    assert scale < LONGEST_BEND * np.linalg.norm(straight)
    # Curvature is a second difference of rows of size one, at a tenth of the step.
    assert np.allclose(tried.numpy() - straight, bend, rtol=0, atol=1e-7 * scale)
    assert not np.allclose(tried.numpy() - straight, 2 * bend, rtol=0, atol=1e-2 * scale)


def test_bend_of_linear_rows_is_round_off():
    rows = Curved(0.0)
    longest_good_step(damped_steps(rows.j, rows.r), rows, rows.r, 0.1, 2.0, bent=True)
    straight = damped_steps(rows.j, rows.r)
    step = straight.step(straight.damping_for(0.1))
    assert torch.allclose(rows.calls[1], step, rtol=0, atol=1e-12)


@pytest.mark.parametrize("curvature", [1e4, math.nan])
def test_bend_that_is_longer_than_the_step_allows_or_not_a_number_is_left_out(curvature):
    rows = Curved(curvature)
    steps = damped_steps(rows.j, rows.r)
    longest_good_step(steps, rows, rows.r, 0.1, 2.0, bent=True)
    assert torch.equal(rows.calls[1], steps.step(steps.damping_for(0.1)))


def valley(theta: Tensor, steepness: float = 1000.0) -> Tensor:
    """A narrow curved valley along theta_1 = theta_0^2, down to (1, 1)."""
    return torch.stack([steepness * (theta[1] - theta[0] ** 2), 1 - theta[0]])


def descend(bent: bool, steps: int = 2000) -> tuple[int, list[float]]:
    theta, radius = torch.tensor([-1.2, 1.0], dtype=torch.float64), 1.0
    losses = [half_square(valley(theta))]
    for step in range(1, steps):
        r, j = valley(theta), torch.func.jacrev(valley)(theta)

        def evaluate(move: Tensor, theta: Tensor = theta) -> tuple[Tensor, Tensor]:
            return valley(theta + move), theta + move

        trial = longest_good_step(damped_steps(j, r), evaluate, r, radius, 0.1, bent=bent)
        if trial is None:
            break
        theta, radius = trial.outcome, trial.radius
        losses.append(trial.loss)
        if trial.loss < 1e-24:
            return step, losses
    return steps, losses


def test_bent_steps_run_down_a_curved_valley_in_far_fewer_steps():
    (bent, losses), (straight, others) = descend(True), descend(False)
    assert losses[-1] < 1e-24
    assert bent < 0.5 * straight
    for sequence in (losses, others):
        assert all(after < before for before, after in itertools.pairwise(sequence))
