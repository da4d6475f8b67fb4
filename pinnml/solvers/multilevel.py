"""Multilevel training: a coarse network first, then the same function on finer and finer knots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from pinnml.checks import flag, or_none, positive, settle, whole_number
from pinnml.errors import SettingsError
from pinnml.solvers.base import Report, Solver, Status, Step
from pinnml.solvers.levenberg_marquardt import LevenbergMarquardt
from pinnml.system import System


@dataclass(frozen=True)
class State:
    """The level, counted from 0, the steps taken on it, its solver's state, and the work so far.

    coarsest: the resolution of the first level, which makes one unit of work. full: the level's system with all
    samples, of which the level may use a part.
    """

    level: int
    steps: int
    inner: Any
    work: float
    coarsest: float
    full: System


@dataclass(frozen=True, kw_only=True)
class Multilevel(Solver):
    """Nested iteration: train a level, refine it without changing the function, train on.

    inner: the solver of the last level, whose `steps` are the most that a level gets. coarse: that of the levels
    before, `inner` if None; they only need to come near a good solution. levels: how many, the coarsest counted.
    schedule: the most steps of each level instead, such as (800, 400, 200). A level ends when its solver has reached
    its own end, stalled or has had its steps; the last one ends the solve. oversampling: levels before the last use
    at most so many samples of a region for each of their parameters, None for all. adaptive: None to refine
    everywhere, or the share of the squared residuals whose intervals are halved. transfer: whether a solver's state
    is carried over, where it can be, or begins anew. One unit of work is a step on the coarsest level; it grows with
    the number of intervals.

    Source: arXiv:2603.04827, algorithm 1.
    """

    inner: Solver = field(default_factory=lambda: LevenbergMarquardt(steps=200, patience=20))
    coarse: Solver | None = None
    levels: int = 3
    schedule: Sequence[int] | None = None
    oversampling: float | None = None
    adaptive: float | None = None
    transfer: bool = True
    steps: int = 10**6

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, whole_number, "levels")
        settle(self, or_none(positive), "oversampling")
        settle(self, flag, "transfer")
        for name in ("inner", "coarse"):
            solver = getattr(self, name) or self.inner
            if not isinstance(solver, Solver) or isinstance(solver, Multilevel):
                cure = f"give settings, such as {name}=LevenbergMarquardt(steps=100)"
                raise SettingsError(name, expected="a solver of one level", got=repr(solver), cure=cure)
        if self.schedule is not None:
            self._check_schedule(self.schedule)
        if self.adaptive is not None and positive("adaptive", self.adaptive) > 1:
            cure = "write adaptive=0.5, or leave it out to refine everywhere"
            raise SettingsError("adaptive", expected="a share from 0 to 1", got=self.adaptive, cure=cure)

    @property
    def most_steps(self) -> int:
        """Those of all levels together."""
        return min(self.steps, sum(self._limit(level) for level in range(self.levels)))

    @property
    def growth(self) -> int:
        """What refinement everywhere multiplies the size of a network by."""
        return 2 ** (self.levels - 1)

    def init(self, system: System, theta: Tensor) -> State:
        """The coarsest level."""
        inner = self._solver(0).init(self._thinned(system, 0), theta)
        return State(0, 0, inner, 0.0, system.network.basis.resolution, system)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """One step of the level's solver, and a refinement if it was the last of its level."""
        solver = self._solver(state.level)
        system = self._thinned(state.full, state.level) if state.steps == 0 else system
        step = solver.step(system, theta, state.inner)
        work = state.work + system.network.basis.resolution / state.coarsest
        state = replace(state, steps=state.steps + 1, inner=step.state, work=work)
        report = step.report
        over = report.status is not None or state.steps >= self._limit(state.level)
        notes = {**report.notes, "level": state.level, "work": work}
        if not over or state.level == self.levels - 1:
            status = report.status or (Status.STEPS if over else None)
            return Step(step.system, step.theta, state, Report(report.loss, status, notes))
        return self._refined(step, state, Report(report.loss, None, notes))

    def _refined(self, step: Step, state: State, report: Report) -> Step:
        """The same fields on the next level."""
        full = state.full.with_weights(step.system.weights)
        fine, theta, prolong = full.refine(step.theta, self.adaptive)
        before, after = self._solver(state.level), self._solver(state.level + 1)
        level = self._thinned(fine, state.level + 1)
        if self.transfer and type(before) is type(after):
            inner = after.carried(state.inner, level, theta, prolong)
        else:
            inner = after.init(level, theta)
        return Step(fine, theta, replace(state, level=state.level + 1, steps=0, inner=inner, full=fine), report)

    def _solver(self, level: int) -> Solver:
        return self.inner if level == self.levels - 1 else self.coarse or self.inner

    def _limit(self, level: int) -> int:
        """The most steps of a level."""
        return self._solver(level).steps if self.schedule is None else self.schedule[level]

    def _thinned(self, system: System, level: int) -> System:
        """The system on as many samples as the level needs, judged by the same held-out ones."""
        if self.oversampling is None or level == self.levels - 1:
            return system
        thinned = system.subset(math.ceil(self.oversampling * system.n_params))
        return thinned if system.held_out is None else thinned.with_held_out(system.held_out)

    def _check_schedule(self, schedule: Sequence[int]) -> None:
        for number in schedule:
            whole_number("steps of a level", number)
        if len(schedule) != self.levels:
            cure = f"write levels={len(schedule)}, or one number for each level"
            raise SettingsError("schedule", expected=f"{self.levels} numbers", got=schedule, cure=cure)
