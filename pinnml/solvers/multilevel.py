"""Multilevel training: a coarse network first, then the same function on finer and finer knots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pinnml.checks import flag, positive, settle, whole_number
from pinnml.errors import SettingsError
from pinnml.solvers.base import Report, Solver, Status, Step
from pinnml.solvers.levenberg_marquardt import LevenbergMarquardt
from pinnml.system import System


@dataclass(frozen=True)
class State:
    """The level, counted from 0, the steps taken on it, the inner solver's state, and the work so far.

    coarsest: the resolution of the first level, which makes one unit of work.
    """

    level: int
    steps: int
    inner: Any
    work: float
    coarsest: float


@dataclass(frozen=True, kw_only=True)
class Multilevel(Solver):
    """Nested iteration: train a level, refine it without changing the function, train on.

    inner: the solver of every level, whose `steps` are the most that a level gets. levels: how many, the coarsest
    counted. schedule: the most steps of each level instead, such as (800, 400, 200). A level ends when the inner
    solver has reached its own end, stalled or has had its steps; the last one ends the solve. adaptive: None to
    refine everywhere, or the share of the squared residuals whose intervals are halved. transfer: whether the inner
    solver's state is carried over, where it can be, or begins anew. One unit of work is a step on the coarsest level;
    it grows with the number of intervals.

    Source: arXiv:2603.04827, algorithm 1.
    """

    inner: Solver = field(default_factory=lambda: LevenbergMarquardt(steps=100, patience=20))
    levels: int = 3
    schedule: Sequence[int] | None = None
    adaptive: float | None = None
    transfer: bool = True
    steps: int = 10**6

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, whole_number, "levels")
        settle(self, flag, "transfer")
        if not isinstance(self.inner, Solver) or isinstance(self.inner, Multilevel):
            cure = "give settings, such as inner=LevenbergMarquardt(steps=100)"
            raise SettingsError("inner", expected="a solver of one level", got=repr(self.inner), cure=cure)
        if self.schedule is not None:
            self._check_schedule(self.schedule)
        if self.adaptive is not None and positive("adaptive", self.adaptive) > 1:
            cure = "write adaptive=0.5, or leave it out to refine everywhere"
            raise SettingsError("adaptive", expected="a share from 0 to 1", got=self.adaptive, cure=cure)

    @property
    def growth(self) -> int:
        """What refinement everywhere multiplies the size of a network by."""
        return 2 ** (self.levels - 1)

    def init(self, system: System, theta: Tensor) -> State:
        """The coarsest level."""
        return State(0, 0, self.inner.init(system, theta), 0.0, system.network.basis.resolution)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """One step of the inner solver, and a refinement if it was the last of its level."""
        step = self.inner.step(system, theta, state.inner)
        work = state.work + system.network.basis.resolution / state.coarsest
        state = State(state.level, state.steps + 1, step.state, work, state.coarsest)
        report = step.report
        limit = self.inner.steps if self.schedule is None else self.schedule[state.level]
        over = report.status is not None or state.steps >= limit
        notes = {**report.notes, "level": state.level, "work": work}
        if not over or state.level == self.levels - 1:
            status = report.status or (Status.STEPS if over else None)
            return Step(step.system, step.theta, state, Report(report.loss, status, notes))
        return self._refined(step, state, Report(report.loss, None, notes))

    def _refined(self, step: Step, state: State, report: Report) -> Step:
        """The same fields on the next level."""
        fine, theta, prolong = step.system.refine(step.theta, self.adaptive)
        moments = self.inner.carried(state.inner, fine, theta, prolong) if self.transfer else None
        inner = moments or self.inner.init(fine, theta)
        return Step(fine, theta, State(state.level + 1, 0, inner, state.work, state.coarsest), report)

    def _check_schedule(self, schedule: Sequence[int]) -> None:
        for number in schedule:
            whole_number("steps of a level", number)
        if len(schedule) != self.levels:
            cure = f"write levels={len(schedule)}, or one number for each level"
            raise SettingsError("schedule", expected=f"{self.levels} numbers", got=schedule, cure=cure)
