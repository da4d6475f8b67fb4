"""Multilevel training: a coarse network first, then the same function on finer and finer knots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.solvers.base import Report, Solver, Status, Step
from pinnml.solvers.levenberg_marquardt import LevenbergMarquardt
from pinnml.solvers.packing import packed_fields, unpacked_fields
from pinnml.system import System
from pinnml.validation import flag, positive, settle, whole_number

#: The most by which rounding may change the residuals at a refinement, as a part of them. Where they are less than the
#: square root of eps of their terms, or the change is so small a part of those before the first step, it is no loss.
LARGEST_JUMP = 0.1


@dataclass(frozen=True)
class State:
    """The level, counted from 0, the steps taken on it, its solver's state, and the work so far.

    coarsest: the resolution of the first level, which makes one unit of work. residual: its norm before the first step.
    part: the level's system on a part of the samples, None where it uses all.
    """

    level: int
    steps: int
    inner: Any
    work: float
    coarsest: float
    residual: float
    part: System | None


@dataclass(frozen=True, kw_only=True)
class Multilevel(Solver):
    """Nested iteration: train a level, refine it without changing the function, train on.

    inner: the solver of the last level. coarse: that of the levels before, `inner` if None, or one for each of them;
    they only need to come near a good solution. levels: how many, the coarsest counted. schedule: the most steps of
    each level, such as (800, 400, 200); those of its solver if None. A level ends when its solver has reached its own
    end, stalled or has had its steps; the last one ends the solve. oversampling: levels before the last use at most so
    many samples of a region for each of their parameters, None for all. adaptive: None to refine everywhere, or the
    share of the squared residuals whose intervals are halved. transfer: whether a solver's state is carried over, where
    it can be, or begins anew. One unit of work is a step on the coarsest level; it grows with the number of intervals.

    Source: arXiv:2603.04827, algorithm 1.
    """

    inner: Solver = field(default_factory=lambda: LevenbergMarquardt(steps=200, patience=20))
    coarse: Solver | Sequence[Solver] | None = None
    levels: int = 3
    schedule: Sequence[int] | None = None
    oversampling: float | None = None
    adaptive: float | None = None
    transfer: bool = True
    steps: int = 10**6

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, whole_number, "levels")
        settle(self, flag, "transfer")
        _check_level_solver("inner", self.inner)
        if self.coarse is not None:
            object.__setattr__(self, "coarse", _checked_coarse(self.coarse, self.levels))
        if self.schedule is not None:
            object.__setattr__(self, "schedule", _checked_schedule(self.schedule, self.levels))
        if self.oversampling is not None and positive("oversampling", self.oversampling) < 1:
            cure = "write oversampling=4, or leave it out to use all samples"
            raise SettingsError("oversampling", expected="a number of 1 or more", got=self.oversampling, cure=cure)
        if self.adaptive is not None and positive("adaptive", self.adaptive) > 1:
            cure = "write adaptive=0.5, or leave it out to refine everywhere"
            raise SettingsError("adaptive", expected="a share above 0, up to 1", got=self.adaptive, cure=cure)

    @property
    def most_steps(self) -> int:
        """Those of all levels together."""
        return min(self.steps, sum(self._limit(level) for level in range(self.levels)))

    @property
    def growth(self) -> int:
        """What refinement everywhere multiplies the size of a network by."""
        return 2 ** (self.levels - 1)

    @property
    def forms_jacobian(self) -> bool:
        """Whether the solver of any level does."""
        return any(self._solver(level).forms_jacobian for level in range(self.levels))

    def numbers(self, rows: int, parameters: int, head: int) -> float:
        """Those of the last level's solver."""
        return self.inner.numbers(rows, parameters, head)

    def init(self, system: System, theta: Tensor) -> State:
        """The coarsest level. Raises SettingsError for a network that cannot be refined."""
        basis = system.network.basis
        resolution = basis.resolution
        if resolution is None:
            system.network.refined()  # raises
        if self.adaptive is None:
            basis.check_levels(self.levels - 1)
        elif self.levels > 1:
            system.marking(theta, self.adaptive)  # raises
        part = self._part(system, 0)
        with torch.no_grad():
            residual = float(torch.linalg.vector_norm(system.residual(theta)))
        return State(0, 0, self._solver(0).init(part or system, theta), 0.0, resolution or 1.0, residual, part)

    def packed(self, state: State) -> dict[str, Any] | None:
        """The level and its solver's state; the part of the samples is found again."""
        inner = self._solver(state.level).packed(state.inner)
        return None if inner is None else packed_fields(state, leave=("inner", "part")) | {"inner": inner}

    def unpacked(self, packed: dict[str, Any], system: System, theta: Tensor) -> State:
        """All of it."""
        level = packed["level"]
        part = self._part(system, level)
        inner = self._solver(level).unpacked(packed["inner"], part or system, theta)
        rest = {name: value for name, value in packed.items() if name != "inner"}
        return unpacked_fields(State, rest, inner=inner, part=part)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """One step of the level's solver, and a refinement if it was the last of its level."""
        step = self._solver(state.level).step(state.part or system, theta, state.inner)
        part, whole = None, step.system
        if state.part is not None:
            part, whole = step.system, system.with_weights(step.system.weights)
        work = state.work + (system.network.basis.resolution or 1.0) / state.coarsest
        state = replace(state, steps=state.steps + 1, inner=step.state, work=work, part=part)
        report = step.report
        over = report.status is not None or state.steps >= self._limit(state.level)
        notes = {**report.notes, "level": state.level, "levels": self.levels, "work": work}
        if over and state.level < self.levels - 1:
            return self._refined(whole, step.theta, state, Report(report.loss, None, notes))
        status = report.status or (Status.STEPS if over else None)
        return Step(whole, step.theta, state, Report(report.loss, status, notes))

    def refine(self, system: System, theta: Tensor) -> tuple[System, Tensor, Callable[[Tensor], Tensor]]:
        """The system and theta of the same fields on the next level, and what carries moments of theta over."""
        return system.refine(theta, self.adaptive)

    def _refined(self, system: System, theta: Tensor, state: State, report: Report) -> Step:
        """The same fields on the next level; the loss is told anew where that level uses other samples.

        If rounding would spoil them they stay as they are, and the solve ends.
        """
        coarse, (fine, theta, prolong) = theta, self.refine(system, theta)
        with torch.no_grad():
            spoilt = _is_spoilt(system.residual(coarse), fine.residual(theta), state.residual)
        if spoilt and max(system.relative(coarse).values()) > torch.finfo(theta.dtype).eps ** 0.5:
            return Step(system, coarse, state, replace(report, status=Status.SPOILT))
        before, after = self._solver(state.level), self._solver(state.level + 1)
        part = self._part(fine, state.level + 1)
        used = part or fine
        if self.transfer and type(before) is type(after):
            inner = after.carried(state.inner, used, theta, prolong)
        else:
            inner = after.init(used, theta)
        if state.part is not None:
            with torch.no_grad():
                report = replace(report, loss=float(used.loss(theta)))
        return Step(fine, theta, replace(state, level=state.level + 1, steps=0, inner=inner, part=part), report)

    def _solver(self, level: int) -> Solver:
        if level == self.levels - 1 or self.coarse is None:
            return self.inner
        return self.coarse if isinstance(self.coarse, Solver) else self.coarse[level]

    def _limit(self, level: int) -> int:
        """The most steps of a level."""
        return self._solver(level).steps if self.schedule is None else self.schedule[level]

    def _part(self, system: System, level: int) -> System | None:
        """The system on as many samples as the level needs, or None for all."""
        if self.oversampling is None or level == self.levels - 1:
            return None
        return system.subset(math.ceil(self.oversampling * system.n_params))


def _is_spoilt(before: Tensor, after: Tensor, start: float) -> bool:
    """Whether rounding has changed residuals: beyond their knots splines of high order lose their digits."""
    change = float(torch.linalg.vector_norm(after - before))
    smallest = torch.finfo(before.dtype).eps ** 0.5 * start
    return not change <= max(LARGEST_JUMP * float(torch.linalg.vector_norm(before)), smallest)


def _checked_coarse(coarse: Solver | Sequence[Solver], levels: int) -> Solver | Sequence[Solver]:
    """A solver for all levels before the last, or a tuple of one for each."""
    if isinstance(coarse, (list, tuple)):
        if len(coarse) != levels - 1:
            cure = f"give one solver for each level but the last, or levels={len(coarse) + 1}"
            raise SettingsError("coarse", expected=f"{levels - 1} solvers", got=len(coarse), cure=cure)
        for solver in coarse:
            _check_level_solver("coarse", solver)
        return tuple(coarse)
    _check_level_solver("coarse", coarse)
    return coarse


def _check_level_solver(name: str, solver: object) -> None:
    """Refuse what cannot train one level."""
    cure = f"give settings, such as {name}=LevenbergMarquardt(steps=100)"
    if not isinstance(solver, Solver) or isinstance(solver, Multilevel):
        got = type(solver).__name__ if isinstance(solver, Solver) else repr(solver)
        raise SettingsError(name, expected="a solver of one level", got=got, cure=cure)
    if solver.seconds is not None:
        got, cure = f"seconds={solver.seconds:g}", "write seconds= on Multilevel itself, or steps= here"
        raise SettingsError(name, expected="a solver without a time limit of its own", got=got, cure=cure)


def _checked_schedule(schedule: object, levels: int) -> tuple[int, ...]:
    """The steps of every level as plain numbers."""
    if not isinstance(schedule, Iterable) or isinstance(schedule, str):
        cure = "write one number for each level, such as (800, 400, 200)"
        raise SettingsError("schedule", expected=f"{levels} numbers", got=repr(schedule), cure=cure)
    numbers = tuple(whole_number("steps of a level", number) for number in schedule)
    if len(numbers) != levels:
        cure = f"write levels={len(numbers)}, or one number for each level" if numbers else "write one for each level"
        raise SettingsError("schedule", expected=f"{levels} numbers", got=schedule, cure=cure)
    return numbers
