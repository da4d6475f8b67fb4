"""The loop around a solver: limits, measurements, callbacks, and what happens when a step goes wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.solvers import Report, Solver, Status, Step
from pinnml.system import System

#: Measurements on held-out points wait until the solver has worked this many times as long as the last one took.
MEASURE_PATIENCE = 20.0
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


@dataclass
class Loop:
    """One solve under way: where it stands, and its history.

    `run` ends with a status, never with an exception of numerics or an interruption; after trouble the best state so
    far is kept.
    """

    solver: Solver
    system: System
    theta: Tensor
    started: float
    measure: Measure
    callback: Callback | None = None
    keep: Callable[[Loop], None] | None = None
    steps: int = 0
    notes: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    held_out: float | None = None
    error: float | None = None
    loss: float = math.nan
    _measured: float = field(init=False, default=-math.inf)
    _cost: float = field(init=False, default=0.0)

    def run(self) -> Status:
        """Step until the solver is done, a limit is met, or something breaks."""
        best = Step(self.system, self.theta, None, Report(math.inf))
        try:
            with torch.no_grad():
                best = replace(best, report=Report(float(self.system.loss(self.theta))))
            state = self.solver.init(self.system, self.theta)
            while self.steps < self.solver.steps:
                step = self.solver.step(self.system, self.theta, state)
                if trouble := _trouble(step, best):
                    return self._returned_to(best, trouble)
                self.system, self.theta, state = step.system, step.theta, step.state
                self.steps += 1
                if not _comparable(step, best) or step.report.loss <= best.report.loss:
                    best = step
                if status := self._ended(step.report):
                    return status
        except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
            return self._returned_to(best, Status.NOT_FINITE)
        except KeyboardInterrupt:
            return Status.INTERRUPTED
        return Status.STEPS

    def _returned_to(self, best: Step, status: Status) -> Status:
        self.system, self.theta, self.loss = best.system, best.theta, best.report.loss
        return status

    def seconds(self) -> float:
        """Since the solve began."""
        return time.perf_counter() - self.started

    def record(self) -> None:
        """Measure on points that the training does not see, and add a line to the history."""
        began = time.perf_counter()
        self.held_out, self.error = self.measure(self.system, self.theta)
        self._measured = time.perf_counter()
        self._cost = self._measured - began
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
        self.loss = report.loss
        status, limit = report.status, self.solver.seconds
        if status is None and limit is not None and self.seconds() >= limit:
            status = Status.SECONDS
        if status is None and time.perf_counter() - self._measured >= MEASURE_PATIENCE * self._cost:
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
