"""How many points each region of a problem gets, and which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

from pinnml.domains import Box, Mesh, MeshTimes, Sample, Solid
from pinnml.errors import ProblemError, SettingsError
from pinnml.problem.equation import Term
from pinnml.problem.problem import Problem

#: Held-out points of a region at least.
FEWEST_HELD_OUT = 64
#: Measured points may lie outside the bounding box by this part of its ends.
ROUND_OFF = 1e-9


def check_data(problem: Problem) -> None:
    """Refuse measured points that lie outside the bounding box, but for axes that go round."""
    domain = problem.domain
    if not isinstance(domain, (Box, Mesh, MeshTimes, Solid)):
        return
    for name, points in problem.data.items():
        for axis, (low, high), found in zip(domain.axes.names, domain.bounds, points.bounds, strict=True):
            slack = ROUND_OFF * max(abs(low), abs(high))
            if axis not in domain.periodic and not (low - slack <= found[0] and found[1] <= high + slack):
                raise ProblemError(
                    f"data set '{name}' lies outside the domain along '{axis}'",
                    expected=f"{axis} from {low:g} to {high:g}",
                    got=f"{axis} from {found[0]:g} to {found[1]:g}",
                    cure="remove those points, widen the domain, or look at the units",
                )


def check_posed_at_points(problem: Problem) -> None:
    """Refuse a problem that says what holds inside by its weak form alone."""
    inside = (
        term for term in problem.terms if term.region in problem.data or not problem.domain.has_normal(term.region)
    )
    if problem.weak and not any(inside):
        raise ProblemError(
            "nothing holds at points inside: the problem has a weak form alone",
            expected="an equation in the interior, or functions to test the weak form with",
            got=f"equations on {', '.join(sorted({term.region for term in problem.terms}))}",
            cure="give tests=TestSpace() to solve, --tests degree=2 to pinnml solve, or call reference(problem)",
        )


def counts(problem: Problem, points: int | Mapping[str, int], terms: Sequence[Term]) -> dict[str, int]:
    """Points by canonical region with one of the terms: what was asked, else a share of the interior's."""
    asked = {"interior": points} if isinstance(points, int) else {problem.canonical(k): n for k, n in points.items()}
    if measured := [region for region in asked if region in problem.data]:
        raise SettingsError(
            f"points in the data set '{measured[0]}'",
            expected="regions of the domain: all points of a data set are always used",
            got=f"{asked[measured[0]]} for its {len(problem.data[measured[0]])} points",
            cure="leave it out, or give the problem a data set of fewer points",
        )
    interior = asked.get("interior") or max(asked.values())
    borne = {term.region: written(problem, term) for term in problem.terms}
    if "boundary" in asked and "boundary" not in borne:
        asked |= _shared(problem, asked, borne, interior)
    if bare := [region for region in asked if region not in borne and region != "interior"]:
        given = [name for name in (() if isinstance(points, int) else points) if problem.canonical(name) == bare[0]]
        raise SettingsError(
            f"points in '{given[0]}'",
            expected=f"regions that bear an equation: {', '.join(borne.values())}",
            got=f"'{given[0]}', on which there is none",
            cure="name those regions one by one, or leave this one out",
        )
    regions = dict.fromkeys(term.region for term in terms)
    return {r: asked.get(r) or (1 if r in problem.data else problem.domain.shares(r, interior)) for r in regions}


def _shared(problem: Problem, asked: dict[str, int], borne: Iterable[str], interior: int) -> dict[str, int]:
    """The points of "boundary" shared out among the sides that bear equations and have no number of their own.

    They are taken out of `asked`, where there are such sides.
    """
    domain = problem.domain
    between = domain.interfaces if isinstance(domain, (Mesh, MeshTimes)) else ()
    sides = [region for region in borne if region not in (*problem.data, *between) and domain.has_normal(region)]
    shares = {region: domain.shares(region, interior) for region in sides if region not in asked}
    if not shares:
        return {}
    n, total = asked.pop("boundary"), sum(shares.values())
    return {region: max(round(n * share / total), 1) for region, share in shares.items()}


def written(problem: Problem, term: Term) -> str:
    """The region of an equation as the problem names it, "x=0" for "x=min"."""
    return next((name for name in term.equation.on if problem.canonical(name) == term.region), term.region)


def drawn(problem: Problem, region: str, n: int, generator: torch.Generator, rule: str) -> Sample:
    """The points on which a region is trained: all that were measured, or n by the rule; Gauss points for integrals."""
    if region in problem.data:
        return problem.data[region].all()
    rule = "gauss" if _is_integrated(problem, region) else rule
    return sided(problem, region, problem.domain.sample(region, n, generator, rule))


def held_out_sample(problem: Problem, region: str, n: int, generator: torch.Generator) -> Sample:
    """The points on which a region that has n is judged: half as many that the training does not see."""
    n = max(n // 2, FEWEST_HELD_OUT)
    if region in problem.data:
        return problem.data[region].all()
    if _is_integrated(problem, region):
        return sided(problem, region, problem.domain.sample(region, n, generator, "gauss"))
    return sided(problem, region, problem.domain.held_out(region, n, generator))


def sided(problem: Problem, region: str, sample: Sample) -> Sample:
    """Points of a region; of an interface those on either side of it."""
    return sample.both_sides(problem.domain.axes) if problem.has_two_sides(region) else sample


def _is_integrated(problem: Problem, region: str) -> bool:
    """Whether an equation on the region is an integral, which wants the points of a quadrature."""
    return any(term.equation.integral for term in problem.terms if term.region == region)
