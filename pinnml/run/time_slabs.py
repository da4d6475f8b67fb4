"""Slabs of time: windows solved one after the other, each begun from the last, and one solution over all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pinnml.domains import TIME
from pinnml.errors import ProblemError, SettingsError
from pinnml.networks import joined_in_time
from pinnml.problem import Problem, check_goes_in_slabs, edges_of, window_of
from pinnml.results import Solution, described
from pinnml.run.ending import run_and_checked
from pinnml.run.handing_on import handed_on, moved_on, settled_as
from pinnml.run.judge import seconds_to_check
from pinnml.run.loop import Callback, Progress
from pinnml.run.preparation import begun
from pinnml.run.request import Request
from pinnml.run.slab_verdict import Slab, verdict_over
from pinnml.run.threads import settle_threads
from pinnml.solvers import Multilevel, Status
from pinnml.solvers.bandwidth_search import searchable
from pinnml.verification import Verification, initial_values

#: A slab that leaves more than this many times as much of an equation as the first one searches its own bandwidth.
WORSE = 10.0
#: Relative residuals below this are as good as any.
FINE = 1e-12
#: Seconds of a slab at least, whatever the others took.
LEAST = 1e-3
#: Ends of a slab from which no other one can begin.
UNSOUND = (Status.INTERRUPTED, Status.NOT_FINITE, Status.DIVERGED)


def check_slabs(request: Request, resume: str | Path | None) -> None:
    """Raise ProblemError for a problem that does not go in slabs, SettingsError for options that have no meaning."""
    check_goes_in_slabs(request.problem)
    cure = "leave it out, or slabs="
    if resume is not None:
        raise SettingsError("resume with slabs", expected="a run in one piece", got=f"resume='{resume}'", cure=cure)
    if request.start is not None:
        raise SettingsError("start with slabs", expected="slabs that begin anew", got="start=...", cure=cure)
    if request.recipe.tests is not None:
        raise SettingsError("tests with slabs", expected="equations at points", got="tests=...", cure=cure)


@dataclass
class March:
    """The slabs so far, and what the first of them has told.

    edges: the ends of all. needed: what one hands to the next. searched: whether a bandwidth was looked for.
    stopped: whether the callback has asked to end.
    """

    request: Request
    callback: Callback | None
    edges: tuple[float, ...]
    slabs: list[Slab] = field(default_factory=list)
    needed: Mapping[tuple[str, int], float] = field(default_factory=dict)
    is_linear: bool = True
    searched: bool = False
    stopped: bool = False

    @property
    def count(self) -> int:
        """How many slabs there are to be."""
        return len(self.edges) - 1

    def run(self) -> None:
        """Solve slab after slab, to the last one, or to one from which no other can begin."""
        for number in range(self.count):
            try:
                slab = self._better(number, self._solved(number, self._asked(number)))
            except KeyboardInterrupt:
                if not self.slabs:
                    raise
                self.slabs[-1] = self.slabs[-1].with_status(Status.INTERRUPTED)
                return
            except Exception as error:
                error.add_note(f"in slab {number + 1} of {self.count}")
                raise
            self.slabs.append(slab.with_status(Status.INTERRUPTED) if self._was_cut_short(number, slab) else slab)
            if self.slabs[-1].verdict.status in UNSOUND:
                return

    def _was_cut_short(self, number: int, slab: Slab) -> bool:
        """Whether a signal or the callback has ended the solve, though this slab's own solver had done its work."""
        unchecked = slab.check is None and self._verifies  # nothing but a signal leaves a second solve without a word
        return slab.verdict.status not in UNSOUND and (unchecked or (self.stopped and number + 1 < self.count))

    @property
    def _verifies(self) -> bool:
        """Whether the next slab has a second solve: where one has failed others have nothing to begin from."""
        return self.request.verify and not any(isinstance(slab.check, str) for slab in self.slabs)

    def _asked(self, number: int) -> Request:
        """What one slab is asked for, with its share of the time that is left."""
        request, before = self.request, self.slabs[-1] if self.slabs else None
        problem = self._problem(number, before and before.first)
        solver, network, start = request.solver, request.recipe.network, None
        if solver.seconds is not None:
            used = sum(slab.verdict.seconds for slab in self.slabs)
            solver = replace(solver, seconds=max((solver.seconds - used) / (self.count - number), LEAST))
        if before is not None and not self.is_linear and not isinstance(solver, Multilevel):
            start, network = moved_on(request, before.solution, problem.domain), None
        elif before is not None and self.searched:
            network = settled_as(request.network, self.slabs[0].solution.network)
        recipe = replace(request.recipe, network=network, solver=solver, slabs=1)
        seed, verify = request.seed + number, self._verifies
        return replace(request, problem=problem, recipe=recipe, seed=seed, start=start, verify=verify)

    def _problem(self, number: int, before: Any) -> Problem:
        """That of one slab, begun from the fields of the slab before, first or second ones."""
        conditions = handed_on(self.slabs[-1].problem, before, self.needed) if self.slabs else None
        return window_of(self.request.problem, self.edges[number], self.edges[number + 1], conditions)

    def _solved(self, number: int, asked: Request) -> Slab:
        loop = begun(asked, self._followed(number))
        if not number:
            settle_threads(asked.threads, loop.solver, loop.system.within(loop.deadline), loop.theta)
            self.is_linear, self.searched = loop.system.is_linear, searchable(loop.system) is not None
            self.needed = initial_values(asked.problem, loop.system.blocks)
            if not self.needed:
                raise _nothing_goes_on(self.request.problem)
        other = asked
        if number and asked.verify:
            other = replace(asked, problem=self._problem(number, self.slabs[-1].solution.second))
        solution, check = run_and_checked(loop, asked, other, self._budget(number))
        return Slab(asked.problem, self.edges[number], self.edges[number + 1], solution, check)

    def _better(self, number: int, slab: Slab) -> Slab:
        """The slab, or the same with a bandwidth of its own where that of the first does not hold."""
        bound = max(WORSE * self.slabs[0].verdict.worst, FINE) if self.slabs else 0.0
        sound = slab.verdict.status not in UNSOUND
        if not (number and self.searched and self.is_linear and sound) or slab.verdict.worst <= bound:
            return slab
        asked = self._asked(number)
        own = self._solved(number, replace(asked, recipe=replace(asked.recipe, network=self.request.network)))
        return min(slab, own, key=lambda each: each.verdict.worst)

    def _budget(self, number: int) -> float | None:
        """Seconds of a second solve: its share of what is left of those for all."""
        whole = seconds_to_check(self.request.solver.seconds)
        used = sum(slab.verdict.seconds_verify for slab in self.slabs)
        return None if whole is None else max((whole - used) / (self.count - number), LEAST)

    def _followed(self, number: int) -> Callback | None:
        """The callback, which is told the slab."""
        callback = self.callback

        def told(progress: Progress) -> object:
            assert callback is not None
            answer = callback(replace(progress, notes={**progress.notes, "slab": number + 1, "slabs": self.count}))
            self.stopped = self.stopped or (isinstance(answer, (bool, np.bool_)) and bool(answer))
            return answer

        return None if callback is None else told


def solved_in_slabs(request: Request, callback: Callback | None = None) -> Solution:
    """The solution over all slabs; where one went wrong it ends there, and its verdict says so."""
    march = March(request, callback, edges_of(request.problem, request.recipe.slabs))
    march.run()
    slabs, problem = march.slabs, request.problem
    edges, axes = march.edges[: len(slabs) + 1], problem.domain.axes
    if len(slabs) < march.count:
        problem = window_of(problem, edges[0], edges[-1])
    network = joined_in_time([slab.solution.network for slab in slabs], edges, axes, TIME)
    second = None
    if all(isinstance(slab.check, Verification) for slab in slabs):
        second = joined_in_time([slab.second[0] for slab in slabs], edges, axes, TIME), {}
    return Solution(
        problem.domain,
        problem.fields,
        network,
        {},
        verdict_over(slabs, march.count, problem, network, request.recipe.expect),
        _history(slabs),
        problem,
        _settings(request, slabs, edges),
        second,
    )


def _history(slabs: list[Slab]) -> tuple[Mapping[str, Any], ...]:
    """Those of the slabs one behind the other."""
    rows, steps, seconds = [], 0, 0.0
    for number, slab in enumerate(slabs, start=1):
        for row in slab.solution.history:
            moved = {"step": row["step"] + steps, "seconds": row["seconds"] + seconds}
            rows.append({**row, **moved, "slab": number})
        steps, seconds = steps + slab.verdict.steps, seconds + slab.verdict.seconds
    return tuple(rows)


def _settings(request: Request, slabs: list[Slab], edges: tuple[float, ...]) -> dict[str, Any]:
    """Those of the first slab, what was settled in each, and where they meet."""
    own = [dict(slab.solution.network.basis.settled) for slab in slabs]
    asked = {"problem": request.problem.name, "solver": described(request.solver)}
    return {**slabs[0].solution.settings, **asked, "slabs": {"edges": list(edges), "settled": own}}


def _nothing_goes_on(problem: Problem) -> ProblemError:
    return ProblemError(
        "no equation has a derivative in time, so that no slab begins from the one before",
        expected=f"an equation with u.d('{TIME}')",
        got=", ".join(term.name for term in problem.terms),
        cure="leave slabs= out",
    )
