"""A problem from one instant to another: what can be solved in slabs of time, and what each slab is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pinnml.domains import TIME, Box, MeshTimes
from pinnml.errors import PinnmlError, ProblemError, caught, raise_all
from pinnml.problem.equation import Equation
from pinnml.problem.problem import Problem

#: The first and the last instant, as regions.
FIRST, LAST = f"{TIME}=min", f"{TIME}=max"
WHOLE = "leave slabs= out, and solve for all times at once"


@dataclass(frozen=True)
class HandedOn(Equation):
    """What a window begins from: as smooth as the fields of the one before, so that nothing narrow is to be found."""


def check_goes_in_slabs(problem: Problem) -> None:
    """Raise ProblemError, or DomainError, for what is steady or couples all times.

    Those are conditions at the last instant, integral conditions over time, unknown parameters and measured values,
    of which later ones say something of earlier times. An integral at the first instant is as good as any condition
    there.
    """
    raise_all(_obstacles(problem), "slabs in time")


def edges_of(problem: Problem, slabs: int) -> tuple[float, ...]:
    """The ends (slabs + 1,) of windows of one length, from the first instant to the last."""
    low, high = problem.domain.bounds[problem.domain.axes.position(TIME)]
    return tuple(np.linspace(low, high, slabs + 1).tolist())


def window_of(problem: Problem, start: float, end: float, begun_from: Sequence[Equation] | None = None) -> Problem:
    """The problem from one instant to another: the same equations on less of the domain.

    begun_from: what holds at `start` in the place of the conditions at the first instant; None leaves these.
    Raises DomainError for a domain that has no window in time.
    """
    assert isinstance(problem.domain, (Box, MeshTimes))
    equations = [each for each in (_moved(problem, e, begun_from is None) for e in problem.equations) if each]
    return replace(problem, domain=problem.domain.during(start, end), equations=(*equations, *(begun_from or ())))


def _moved(problem: Problem, equation: Equation, keeps_first: bool) -> Equation | None:
    """The equation in a window, where the first instant has another number; None if it is said of that alone."""
    canonical = {on: problem.canonical(on) for on in equation.on}
    kept = tuple(FIRST if at == FIRST else on for on, at in canonical.items() if keeps_first or at != FIRST)
    return replace(equation, on=kept) if kept else None


def _obstacles(problem: Problem) -> Iterator[PinnmlError]:
    domain = problem.domain
    if not isinstance(domain, (Box, MeshTimes)) or TIME not in domain.axes.names:
        cure = f"{WHOLE}; the axis of time is the one that is called {TIME}"
        yield ProblemError("a steady problem has no slabs in time", expected=f"{TIME}=...", got=repr(domain), cure=cure)
        return
    low, high = domain.bounds[domain.axes.position(TIME)]
    yield from caught(domain.during, low, high)
    if problem.parameters:
        got = ", ".join(problem.parameters)
        yield ProblemError(
            "unknown parameters are the same at all times", expected="no parameters=", got=got, cure=WHOLE
        )
    if problem.data:
        got = ", ".join(problem.data)
        message = "measured values say something of earlier times too"
        yield ProblemError(message, expected="no data=", got=got, cure=WHOLE)
    for term in problem.terms:
        if term.region == LAST:
            message = f"the condition '{term.name}' at the last instant says something of earlier times"
            yield ProblemError(message, expected="conditions at the first instant", got=f"one on '{LAST}'", cure=WHOLE)
        elif term.equation.integral and term.region not in (FIRST, *problem.data):
            message = f"the integral condition '{term.name}' goes over all times"
            yield ProblemError(message, expected=f"integrals on '{FIRST}' alone", got=f"'{term.region}'", cure=WHOLE)
