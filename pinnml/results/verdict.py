"""The verdict: how right a solution is, why the solver stopped, and in plain words what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pinnml.problem import WEAK_FORM
from pinnml.solvers import Status

#: A held-out residual may exceed the training residual by this factor.
OVERFIT = 3.0
#: The factor for weak forms, where more functions see more, and the relative residual below which that does not matter.
OVERFIT_WEAK = 30.0, 1e-5
#: The part of the size of its terms that may be left of an equation for which a weak form stands: fluxes on faces are
#: less right than fields.
UNMET = 0.2
#: Relative residuals below this are round-off, where ratios mean nothing.
ROUND_OFF = 1e-12
#: An equation with less than this share of the loss, and this much more relative residual than the median of the
#: others, hardly contributes.
SHARE, NEGLECT = 1e-3, 1e3
#: Without a promise to judge by, a relative residual or a known error above this is a complaint.
UNSOLVED = 1e-2


@dataclass(frozen=True)
class Verdict:
    """What is known about a solution.

    relative_l2: by field, |u - u_exact| / |u_exact| in L2 over points that the training has not seen, None where
    nothing is known to compare with. held_out, training, relative: by equation, the RMS residual on held-out and
    on training points, and the held-out one over the size of its terms. expected: the error that was promised.
    difference: by field, the relative L2 distance from a second solve with half the basis, where that was needed
    to judge the promise. shares: by equation, its part of the training loss. parameters_found: the problem's
    trainable parameters. zero_fields: fields that vanish everywhere, with nothing known to say that they should. unmet:
    what is left, beside the size of its terms, of each equation on a face for which a weak form stands.
    warnings: what may be amiss and does not keep the solution from being good, such as a face without a condition.
    seconds ends with the last step of the solver; seconds_verify is what judging took.
    """

    status: Status
    relative_l2: Mapping[str, float | None]
    held_out: Mapping[str, float]
    training: Mapping[str, float]
    relative: Mapping[str, float]
    seconds: float
    seconds_verify: float
    steps: int
    parameters: int
    residuals: int
    seed: int
    device: str
    dtype: str
    solver: str
    network: str
    expected: float | None = None
    difference: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, float | int | str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    parameters_found: Mapping[str, float] = field(default_factory=dict)
    zero_fields: tuple[str, ...] = ()
    unmet: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether the solver stopped by its own test."""
        return self.status.by_own_test

    @property
    def error(self) -> float | None:
        """The worst known error of a field: against the exact solution or reference, else the difference."""
        known = [e for e in self.relative_l2.values() if e is not None] or list(self.difference.values())
        return _largest(known) if known else None

    @property
    def complaints(self) -> tuple[str, ...]:
        """Everything that keeps the solution from being good, a plain sentence each."""
        found = []
        if not self.converged:
            found.append(f"The solver did not finish: {self.status.value}.")
        reached = int(self.notes.get("level", 0)) + 1
        if reached < int(self.notes.get("levels", 1)) and self.status is not Status.SPOILT:
            found.append(
                f"Level {reached} of {self.notes['levels']} was the last one reached: allow more time or steps, or "
                "fewer to the levels before (coarse=)."
            )
        zero = "is zero everywhere: a source or a condition is missing"
        found += [f"Field '{name}' {zero}." for name in self.zero_fields]
        found += [self._overfitted(name) for name in self.held_out if self._is_overfitted(name)]
        found += [self._neglected(name) for name in self.held_out if self._is_neglected(name)]
        found += [_unmet(name, left) for name, left in self.unmet.items() if not left <= UNMET]
        if self.expected is None:
            if not self.worst <= UNSOLVED:
                found.append(self._unsolved())
            if self.error is not None and not self.error <= UNSOLVED:
                is_known = any(error is not None for error in self.relative_l2.values())
                found.append(
                    f"The error against the known solution is {self.error:.1e}."
                    if is_known
                    else f"A second solve, made to check this one, is {self.error:.1e} away from it."
                )
        else:
            if self.error is None:
                found.append(
                    f"The promised error of {self.expected:.1e} could not be checked: nothing to compare with."
                )
            elif not self.error <= self.expected:
                found.append(f"The error is {self.error:.1e}; the script promises {self.expected:.1e}.")
        return tuple(found)

    @property
    def good(self) -> bool:
        """Stopped by its own test, no overfitting, no neglected or unsolved equation, and the promise kept."""
        return not self.complaints

    @property
    def summary(self) -> str:
        """One line: good or not, the error or the residual, steps and seconds."""
        figure = f"error {self.error:.1e}" if self.error is not None else f"relative residual {self.worst:.1e}"
        steps = f"{self.steps} step{'s' * (self.steps != 1)}"
        return f"{'good' if self.good else 'not good'}, {figure}, {steps}, {self.seconds:.2f} s"

    @property
    def worst(self) -> float:
        """The worst relative residual of an equation on held-out points."""
        return _largest(list(self.relative.values()))

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values, with `converged`, `good` and `complaints`."""
        record = {key: dict(value) if isinstance(value, Mapping) else value for key, value in vars(self).items()}
        record["status"] = self.status.name.lower().replace("_", " ")
        record["message"] = self.status.value
        return record | {"converged": self.converged, "good": self.good, "complaints": list(self.complaints)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Verdict:
        """The verdict of a `to_json` record."""
        names = set(cls.__dataclass_fields__)
        values: dict[str, Any] = {key: value for key, value in record.items() if key in names}
        values["status"] = Status[str(record["status"]).upper().replace(" ", "_")]
        values |= {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return cls(**values)

    def _unsolved(self) -> str:
        name = next(name for name, value in self.relative.items() if not value < self.worst)
        return (
            f"Equation '{name}' is hardly solved: its residual is {self.relative[name]:.1e} of the size of its terms. "
            "More functions or points may help, or another solver, such as LevenbergMarquardt()."
        )

    def _is_overfitted(self, name: str) -> bool:
        factor, least = OVERFIT_WEAK if name.startswith(WEAK_FORM) else (OVERFIT, ROUND_OFF)
        return not (self.held_out[name] <= factor * self.training[name] or self.relative[name] <= least)

    def _overfitted(self, name: str) -> str:
        if not math.isfinite(self.held_out[name]):
            return f"Equation '{name}': the residual on points that were held out is not finite."
        ratio = self.held_out[name] / self.training[name] if self.training[name] else math.inf
        figures = f"{self.held_out[name]:.1e} against {self.training[name]:.1e}"
        if name.startswith(WEAK_FORM):
            return (
                f"The {name} leaves {ratio:.1f} times as much with test functions of one degree more ({figures}). "
                "Use more of them, or fewer parameters."
            )
        return (
            f"Equation '{name}': the residual on points that were held out is {ratio:.1f} times that on the training "
            f"points ({figures}). Use more points there."
        )

    def _is_neglected(self, name: str) -> bool:
        others = sorted(value for other, value in self.relative.items() if other != name)
        if not others or self.relative[name] <= ROUND_OFF:
            return False
        median = others[len(others) // 2]
        return self.shares.get(name, 1.0) < SHARE and self.relative[name] > NEGLECT * median

    def _neglected(self, name: str) -> str:
        kind = "TestSpace" if name.startswith(WEAK_FORM) else "Equation"
        return (
            f"Equation '{name}' hardly contributes: it has {self.shares[name]:.0e} of the loss, but a relative "
            f"residual of {self.relative[name]:.1e}. Raise its weight: {kind}(..., weight=...)."
        )


def _unmet(name: str, left: float) -> str:
    return (
        f"Equation '{name}', for which the weak form stands, is left with {left:.1e} of the size of its terms: does "
        "the weak form lack its integral over the face?"
    )


def _largest(values: list[float]) -> float:
    """The largest of some numbers; NaN, which no comparison would see, above all."""
    return next((value for value in values if math.isnan(value)), max(values))
