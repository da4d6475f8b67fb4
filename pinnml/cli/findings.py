"""A problem looked over before it is solved: regions, equations, derivatives, conditions, and its exact solution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import IndexSet
from pinnml.domains import Sample
from pinnml.elements import checked_mesh, elements_of
from pinnml.errors import PinnmlError
from pinnml.networks import Features, Network
from pinnml.problem import WEAK_FORM, Field, Problem, Random, bare_faces, in_the_middle, sided
from pinnml.run import Recipe, footprint, prepared
from pinnml.solvers import LSGD
from pinnml.system import Block
from pinnml.system.weak import weak_residual
from pinnml.verification import Trial, changes, trials, weak_trials

#: An exact solution leaves less than this part of the size of an equation's terms.
TOLERANCE = 1e-8
#: Of a weak form it leaves less than this part of its terms: quadratures, straight cells on round walls and terms that
#: only stabilise the elements leave something. And what the quadratures are exact for beyond products of functions.
WEAK_TOLERANCE, WEAK_BEYOND = 2.5e-2, 8
#: More than this of a weak form is told.
SMALL_MISFIT = 1e-6
#: Random points of a region on which equations are tried, and Gauss points for integral conditions.
POINTS, GAUSS_POINTS = 1000, 10_000


@dataclass(frozen=True)
class RegionFinding:
    """A region of the solve: its collocation points and its measure (1 for a single point)."""

    name: str
    points: int
    measure: float


@dataclass(frozen=True)
class EquationFinding:
    """What is known of one equation on one region.

    components: real residuals at each point. derivatives: those that the residual changes with, such as "u_t" or
    "E[0]_xy". trial: what the exact solution leaves of it. allowed: what it may leave.
    """

    name: str
    region: str
    components: int
    derivatives: tuple[str, ...]
    trial: Trial
    allowed: float = TOLERANCE

    @property
    def satisfied(self) -> bool | None:
        """Whether the exact solution satisfies the equation; None where it cannot tell."""
        return None if self.trial.relative is None else self.trial.relative <= self.allowed

    @property
    def complaint(self) -> str:
        """The sentence for an equation that the exact solution does not satisfy."""
        point = ", ".join(f"{name} = {value:.4g}" for name, value in (self.trial.worst or {}).items())
        return (
            f"The exact solution does not satisfy equation '{self.name}' on {self.region}: it leaves "
            f"{self.trial.relative:.1e} of the size of the terms, where at most {self.allowed:.1e} is allowed"
            + (f"; most at {point}." if point else ".")
        )


@dataclass(frozen=True)
class Findings:
    """All that `check` finds.

    linear: whether the equations are linear in the network's last coefficients. trainable: how many numbers the
    solver adjusts. memory: bytes that a solve takes, about. random: what is random; problem: with the middle of that
    in its place. warnings: plain sentences, none of them an error.
    """

    problem: Problem
    regions: tuple[RegionFinding, ...]
    equations: tuple[EquationFinding, ...]
    linear: bool
    trainable: int
    memory: float
    random: Mapping[str, Random]
    warnings: tuple[str, ...] = ()

    @property
    def complaints(self) -> tuple[str, ...]:
        """A sentence for each equation that the exact solution does not satisfy."""
        return tuple(equation.complaint for equation in self.equations if equation.satisfied is False)

    @property
    def good(self) -> bool:
        """Whether the exact solution, if there is one, satisfies every equation."""
        return not self.complaints


def check(problem: Problem, recipe: Recipe | None = None) -> Findings:
    """Look a problem over as `solve` would start on it, without training; a random one in the middle of its draws.

    Raises what `solve` raises for a problem, network or number of points that does not hold together.
    """
    recipe, random, problem = recipe or Recipe(), problem.random, in_the_middle(problem)
    system = prepared(problem, recipe)
    names = {problem.canonical(name): name for name in (*problem.domain.regions, *problem.data)}
    blocks = tuple(_blocks(_without_ansatz(problem)))
    weak, reason = _weak_blocks(problem, recipe)
    tried = trials(problem, (*blocks, *weak))
    equations = {
        term.name: EquationFinding(
            term.name, names[term.region], components, tuple(_derivatives(block, seen)), tried[term.name]
        )
        for block in blocks
        for term, components, seen in zip(block.terms, block.components, changes(block), strict=True)
    }
    found = (*(equations[term.name] for term in problem.terms), *_weak_findings(problem, weak, names, reason))
    at_points = [block for block in system.blocks if block.pairing is None]
    points = {block.region: len(block) for block in at_points}
    return Findings(
        problem,
        tuple(RegionFinding(names[b.region], len(b), float(b.sample.weight.sum())) for b in at_points),
        found,
        linear=system.is_linear,
        trainable=system.n_params,
        random=random,
        memory=footprint(system.network, recipe.solver or LSGD(), system.blocks, points).total,
        warnings=(*bare_faces(problem, weakly=recipe.tests is not None), *_small_misfits(found)),
    )


def _weak_blocks(problem: Problem, recipe: Recipe) -> tuple[tuple[Block, ...], str]:
    """The weak form, tested with the lowest elements, or why it is not."""
    if not problem.weak or problem.exact is None:
        return (), "no exact solution"
    own = recipe.tests.elements if recipe.tests and recipe.tests.elements else recipe.elements
    try:
        mesh, network = checked_mesh(problem, recipe.tests and recipe.tests.read_mesh), _some_network(problem)
        weak = weak_residual(problem, mesh, elements_of(problem, 1, own), WEAK_BEYOND)
        blocks = (Block.build(problem, network, (term,), sample, pairing) for term, sample, pairing in weak.parts)
        return tuple(blocks), ""
    except PinnmlError as error:
        return (), str(error).partition("\n")[0]


def _weak_findings(
    problem: Problem, blocks: Sequence[Block], names: Mapping[str, str], reason: str
) -> Iterator[EquationFinding]:
    """What is known of the weak form, by field; of none, why. names: of regions, by their canonical names."""
    if problem.weak and not blocks:
        regions = ", ".join(dict.fromkeys(region for weak in problem.weak for region in weak.on))
        yield EquationFinding(WEAK_FORM, regions, 1, (), Trial(reason=reason), WEAK_TOLERANCE)
    for name, trial in (weak_trials(problem, blocks) if blocks else {}).items():
        own = [block for block in blocks if block.terms[0].name == name]
        words = (word for block in own for seen in changes(block) for word in _derivatives(block, seen))
        regions = ", ".join(names[block.region] for block in own)
        yield EquationFinding(name, regions, 1, tuple(dict.fromkeys(words)), trial, WEAK_TOLERANCE)


def _small_misfits(found: Iterable[EquationFinding]) -> Iterator[str]:
    """A sentence for each weak form that the exact solution meets no better than it must."""
    for each in found:
        if each.name.startswith(WEAK_FORM) and SMALL_MISFIT < (each.trial.relative or 0.0) <= each.allowed:
            yield (
                f"The exact solution leaves {each.trial.relative:.1e} of the {each.name}: so do straight cells on "
                "round walls, terms that stabilise the elements, and small mistakes."
            )


def _without_ansatz(problem: Problem) -> Problem:
    """The same equations, as functions of the fields themselves."""
    if problem.ansatz is None:
        return problem

    def same(**fields: Any) -> dict[str, Any]:
        return fields

    arguments = [Parameter(field.name, Parameter.KEYWORD_ONLY) for field in problem.fields]
    same.__signature__ = Signature(arguments)  # pyright: ignore[reportFunctionMemberAccess]
    return replace(problem, ansatz=same)


def _blocks(problem: Problem) -> Iterator[Block]:
    """The equations on points of their regions. A block wants a network, though the fields come from elsewhere."""
    network, generator = _some_network(problem), torch.Generator().manual_seed(0)
    for region in dict.fromkeys(term.region for term in problem.terms):
        for integral in (False, True):
            terms = tuple(t for t in problem.terms if t.region == region and t.equation.integral == integral)
            if terms:
                yield Block.build(problem, network, terms, _sample(problem, region, integral, generator))


def _some_network(problem: Problem) -> Network:
    generator = torch.Generator().manual_seed(0)
    return Features(1).build(problem.domain, problem.columns, generator, torch.float64, torch.device("cpu"))


def _sample(problem: Problem, region: str, integral: bool, generator: torch.Generator) -> Sample:
    """Random points where an equation holds point by point, Gauss's for an integral."""
    if region in problem.data:
        return problem.data[region].all()
    if integral:
        return sided(problem, region, problem.domain.sample(region, GAUSS_POINTS, generator, "gauss"))
    return sided(problem, region, problem.domain.held_out(region, POINTS, generator))


def _derivatives(block: Block, seen: Sequence[Tensor]) -> Iterator[str]:
    """Such as u, u_xx, E[1]_y: the derivatives (K, columns) that are marked for some component, field by field."""
    marks, column = torch.stack(list(seen)).any(dim=0), 0
    for field in block.problem.fields:
        for name, width in _components(field):
            marked = marks[:, column : column + width].any(dim=1).nonzero().flatten().tolist()
            yield from (_word(name, block.needs.outputs, place) for place in marked)
            column += width


def _components(field: Field) -> Iterable[tuple[str, int]]:
    """The name of each component, and its real columns."""
    width = field.columns // field.components
    names = [f"{field.name}[{i}]" for i in range(field.components)] if field.is_vector else [field.name]
    return ((name, width) for name in names)


def _word(name: str, indices: IndexSet, place: int) -> str:
    index = indices.indices[place]
    return f"{name}_{indices.axes.word(index).replace(' ', '')}" if sum(index) else name
