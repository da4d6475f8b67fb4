"""Equations that nothing was trained or solved by: what fields leave of them all the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch

from pinnml.errors import MissingDerivativeError, SettingsError
from pinnml.networks import Network
from pinnml.problem import Problem, Term, sided
from pinnml.system import Block, relative_residuals

#: Random points of a region, and the stream that they come from.
POINTS, SEED = 500, 2**33


def replaced(problem: Problem, kept: Collection[str]) -> list[Term]:
    """The equations on faces for which a weak form stands: all but those that are kept, by name."""
    others = (term for term in problem.terms if term.name not in kept and term.region not in problem.data)
    return [term for term in others if problem.domain.has_normal(term.region)]


def unmet(
    problem: Problem, network: Network, parameters: Mapping[str, float], terms: Sequence[Term]
) -> dict[str, float]:
    """What is left of equations on faces beside the size of their terms; nothing where fields lack the derivatives.

    A weak form stands for conditions with derivatives: where it lacks their integral over a face, much is left of them.
    """
    given = {name: torch.tensor(value, dtype=network.coef.dtype) for name, value in parameters.items()}
    found: dict[str, float] = {}
    for term in terms:
        generator = torch.Generator().manual_seed(SEED)
        face, inside = (
            problem.domain.sample(region, POINTS, generator, "random") for region in (term.region, "interior")
        )
        face = sided(problem, term.region, face)
        try:
            block = Block.build(problem, network, (term,), face)
            with torch.no_grad():
                pairs = [(each, network(each.inputs).coefficients) for each in (block, block.on(inside, network))]
        except (MissingDerivativeError, SettingsError):  # the fields have no such derivative
            continue
        found |= relative_residuals([block], [pairs[0][1]], given, elsewhere=pairs[1:])
    return found
