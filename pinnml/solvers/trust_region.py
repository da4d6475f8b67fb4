"""One factorisation, many radii: the longest step, bent along the curve of the residual, that keeps its promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from pinnml.deadline import OutOfTimeError
from pinnml.linalg import DampedSteps

Outcome = TypeVar("Outcome")
#: A step (P,) to the residual after it and whatever else is worth keeping.
Evaluate = Callable[[Tensor], tuple[Tensor, Outcome]]

#: The most times that a radius is halved before the step is given up.
HALVINGS = 30
#: Length of the difference quotient that measures the curvature, in units of the step.
PROBE = 0.1
#: The bend of a step may be this long at most, in units of the step.
LONGEST_BEND = 0.75


@dataclass(frozen=True)
class Trial(Generic[Outcome]):
    """A candidate step: its radius and damping, the loss after it, the gain ratio, and what the evaluation gave."""

    radius: float
    damping: float
    loss: float
    ratio: float
    outcome: Outcome


def longest_good_step(
    steps: DampedSteps, evaluate: Evaluate[Outcome], r: Tensor, radius: float, target: float, *, bent: bool
) -> Trial[Outcome] | None:
    """The longest step, within a factor of two, whose decrease is `target` times the promised one or more.

    The radius doubles while the gain ratio stays above the target, or else halves until it gets there; a step that
    merely lowers the loss is kept as a last resort; None if there is none. A low target makes long steps, which is
    faster far from the solution than the steepest decrease (arXiv:2607.02194). With `bent`, steps follow the second
    derivative along them (geodesic acceleration, Transtrum and Sethna, arXiv:1201.5885): in narrow curved valleys
    that lets them be many times longer. Where time runs out, the best of those tried; raises OutOfTimeError where that
    lowers nothing.
    """
    lower: list[Trial[Outcome]] = []

    def attempt(radius: float) -> Trial[Outcome]:
        trial = _attempt(steps, evaluate, r, radius, bent)
        if trial.ratio > 0:
            lower.append(trial)
        return trial

    try:
        return _searched(steps, attempt, radius, target, lower)
    except OutOfTimeError:
        if not lower:
            raise
        return min(lower, key=lambda trial: trial.loss)


def _searched(
    steps: DampedSteps,
    attempt: Callable[[float], Trial[Outcome]],
    radius: float,
    target: float,
    lower: list[Trial[Outcome]],
) -> Trial[Outcome] | None:
    """The search itself; lower: those tried that lower the loss."""
    trial = attempt(radius)
    if trial.ratio >= target:
        while trial.damping > steps.floor and (longer := attempt(2 * trial.radius)).ratio >= target:
            trial = longer
        return trial
    for _ in range(HALVINGS):
        trial = attempt(min(trial.radius, steps.length(trial.damping)) / 2)
        if trial.ratio >= target:
            return trial
    return min(lower, key=lambda trial: trial.loss, default=None)


def _attempt(steps: DampedSteps, evaluate: Evaluate[Outcome], r: Tensor, radius: float, bent: bool) -> Trial[Outcome]:
    damping = steps.damping_for(radius)
    step = steps.step(damping)
    after, outcome = evaluate(step + _bend(steps, evaluate, r, step, damping) if bent else step)
    loss, promised = half_square(after), steps.predicted(damping)
    ratio = (half_square(r) - loss) / promised if math.isfinite(loss) and promised > 0 else -math.inf
    return Trial(radius, damping, loss, ratio, outcome)


def _bend(steps: DampedSteps, evaluate: Evaluate[Outcome], r: Tensor, step: Tensor, damping: float) -> Tensor:
    """Half the acceleration along the step: the answer to its second directional derivative, or nothing."""
    near = evaluate(PROBE * step)[0]
    curvature = (2 / PROBE) * ((near - r) / PROBE - steps.j @ step)
    bend = 0.5 * steps.answer(curvature, damping)
    short = torch.linalg.vector_norm(bend) <= LONGEST_BEND * torch.linalg.vector_norm(step)
    return bend if bool(short) else torch.zeros_like(bend)  # false for NaN as well


def half_square(r: Tensor) -> float:
    """1/2 |r|^2."""
    return 0.5 * float(r @ r)
