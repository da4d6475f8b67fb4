"""How the state of a solve is kept on the way, and when something fails."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from pinnml.output import Workplace, load_libraries
from pinnml.results import Solution, Verdict, of_run, told, warned, write_state, written
from pinnml.run.judge import judge, unjudged
from pinnml.run.loop import Loop
from pinnml.run.record import record_of
from pinnml.run.request import Request
from pinnml.run.resume import progress_of
from pinnml.run.signals import Interruptions
from pinnml.solvers import Status

#: Seconds between checkpoints.
CHECKPOINT_SECONDS = 30.0


@dataclass
class Keeper:
    """Writes where a loop stands into the place of its run. A disk that fails ends no solve: `failures` tells of it."""

    request: Request
    place: Workplace
    interruptions: Interruptions
    failures: list[str] = field(default_factory=list)
    _last: float = field(default_factory=time.perf_counter)

    def now_and_then(self, loop: Loop) -> None:
        """A checkpoint, if the last one is some time ago."""
        if time.perf_counter() - self._last > CHECKPOINT_SECONDS:
            record = record_of(self.request, loop.system)
            self.keep(loop, judge(loop, Status.INTERRUPTED, record, loop.seconds(), None))
            self._last = time.perf_counter()

    def keep(self, loop: Loop, verdict: Verdict) -> str | None:
        """Write a checkpoint with this verdict, whatever signals come; what went wrong, None if nothing did."""
        try:
            with self.interruptions.held():
                solution = of_run(solution_at(loop, self.request, verdict), self.place)
                write_state(solution, self.place.folder, progress_of(loop, self.request))
        except Exception as error:
            self.failures.append(f"after step {loop.steps}: {told(error)}")
            return told(error)
        return None

    def rescue(self, loop: Loop, error: Exception) -> None:
        """Keep the last state for the user whose function raised an error, and say so on it.

        Nothing of the user's is called again: the verdict stays empty.
        """
        if not loop.steps:
            return
        failure = self.keep(loop, unjudged(loop, record_of(self.request, loop.system)))
        if failure is None:
            error.add_note(f"the state after step {loop.steps} is kept in '{self.place.folder.checkpoint}'")
        else:
            error.add_note(f"the last state could not be kept: {failure}")

    def at_end(self, loop: Loop) -> None:
        """A checkpoint before the solution is judged, which may take long, and is not asked for twice."""
        if loop.steps:
            self.keep(loop, unjudged(loop, record_of(self.request, loop.system)))

    def finish(self, loop: Loop, solution: Solution) -> Solution:
        """The solution at the end, all of it written; warnings tell what was not."""
        if self.failures:
            first, n = self.failures[0], len(self.failures)
            solution = warned(
                solution, f"{n} checkpoint{'s' * (n > 1)} could not be written on the way, the first {first}."
            )
        with self.interruptions.held(), suppress(ImportError):  # what is missing is told in writing
            load_libraries()
        return written(solution, self.place, progress_of(loop, self.request) if loop.steps else None)


def solution_at(loop: Loop, request: Request, verdict: Verdict) -> Solution:
    """The solution where the loop stands, with a verdict on it."""
    system, problem, record = loop.system, request.problem, record_of(request, loop.system)
    network, parameters = system.network_at(loop.theta), system.parameters_at(loop.theta)
    return Solution(problem.domain, problem.fields, network, parameters, verdict, tuple(loop.history), problem, record)
