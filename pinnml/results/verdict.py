"""The verdict: how right a solution is, why the solver stopped, and in plain words what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pinnml.output.notebook import as_table
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
#: A relative residual above this is a complaint, and so is an error where nothing was promised.
UNSOLVED = 1e-2
#: Without a promise, a solve that ended by its limits is accurate with an error below this.
ACCURATE = 1e-4
#: Fields of which rounding leaves this part open are not determined; and equations that leave this part open by what is
#: left of them say too little of fields of which nothing is known. A bound: errors are ten to a hundred times below it.
UNDETERMINED, OPEN = 1e-7, 0.05
#: A residual of which a richer basis leaves this part, and a relative residual above which that is a contradiction.
STUCK, CONTRADICTION = 0.9, 1e-3
#: The part of what zero fields leave of the equations that a solution may leave.
BESIDE_ZERO = 0.1
#: A misfit may exceed the noise of measured values by this factor.
NOISY = 1.5
#: Ends of a solve that a right answer may come with.
UNFINISHED = (Status.STEPS, Status.SECONDS, Status.NO_DESCENT)


@dataclass(frozen=True)
class Verdict:
    """What is known about a solution.

    relative_l2: by field, |u - u_exact| / |u_exact| in L2 over points that the training has not seen, None where
    nothing is known to compare with. estimate: by field, the same as far as a second solve tells, and `estimated_by`
    what that was. held_out, training, relative: by equation, the RMS residual on held-out and on training points, and
    the held-out one over the size of its terms. expected: the error that was promised. shares: by equation, its part
    of the training loss. parameters_found: the problem's trainable parameters; parameter_estimates: their errors, by
    the second solve. zero_fields: fields that vanish everywhere, with nothing known to say that they should. unmet:
    what is left, beside the size of its terms, of each equation on a face for which a weak form stands.

    null: by field or parameter, the part of it that the equations leave open to rounding; together: how parameters
    that are open change with each other. reach: by field, how far off it could be with no more left of the equations
    than is. beside_zero: what is left of the equations as a part of what zero fields leave. gain: what a richer basis
    leaves as a part of that, most of it of the equation, and at the place, `worst_left`. missing: conditions that
    seem to lack. unchecked: why a second solve that was asked for is silent on fields of which nothing else is known.
    slabs: of a solution in slabs of time, which one is not good by itself, and where the fields end.

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
    estimate: Mapping[str, float] = field(default_factory=dict)
    estimated_by: str = ""
    notes: Mapping[str, float | int | str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    parameters_found: Mapping[str, float] = field(default_factory=dict)
    parameter_estimates: Mapping[str, float] = field(default_factory=dict)
    zero_fields: tuple[str, ...] = ()
    unmet: Mapping[str, float] = field(default_factory=dict)
    null: Mapping[str, float] = field(default_factory=dict)
    together: Mapping[str, float] = field(default_factory=dict)
    reach: Mapping[str, float] = field(default_factory=dict)
    beside_zero: float | None = None
    gain: float | None = None
    worst_left: str = ""
    noise: Mapping[str, float] = field(default_factory=dict)
    standard_errors: Mapping[str, float] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unchecked: str = ""
    slabs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether the solver stopped by its own test."""
        return self.status.by_own_test

    @property
    def error(self) -> float | None:
        """The worst error of a field against the exact solution or reference; None where nothing is known."""
        known = [e for e in self.relative_l2.values() if e is not None]
        return _largest(known) if known else None

    @property
    def worst_estimate(self) -> float | None:
        """The worst estimated error of a field; None without a second solve."""
        return _largest(list(self.estimate.values())) if self.estimate else None

    @property
    def accurate(self) -> bool:
        """Whether the error, known or else estimated, is below the promise, or 1e-4 where nothing was promised."""
        told = [each for each in (self.error, self._worst_of_unknown) if each is not None]
        return bool(told) and _largest(told) <= (ACCURATE if self.expected is None else self.expected)

    @property
    def _worst_of_unknown(self) -> float | None:
        """The worst estimate of a field with which nothing can be compared."""
        found = [each for name, each in self.estimate.items() if self.relative_l2.get(name) is None]
        return _largest(found) if found else None

    @property
    def undetermined(self) -> tuple[str, ...]:
        """The fields to which something can be added that the equations do not see."""
        return tuple(name for name, part in self.null.items() if name not in self.together and not part <= UNDETERMINED)

    @property
    def complaints(self) -> tuple[str, ...]:
        """Everything that keeps the solution from being good, a plain sentence each, what tells most first.

        That is what is wrong with the statement; then how a solve came to grief; then what is left to do; at last that
        a limit has ended it, which the others say more of.
        """
        zero = "is zero everywhere: a source or a condition is missing"
        found = [f"Field '{name}' {zero}." for name in self.zero_fields]
        found += [*self._open(), *self.unseen]
        found += [_unmet(name, left) for name, left in self.unmet.items() if not left <= UNMET]
        found += [self._contradicting()] if self.is_stuck else []
        ended = [] if self.converged or (self.status in UNFINISHED and self.accurate) else [self._unfinished()]
        by_limit = self.status in UNFINISHED and self._levels_reached()
        found += [] if by_limit else ended
        bound = max([UNSOLVED, *(self.relative[name] for name in self.noise if self._is_noise(name))])
        found += [self._unsolved()] if not self.is_stuck and not self.worst <= bound else []
        found += self._inaccurate()
        if found or ended or not self.estimate:  # they are signs of an error; an estimate measures it
            found += [self._overfitted(name) for name in self.held_out if self._is_overfitted(name)]
            found += [self._neglected(name) for name in self.held_out if self._is_neglected(name)]
        return (*found, *(ended if by_limit else []), *self.slabs)

    @property
    def good(self) -> bool:
        """Determined, solved, nothing contradicting, and as right as promised; finished or not."""
        return not self.complaints

    def _repr_html_(self) -> str:
        errors = {name: (error, "") for name, error in self.relative_l2.items() if error is not None}
        estimates = {n: (e, f", estimated by {self.estimated_by}") for n, e in self.estimate.items() if n not in errors}
        rows = [(f"error of {name}", f"{error:.1e}{by}") for name, (error, by) in (errors | estimates).items()]
        rows += [(f"residual of {name}", f"{value:.1e} of its terms") for name, value in self.relative.items()]
        rows += [(name, f"{value:.10g}") for name, value in self.parameters_found.items()]
        rows += [("not good", complaint) for complaint in self.complaints]
        rows += [("note", warning) for warning in self.warnings]
        return as_table(self.outcome, rows, "green" if self.good else "firebrick")

    def __str__(self) -> str:
        """The outcome, then every complaint and every warning on a line of its own."""
        complaints = [f"  - {complaint}" for complaint in self.complaints]
        return "\n".join([self.outcome, *complaints, *(f"  Note: {warning}" for warning in self.warnings)])

    @property
    def summary(self) -> str:
        """One line: the outcome, and the first reason where it is not good."""
        reason = next(iter(self.complaints), "").partition(". ")[0].rstrip(".")
        return f"{self.outcome}: {reason}" if reason else self.outcome

    @property
    def word(self) -> str:
        """Good, accurate but not finished, or not good."""
        return "not good" if not self.good else "good" if self.converged else "accurate but not finished"

    @property
    def outcome(self) -> str:
        """Good or not, the error, its estimate or the residual, steps and seconds."""
        figure = f"relative residual {self.worst:.1e}"
        if self.error is not None:
            figure = f"error {self.error:.1e}"
        elif self.worst_estimate is not None:
            figure = f"estimate {self.worst_estimate:.1e}"
        steps = f"{self.steps} step{'s' * (self.steps != 1)}"
        return f"{self.word}, {figure}, {steps}, {self.seconds:.2f} s"

    @property
    def worst(self) -> float:
        """The worst relative residual of an equation on held-out points, noisy ones left out as far as noise goes."""
        return _largest([value for name, value in self.relative.items() if not self._is_noise(name)] or [0.0])

    def _is_noise(self, name: str) -> bool:
        """Whether what is left of an equation is no more than the noise of its measured values."""
        return name in self.noise and self.held_out[name] <= NOISY * self.noise[name]

    def _levels_reached(self) -> bool:
        """Whether a solve on several levels came to the last of them, as any other does."""
        return int(self.notes.get("level", 0)) + 1 >= int(self.notes.get("levels", 1))

    def _unfinished(self) -> str:
        if not self._levels_reached() and self.status is not Status.SPOILT:
            reached = int(self.notes.get("level", 0)) + 1
            return (
                f"Level {reached} of {self.notes['levels']} was the last one reached: allow more time or steps, or "
                "fewer to the levels before (coarse=)."
            )
        return f"The solver did not finish: {self.status.value}."

    def _open(self) -> list[str]:
        """What the equations do not determine; without a second solve, by counting conditions alone."""
        if not self.null:
            return list(self.missing) if self.error is None else []
        if self.undetermined:
            names = " and ".join(f"'{name}'" for name in self.undetermined)
            why = " ".join(self.missing) or "A condition is missing."
            return [f"The equations do not determine {names}: something can be added that they do not see. {why}"]
        parameters = [name for name in self.together if not self.null[name] <= UNDETERMINED]
        if parameters:
            size = max(abs(change) for change in self.together.values())
            terms = (f"{self.together[name] / size:+.3g} {name}" for name in self.together)
            return [
                f"The equations and data do not determine {' and '.join(parameters)}: along {' '.join(terms)} they see "
                "no change. Fix a parameter, or measure something else."
            ]
        reach = _largest(list(self.reach.values())) if self.reach else 0.0
        if not reach <= OPEN and self.error is None:
            return [
                f"What is left of the equations would let the fields be off by {reach:.1e} of their size: they hardly "
                f"determine the solution, or are solved too little. {' '.join(self.missing)}".rstrip()
            ]
        return []

    @property
    def is_stuck(self) -> bool:
        """Whether a richer basis leaves as much of the equations, and it is more than rounding; noise does, too."""
        much = self.worst > CONTRADICTION or (self.beside_zero or 0.0) > UNSOLVED
        return self.gain is not None and not self.noise and not self.gain <= STUCK and much

    def _contradicting(self) -> str:
        return (
            f"A richer basis leaves as much of the equations ({self.gain:.2f} of it): they contradict each other, or "
            f"hold something finer than the basis, most of all equation {self.worst_left}."
            f"{self._too_narrow()}"
        )

    def _inaccurate(self) -> list[str]:
        """The error, or its estimate, above what was promised or may be."""
        limit = UNSOLVED if self.expected is None else self.expected
        promise = "" if self.expected is None else f"; the script promises {self.expected:.1e}"
        found, estimate = [], self._worst_of_unknown
        if self.error is not None and not self.error <= limit:
            found.append(f"The error is {self.error:.1e}{promise}.")
        if estimate is not None and not estimate <= limit:
            by = f", by {self.estimated_by}" if self.estimated_by else ""
            found.append(f"The estimated error is {estimate:.1e}{by}{promise}.")
        if self.unchecked:
            found.append(f"The error could not be checked: {self.unchecked}.")
        if found or self.error is not None or estimate is not None or self.expected is None:
            return found
        return [f"The promised error of {self.expected:.1e} could not be checked: nothing to compare with."]

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
        if record.get("difference"):  # as version 0.1 called it
            record = {"estimate": record["difference"], "estimated_by": "half the basis"} | dict(record)
        values: dict[str, Any] = {key: value for key, value in record.items() if key in names}
        values["status"] = Status[str(record["status"]).upper().replace(" ", "_")]
        values |= {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return cls(**values)

    def _unsolved(self) -> str:
        name = next(n for n, value in self.relative.items() if not (value < self.worst or self._is_noise(n)))
        left = f"its residual is {self.relative[name]:.1e} of its terms"
        return (
            f"Equation '{name}' is hardly solved: {left}.{self._too_narrow()} May help: {', '.join(self._untried())}."
        )

    def _too_narrow(self) -> str:
        """A sentence where the search of the bandwidth found none with which the equations can be solved."""
        if not float(self.notes.get("search left", 0.0)) > UNSOLVED:
            return ""
        return (
            f" No bandwidth that was tried resolves the equations (the best is {self.notes['bandwidth']}): something "
            "in them is too narrow, or too steep, for this basis."
        )

    def _untried(self) -> list[str]:
        """What was not just tried: limits that were met, a richer basis, another solver."""
        if self.solver == "fem":
            return ["a finer mesh", "elements of a higher degree"]
        more = {Status.SECONDS: ["more time"], Status.STEPS: ["more steps"]}.get(self.status, [])
        more = [*more, "more functions or points"]
        if "bandwidth" in self.notes:
            more.append("a larger bandwidth=, inputs= along which the solution is smooth, such as x - c t")
        if self.solver != "lm":
            return [*more, 'LevenbergMarquardt() with MLP(20, depth=3, activation="tanh")']
        return more if self.network == "features" else [*more, "Features() with LSGD()"]

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
