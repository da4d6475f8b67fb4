"""Sources and coefficients between the points: what an equation holds that the solve has not seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from pinnml.calculus import Jet
from pinnml.domains import Sample
from pinnml.problem import HandedOn, Problem, Term, namespace, residuals, sided
from pinnml.system import Block

#: Random points of a region, inside and on faces, and how many are looked at together.
INSIDE, ON_FACES, TOGETHER = 100_000, 10_000, 20_000
#: A mean square that is this many times what the solve's own points tell was not seen by them.
TIMES = 2.0
#: What was not seen counts from this part of the equation's terms on.
PART = 1e-2


def unseen_data(problem: Problem, blocks: Sequence[Block], sizes: Mapping[str, float]) -> Iterator[str]:
    """A sentence for each equation with narrow data that its points miss, from many random points without a network.

    Data are told by what fields that are zero, or the same everywhere, leave of the equation. sizes: by equation, the
    RMS size of its terms.
    """
    generator = torch.Generator().manual_seed(0)
    for block in blocks:
        terms = [t for t in block.terms if not (t.equation.integral or isinstance(t.equation, HandedOn))]
        seen = block.sample.to("cpu", torch.float64)
        if block.pairing is not None or block.region in problem.data or not terms:
            continue
        n = ON_FACES if problem.domain.has_normal(block.region) else INSIDE
        many = sided(problem, block.region, problem.domain.sample(block.region, n, generator, "random"))
        shape = (len(block.needs.outputs), problem.columns)
        some = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        for term in terms:
            for outputs in (0 * some, some):
                few = _squares(block, term, seen, outputs)[0]
                all_of_it, place = _squares(block, term, many, outputs)
                lost = math.sqrt(max(all_of_it - few, 0.0))
                if all_of_it > TIMES * few and lost > PART * sizes[term.name]:
                    names = zip(problem.domain.axes.names, place.tolist(), strict=True)
                    at = ", ".join(f"{axis} = {value:.4g}" for axis, value in names)
                    yield (
                        f"Equation '{term.name}' has something narrow in it, near {at}, that its points do not see: "
                        "use more of them, let them gather there (Graded axes), or solve without it."
                    )
                    break


def _squares(block: Block, term: Term, sample: Sample, outputs: Tensor) -> tuple[float, Tensor]:
    """The mean square of a residual over a region for outputs (K, m) that are the same everywhere, and its peak."""
    problem, needs, total, peak, place = block.problem, block.needs, 0.0, -1.0, sample.x[0]
    for start in range(0, len(sample), TOGETHER):
        part = sample[start : start + TOGETHER]
        n = len(part)
        parameters = {name: part.weight.new_full((n,), value) for name, value in problem.parameters.items()}
        jet = Jet(needs.outputs, outputs.unsqueeze(1).expand(-1, n, -1))
        with torch.no_grad():
            rows = residuals(term, namespace(problem, part, needs.coordinates, jet, parameters), n)
        squares = torch.stack([row.abs().square() for row in rows]).sum(dim=0)
        total += float(part.weight @ squares)
        if float(squares.max()) > peak:
            peak, place = float(squares.max()), part.x[int(squares.argmax())]
    return total / float(sample.weight.sum()), place
