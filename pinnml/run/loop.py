"""The loop around a solver: limits, measurements, callbacks, and what happens when a step goes wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.deadline import NEVER, Deadline, OutOfTimeError
from pinnml.solvers import Report, Solver, Status, Step
from pinnml.system import System

#: Measurements on held-out points wait until the solver has worked this many times as long as the last one took.
MEASURE_PATIENCE = 20.0
#: Lines of a history at most.
LONGEST_HISTORY = 2000
#: A loss that has grown by this factor over the least so far will not come back.
DIVERGENCE = 1e6

#: System and theta to the loss on held-out points and the worst error, None where nothing is known.
Measure = Callable[[System, Tensor], tuple[float | None, float | None]]


@dataclass(frozen=True)
class Progress:
    """What a callback sees after a step. held_out (a loss) and error (the worst field's) are the last measured."""

    step: int
    steps: int
    seconds: float
    seconds_limit: float | None
    loss: float
    held_out: float | None
    error: float | None
    notes: Mapping[str, float | int | str]


#: Called after every step; returning True, of Python or NumPy, ends the solve.
Callback = Callable[[Progress], object]


@dataclass(frozen=True)
class Standing:
    """Where a solve stands after so many steps: the solver's state is None before the first.

    best: the step of least loss so far, as far as losses can be compared. status: why there are no more steps, if
    there are none; by_solver: whether it was the solver that said so, and no limit from outside. before: where it stood
    before a step that time has cut short; nobody would have taken that one who had more time.
    """

    system: System
    theta: Tensor
    state: Any = None
    steps: int = 0
    loss: float = math.nan
    best: Step | None = None
    status: Status | None = None
    by_solver: bool = False
    before: Standing | None = None


@dataclass
class Loop:
    """One solve under way: where it stands, and its history.

    `run` ends with a status, never with an exception of numerics or an interruption; after trouble the best state so
    far is kept. `at` changes as a whole: whenever it is cut short, a step has been taken or it has not.
    """

    solver: Solver
    at: Standing
    started: float
    measure: Measure
    callback: Callback | None = None
    keep: Callable[[Loop], None] | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    held_out: float | None = None
    error: float | None = None
    #: Of so many occasions for a line of the history one is taken.
    spacing: int = 1
    _measured: float = field(init=False, default=-math.inf)
    _cost: float = field(init=False, default=0.0)
    _passed: int = field(init=False, default=0)

    @property
    def system(self) -> System:
        """The system after the last step."""
        return self.at.system

    @property
    def theta(self) -> Tensor:
        """Theta (P,) after the last step."""
        return self.at.theta

    @property
    def steps(self) -> int:
        """The steps so far."""
        return self.at.steps

    @property
    def loss(self) -> float:
        """The loss after the last step."""
        return self.at.loss

    def run(self) -> Status:
        """Step until the solver is done, a limit is met, or something breaks."""
        self._within(self.deadline)
        try:
            return self._run()
        finally:
            self._within(NEVER)

    @property
    def deadline(self) -> Deadline:
        """When the solver's time is over."""
        return NEVER if self.solver.seconds is None else Deadline(self.started + self.solver.seconds)

    def _within(self, deadline: Deadline) -> None:
        self.at = replace(self.at, system=self.system.within(deadline))

    def _run(self) -> Status:
        try:
            status = self._stepped()
        except OutOfTimeError:
            status = Status.SECONDS
        except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
            status = self._returned(Status.NOT_FINITE)
        except KeyboardInterrupt:
            return Status.INTERRUPTED
        if status is not Status.INTERRUPTED:
            self.at = replace(self.at, status=status)
        return status

    def _stepped(self) -> Status:
        if self.at.status is not None and self.at.by_solver:
            return self.at.status
        if self.at.best is None:
            loss = math.inf
            with torch.no_grad(), suppress(OutOfTimeError):  # a solver may still do something in no time
                loss = float(self.system.loss(self.theta))
            best = Step(self.system, self.theta, None, Report(loss))
            self.at = replace(self.at, state=self.solver.init(self.system, self.theta), best=best)
        while self.steps < self.solver.steps:
            at = self.at
            step, best = self.solver.step(at.system, at.theta, at.state), at.best
            assert best is not None
            if trouble := _trouble(step, best):
                return self._returned(trouble)
            if not _comparable(step, best) or step.report.loss <= best.report.loss:
                best = step
            report = step.report
            late = report.status is Status.SECONDS
            self.at = Standing(
                system=step.system,
                theta=step.theta,
                state=step.state,
                steps=at.steps + 1,
                loss=report.loss,
                best=best,
                status=report.status,
                by_solver=not late and report.status is not None,
                before=at if late else None,
            )
            if status := self._ended(report):
                return status
        return Status.STEPS

    def _returned(self, status: Status) -> Status:
        """Back to the best step."""
        if (best := self.at.best) is not None:
            at = replace(self.at, system=best.system, theta=best.theta, loss=best.report.loss)
            self.at = replace(at, state=None, by_solver=True)
        return status

    def seconds(self) -> float:
        """Since the solve began."""
        return time.perf_counter() - self.started

    def record(self) -> None:
        """Measure on points that the training does not see, and add a line to the history.

        Where that is long, every other line goes, and they come half as often: a solve may take days.
        """
        began = time.perf_counter()
        self.held_out, self.error = self.measure(self.system, self.theta)
        self._measured = time.perf_counter()
        self._cost, self._passed = self._measured - began, 0
        if len(self.history) >= LONGEST_HISTORY:
            self.history, self.spacing = self.history[::2], 2 * self.spacing
        self.history.append(
            {
                "step": self.steps,
                "seconds": began - self.started,
                "loss": self.loss,
                "held_out": self.held_out,
                "error": self.error,
                **{name: value for name, value in self.notes.items() if isinstance(value, (int, float))},
            }
        )

    def _ended(self, report: Report) -> Status | None:
        """Note the step; the status if it was the last."""
        if report.notes.get("level") != self.notes.get("level"):
            self.notes = {}  # another level may have another solver, with other notes
        self.notes |= report.notes
        status, limit = report.status, self.solver.seconds
        if status is None and limit is not None and self.seconds() >= limit:
            status = Status.SECONDS
        if status is None and time.perf_counter() - self._measured >= MEASURE_PATIENCE * self._cost:
            self._passed += 1
            self._measured = time.perf_counter()
            if self._passed >= self.spacing:
                self.record()
        if self.keep is not None:
            self.keep(self)
        progress = Progress(
            self.steps,
            self.solver.most_steps,
            self.seconds(),
            limit,
            report.loss,
            self.held_out,
            self.error,
            self.notes,
        )
        answer = None if self.callback is None else self.callback(progress)
        if isinstance(answer, (bool, np.bool_)) and answer and status is None:
            status = Status.INTERRUPTED
        return status


def _trouble(step: Step, best: Step) -> Status | None:
    """What is wrong with a step, seen from the best one before it."""
    if not (math.isfinite(step.report.loss) and bool(torch.isfinite(step.theta).all())):
        return Status.NOT_FINITE
    limit = DIVERGENCE * max(best.report.loss, torch.finfo(step.theta.dtype).tiny)
    return Status.DIVERGED if _comparable(step, best) and step.report.loss > limit else None


def _comparable(step: Step, best: Step) -> bool:
    """Whether two losses are of the same weighted sum, on the same level: another one may use other samples."""
    same_size = step.system.n_params == best.system.n_params
    return same_size and step.system.weights == best.system.weights
