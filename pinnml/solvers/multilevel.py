"""Multilevel training: a coarse network first, then the same function on finer and finer knots."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pinnml.checks import settle, whole_number
from pinnml.errors import SettingsError
from pinnml.solvers.base import Report, Solver, Status, Step
from pinnml.solvers.levenberg_marquardt import LevenbergMarquardt
from pinnml.system import System


@dataclass(frozen=True)
class State:
    """The level, counted from 0, the steps taken on it, the inner solver's state, and the work so far."""

    level: int
    steps: int
    inner: Any
    work: float


@dataclass(frozen=True, kw_only=True)
class Multilevel(Solver):
    """Nested iteration: train a level, refine it without changing the function, train on.

    inner: the solver of every level, whose `steps` are the most that a level gets. levels: how many, the coarsest
    counted. A level ends when the inner solver has reached its own end or its steps; the last one ends the solve.
    One unit of work is a step on the coarsest level; a level of twice the parameters costs twice as much.

    Source: arXiv:2603.04827, algorithm 1.
    """

    inner: Solver = field(default_factory=lambda: LevenbergMarquardt(steps=100, patience=20))
    levels: int = 3
    steps: int = 10**6

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, whole_number, "levels")
        if not isinstance(self.inner, Solver):
            cure = "give settings, such as inner=LevenbergMarquardt(steps=100)"
            raise SettingsError("inner", expected="a solver", got=repr(self.inner), cure=cure)

    def init(self, system: System, theta: Tensor) -> State:
        """The coarsest level."""
        return State(0, 0, self.inner.init(system, theta), 0.0)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """One step of the inner solver, and a refinement if it was the last of its level."""
        step = self.inner.step(system, theta, state.inner)
        state = State(state.level, state.steps + 1, step.state, state.work + 2.0**state.level)
        report = step.report
        over = report.status is not None or state.steps >= self.inner.steps
        notes = {**report.notes, "level": state.level, "work": state.work}
        if not over or state.level == self.levels - 1:
            status = report.status or (Status.STEPS if over else None)
            return Step(step.system, step.theta, state, Report(report.loss, status, notes))
        fine, prolong = step.system.refine()
        theta = prolong(step.theta)
        state = State(state.level + 1, 0, self.inner.init(fine, theta), state.work)
        return Step(fine, theta, state, Report(report.loss, None, notes))
