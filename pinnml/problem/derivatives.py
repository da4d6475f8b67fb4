"""Which derivatives an equation asks for: found by trying it, not declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.calculus import IndexSet, Jet, total_order, union
from pinnml.domains import Sample
from pinnml.errors import MissingDerivativeError
from pinnml.problem.binding import namespace, real, residuals
from pinnml.problem.equation import Term
from pinnml.problem.problem import Problem

#: The highest total order of derivatives that is tried.
HIGHEST_ORDER = 8


@dataclass(frozen=True)
class Needs:
    """The derivatives that residuals ask of the network's outputs, and of the coordinates themselves."""

    outputs: IndexSet
    coordinates: IndexSet

    def joined(self, other: Needs) -> Needs:
        """What serves both."""
        return Needs(union(self.outputs, other.outputs), union(self.coordinates, other.coordinates))


def discover(problem: Problem, term: Term, sample: Sample) -> tuple[Needs, int]:
    """The smallest downward-closed sets of derivatives with which the residual can be evaluated.

    Also the number of real rows that it gives at each point.

    The total order grows until nothing is missing; then whatever is not needed is dropped, first from the
    outputs, then from the coordinates. The residual is tried on 5 points, and on 7, so that an array of a fixed
    length does not pass for data; pairs on an interface on 6 and 8.
    """
    axes = problem.domain.axes
    tried = (total_order(axes, order) for order in range(HIGHEST_ORDER))
    full = next((s for s in tried if _works(problem, term, sample, Needs(s, s))), total_order(axes, HIGHEST_ORDER))
    _probe(problem, term, sample, Needs(full, full), 5)
    outputs = _trimmed(full, lambda s: _works(problem, term, sample, Needs(s, full)))
    coordinates = _trimmed(full, lambda s: _works(problem, term, sample, Needs(outputs, s)))
    needs = Needs(outputs, coordinates)
    return needs, len(real(_probe(problem, term, sample, needs, 7)))


def _trimmed(full: IndexSet, works: Callable[[IndexSet], bool]) -> IndexSet:
    """Drop maximal indices for as long as the residual does without."""
    kept, needed = full, set()
    while candidates := [index for index in kept.maximal if index not in needed and sum(index)]:
        smaller = kept.without(candidates[0])
        if works(smaller):
            kept = smaller
        else:
            needed.add(candidates[0])
    return kept


def _works(problem: Problem, term: Term, sample: Sample, needs: Needs) -> bool:
    try:
        _probe(problem, term, sample, needs, 5)
    except MissingDerivativeError:
        return False
    return True


def _probe(problem: Problem, term: Term, sample: Sample, needs: Needs, n: int) -> list[Tensor]:
    """Evaluate a residual on n points with random outputs."""
    n += n % 2 if sample.two_sided else 0
    points = sample[torch.arange(n) % len(sample)]
    generator = torch.Generator().manual_seed(n)
    shape = (len(needs.outputs), n, problem.columns)
    outputs = Jet(needs.outputs, torch.randn(shape, generator=generator, dtype=points.x.dtype))
    parameters = {name: points.x.new_full((n,), value) for name, value in problem.parameters.items()}
    return residuals(term, namespace(problem, points, needs.coordinates, outputs, parameters), n)
