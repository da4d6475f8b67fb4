"""A prediction that is not good enough is mended by further sweeps of the true operator, or solved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor

from pinnml.classical import LAST_STEP
from pinnml.solvers import Status
from pinnml.surrogates.calibration import PLAIN, Calibration
from pinnml.surrogates.estimate import Estimate, Estimator
from pinnml.validation import positive

#: Ways to an answer: the prediction as it was, sweeps from it, and the direct solve where sweeps are not enough.
PREDICTED, SWEPT, SOLVED = WAYS = ("prediction", "sweeps", "solve")
#: Sweeps after which the direct solve takes over.
MOST = 40


@dataclass(frozen=True, eq=False)
class Mended:
    """Fields (N,) of a draw that are as right as was asked, where anything was.

    relative: by field about the most that they are still off, calibrated, beside their size in L2. way: one of WAYS.
    sweeps: how many were taken in all. estimate: that of the prediction as it came.
    """

    fields: np.ndarray
    relative: Mapping[str, float]
    way: str
    sweeps: int
    estimate: Estimate
    status: Status

    @property
    def worst(self) -> float:
        """That of the worst field."""
        return max(self.relative.values())

    @classmethod
    def as_predicted(cls, estimate: Estimate, calibration: Calibration) -> Mended:
        """A prediction as it came."""
        relative = {name: calibration(each) for name, each in estimate.relative.items()}
        status = Status.PREDICTED if np.isfinite(estimate.fields).all() else Status.NOT_FINITE
        return cls(estimate.fields, relative, PREDICTED, estimate.sweeps, estimate, status)


def mended(
    estimator: Estimator,
    u: Tensor | np.ndarray,
    draw: Mapping[str, Any],
    tolerance: float,
    calibration: Calibration = PLAIN,
) -> Mended:
    """Numbers with an estimated error of at most `tolerance`, from predicted ones u (N,) of a draw.

    The sweeps that the estimate is made of go on until the last one changes every field by less than that; of
    equations that bend they are Newton's with the residual looked at in between. Where they stop or 40 are not enough,
    the direct solve begins at the prediction. Raises as the estimator does.
    """
    positive("tolerance", tolerance)
    corrector, estimate = estimator.corrector, None
    start = corrector.within_conditions(np.asarray(u, dtype=float), draw)
    steps = corrector.progress(start, draw) if np.isfinite(start).all() else iter(())
    for now in islice(steps, MOST):
        estimate = estimator.after(start, now) if estimate is None and now.settled else estimate
        if estimate is None:
            continue
        if calibration(estimate.worst) <= tolerance:
            return Mended.as_predicted(estimate, calibration)
        left = {name: calibration(each) for name, each in estimator.named(now.left).items()}
        if now.confirmed and max(left.values()) <= tolerance:
            return Mended(now.fields, left, SWEPT, now.sweeps, estimate, Status.CONVERGED)
    return _solved(estimator, start, draw, estimate)


def _solved(estimator: Estimator, start: np.ndarray, draw: Mapping[str, Any], estimate: Estimate | None) -> Mended:
    """By the direct solve."""
    found = estimator.corrector.solved(start, draw)
    solution = found.u.numpy()
    estimate = estimate or estimator.against(start, solution)
    left = dict.fromkeys(estimate.relative, LAST_STEP if found.status.by_own_test else float("inf"))
    return Mended(solution, left, SOLVED, estimate.sweeps, estimate, found.status)
