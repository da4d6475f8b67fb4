"""How far off a prediction is, from the very equations that it was to solve: a few sweeps of their true operator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor

from pinnml.surrogates.families.family import Family
from pinnml.surrogates.sweeps import Corrector, Progress, beside

#: Sweeps after which a correction that still changes is left to the direct solve.
MOST = 16
DIRECT = "the direct solve"


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a prediction lacks of the discrete solution u* of its draw, as far as sweeps tell.

    fields (N,): the prediction u with the values that conditions prescribe. relative: by field |u* - u| / |u*| in L2,
    infinite for a prediction that is not finite. energy: the least and the most that |u* - u|_A / |u*|_A is where A is
    symmetric and positive, else None; of equations that bend A is their derivative at u, and u* the solution of the
    equations linearised there. correction (N,): about u* - u. sweeps: how many it took; by: of what.
    """

    fields: np.ndarray
    relative: Mapping[str, float]
    energy: tuple[float, float] | None
    correction: np.ndarray
    sweeps: int
    by: str

    @property
    def worst(self) -> float:
        """That of the worst field."""
        return max(self.relative.values())


@dataclass(frozen=True, eq=False)
class Estimator:
    """Estimates for the predictions of a family, whatever surrogate they are of.

    The correction e of u solves A e = -F(u), with A = dF/du of the draw itself. Conjugate gradients, preconditioned by
    multigrid cycles of A, find it to a few per cent in two or three sweeps, from any contrast of the coefficients:
    only interpolation is common to all draws, coarse matrices belong to each. Matrices that are not symmetric take
    generalised conjugate residuals; those on which cycles fail, factors of the middle draw's matrix. Equations that
    bend are linearised at u, and their residual at u + e tells whether that was enough. Where sweeps do not settle, the
    direct solve tells the error.
    """

    corrector: Corrector

    @classmethod
    def of(cls, family: Family) -> Estimator:
        """What is found once for all draws. Raises as a solve of the middle draw does."""
        return cls(Corrector.of(family))

    def __call__(self, u: Tensor | np.ndarray, draw: Mapping[str, Any]) -> Estimate:
        """The estimate for predicted numbers u (N,) of a draw.

        Raises ShapeError for other numbers, ProblemError for a draw without a value, NonFiniteError for one without a
        solution.
        """
        start = self.corrector.within_conditions(np.asarray(u, dtype=float), draw)
        if not np.isfinite(start).all():
            return self._unknown(start)
        for now in islice(self.corrector.progress(start, draw), MOST):
            if now.settled:
                return self.after(start, now)
        return self.against(start, self.corrector.solved(start, draw).u.numpy())

    def after(self, start: np.ndarray, now: Progress) -> Estimate:
        """The estimate for numbers (N,) that meet the conditions, where sweeps from them have settled."""
        by = f"{now.sweeps} {self.corrector.words}"
        return Estimate(start, self.named(now.relative), now.energy, now.fields - start, now.sweeps, by)

    def against(self, start: np.ndarray, solution: np.ndarray) -> Estimate:
        """The error of numbers (N,) that meet the conditions, by the solution itself."""
        norms, correction = self.corrector.norms, solution - start
        return Estimate(start, self.named(beside(norms(correction), norms(solution))), None, correction, 0, DIRECT)

    def _unknown(self, start: np.ndarray) -> Estimate:
        """That of a prediction that is not finite."""
        names = (field.name for field in self.corrector.family.problem.fields)
        return Estimate(start, dict.fromkeys(names, math.inf), None, np.full_like(start, np.nan), 0, "its numbers")

    def named(self, sizes: np.ndarray) -> dict[str, float]:
        """Sizes by field (f,) by name."""
        return dict(zip((field.name for field in self.corrector.family.problem.fields), sizes.tolist(), strict=True))
