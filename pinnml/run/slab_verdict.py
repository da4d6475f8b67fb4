"""The verdict on a solution in slabs of time, from those on the slabs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pinnml.domains import TIME
from pinnml.networks import Network
from pinnml.problem import Problem
from pinnml.results import Fields, Solution, Verdict, error_sample, errors, relative_l2, values_at
from pinnml.run.judge import Check
from pinnml.solvers import Status
from pinnml.verification import Verification

#: How bad an end is: by the solver's own test, by a limit, and what spoils all that would follow.
BY_LIMIT = (Status.NO_DESCENT, Status.SPOILT, Status.STEPS, Status.SECONDS)
#: Points at the end of a slab on which the two chains are compared, about.
AT_END = 2000


@dataclass(frozen=True)
class Slab:
    """One window of time: its problem, the solution of it, and what its second solve said."""

    problem: Problem
    start: float
    end: float
    solution: Solution
    check: Check

    @property
    def verdict(self) -> Verdict:
        """The verdict on it alone, as if it had begun without an error."""
        return self.solution.verdict

    @property
    def first(self) -> Fields:
        """What the next slab begins from."""
        return self.solution.network, {}

    @property
    def second(self) -> Fields:
        """The better fields, from which the next second solve begins."""
        assert isinstance(self.check, Verification)
        return self.check.second

    def with_status(self, status: Status) -> Slab:
        """The same with another end."""
        return replace(self, solution=replace(self.solution, verdict=replace(self.verdict, status=status)))

    def named(self, number: int, count: int) -> str:
        """Such as: slab 3 of 10, 0.2 <= t <= 0.3."""
        return f"slab {number} of {count}, {self.start:.4g} <= {TIME} <= {self.end:.4g}"


def verdict_over(
    slabs: Sequence[Slab], count: int, problem: Problem, network: Network, expected: float | None
) -> Verdict:
    """The verdict on all slabs, `count` of which were asked for; problem, network: those of all times.

    Residuals, and what the equations leave open, are those of the worst slab; errors are of all times together. The
    second solve of each slab begins from that of the slab before, so that the distance of the two chains has in it
    what errors at the ends of slabs have done since.
    """
    found = [slab.verdict for slab in slabs]
    known = errors(problem, network, {})
    stuck = max(found, key=lambda v: (v.is_stuck, v.beside_zero or 0.0))
    silent = next((slab.check for slab in slabs if isinstance(slab.check, str)), "")
    all_known = None not in known.values()
    verified = not silent and all(isinstance(slab.check, Verification) for slab in slabs)
    return replace(
        found[0],
        status=max((v.status for v in found), key=_badness),
        relative_l2=known,
        held_out=_worst(v.held_out for v in found),
        training=_worst(v.training for v in found),
        relative=_worst(v.relative for v in found),
        seconds=sum(v.seconds for v in found),
        seconds_verify=sum(v.seconds_verify for v in found),
        steps=sum(v.steps for v in found),
        parameters=sum(v.parameters for v in found),
        residuals=sum(v.residuals for v in found),
        expected=expected,
        estimate=_estimates(slabs) if verified else {},
        estimated_by=ESTIMATED_BY if verified else "",
        notes={**found[0].notes, "slabs": count, **(_at_the_end(slabs[-1]) if verified else {})},
        shares=_merged([v.shares for v in found], lambda values: sum(values) / len(values)),
        zero_fields=tuple(name for name in found[0].zero_fields if all(name in v.zero_fields for v in found)),
        unmet=_worst(v.unmet for v in found),
        null=_worst(v.null for v in found),
        reach=_worst(v.reach for v in found),
        beside_zero=stuck.beside_zero,
        gain=stuck.gain,
        worst_left=stuck.worst_left,
        unseen=_once(v.unseen for v in found),
        missing=_once(v.missing for v in found),
        warnings=_once(v.warnings for v in found),
        unchecked="" if all_known else silent,
        slabs=tuple(_failing(slabs, count)),
    )


#: What tells the error of all slabs together.
ESTIMATED_BY = "second solves with a richer basis, each begun from the last"


def _badness(status: Status) -> int:
    if status.by_own_test:
        return 0
    return 1 + BY_LIMIT.index(status) if status in BY_LIMIT else 1 + len(BY_LIMIT) + [*Status].index(status)


def _failing(slabs: Sequence[Slab], count: int) -> list[str]:
    """Sentences on the first slab that is not good by itself, errors aside, and on where the fields end."""
    found = []
    for number, slab in enumerate(slabs, start=1):
        known = {name: None if error is None else 0.0 for name, error in slab.verdict.relative_l2.items()}
        alone = replace(slab.verdict, relative_l2=known, estimate=dict.fromkeys(known, 0.0), expected=None)
        if alone.complaints:
            found.append(f"It went wrong in {slab.named(number, count)}.")
            break
    if len(slabs) < count:
        found.append(f"The fields end with {slabs[-1].named(len(slabs), count)}.")
    return found


def _estimates(slabs: Sequence[Slab]) -> dict[str, float]:
    """By field, the L2 distance of the two chains over all times, beside the size of the second."""
    squares: dict[str, float] = {}
    sizes: dict[str, float] = {}
    for slab in slabs:
        assert isinstance(slab.check, Verification)
        sample = error_sample(slab.problem)
        weight = sample.weight.numpy()
        for name, values in values_at(slab.problem, *slab.check.second, sample.x).items():
            flat = values.reshape(len(values), -1)
            size = float(weight @ (np.abs(flat) ** 2).sum(axis=1))
            # relative to one where the field is zero, as distances are
            part = slab.check.estimate[name] ** 2 * (size if size > 0 else float(weight.sum()))
            squares[name], sizes[name] = squares.get(name, 0.0) + part, sizes.get(name, 0.0) + size
    return {name: math.sqrt(square / (sizes[name] or 1.0)) for name, square in squares.items()}


def _at_the_end(slab: Slab) -> dict[str, Any]:
    """How far apart the two chains are at the end of the last slab, the worst field's."""
    sample = error_sample(slab.problem, AT_END)
    x = sample.x.clone()
    x[:, slab.problem.domain.axes.position(TIME)] = slab.end
    ours, theirs = (values_at(slab.problem, *fields, x) for fields in (slab.first, slab.second))
    apart = (relative_l2(ours[name], theirs[name], sample.weight.numpy()) for name in ours)
    return {"estimate at the end": max(apart)}


def _worst(figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The largest figure by name, NaN above all."""
    return _merged(list(figures), lambda values: next((v for v in values if math.isnan(v)), max(values)))


def _merged(figures: Sequence[Mapping[str, float]], of: Callable[[list[float]], float]) -> dict[str, float]:
    names = dict.fromkeys(name for each in figures for name in each)
    return {name: of([each[name] for each in figures if name in each]) for name in names}


def _once(sentences: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence for each in sentences for sentence in each))
