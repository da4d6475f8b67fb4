"""A loop run to its end, and what came out of it."""

from __future__ import annotations

from dataclasses import replace

from pinnml.results import Solution
from pinnml.run.judge import Check, check_of, judge, seconds_to_check
from pinnml.run.keeping import Keeper, solution_at
from pinnml.run.loop import Loop
from pinnml.run.record import record_of
from pinnml.run.request import Request
from pinnml.run.threads import settle_threads
from pinnml.verification import Verification


def ended(loop: Loop, request: Request, keeper: Keeper | None = None) -> Solution:
    """The solution at the end of the loop, judged."""
    if loop.at.best is None:  # a run that goes on has the threads of then
        settle_threads(request.threads, loop.solver, loop.system.within(loop.deadline), loop.theta)
    return run_and_checked(loop, request, request, seconds_to_check(request.solver.seconds), keeper)[0]


def run_and_checked(
    loop: Loop, request: Request, second: Request, budget: float | None, keeper: Keeper | None = None
) -> tuple[Solution, Check]:
    """The same, and what the second solve said, which is of the problem of `second` and may take so many seconds."""
    status = loop.run()
    seconds = loop.seconds()
    loop.record()
    if keeper is not None:
        keeper.at_end(loop)
    check = check_of(loop, status, second, budget)
    verdict = judge(loop, status, record_of(request, loop.system), seconds, check)
    solution = solution_at(loop, request, verdict)
    if not isinstance(check, Verification):
        return solution, check
    alternative = check.alternative if verdict.undetermined else None
    return replace(solution, second=check.second, alternative=alternative), check
