"""What a system is made of: the samples of each region with the equations on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce

import torch
from torch import Tensor

from pinnml.calculus import Jet
from pinnml.domains import Sample
from pinnml.errors import SettingsError, all_of
from pinnml.networks import Network
from pinnml.problem import Needs, Problem, Term, discover, namespace, real, residuals
from pinnml.system.pairing import Pairing


@dataclass(frozen=True)
class Block:
    """The samples of one region with the equations on it. inputs (K, n, e) are the network's, worked out once.

    components: the number of real rows of each term at each sample. pairing: how the flux of a weak form, its one term,
    is tested at the samples.
    """

    problem: Problem
    region: str
    sample: Sample
    needs: Needs
    inputs: Jet
    terms: tuple[Term, ...]
    components: tuple[int, ...]
    pairing: Pairing | None = None

    @classmethod
    def build(
        cls,
        problem: Problem,
        network: Network,
        terms: tuple[Term, ...],
        sample: Sample,
        pairing: Pairing | None = None,
    ) -> Block:
        """The block of one region; derivatives are those that some equation on it needs."""
        found = all_of((partial(discover, problem, term, sample) for term in terms), "the problem")
        needs = reduce(Needs.joined, (need for need, _ in found))
        sample = sample.to(network.coef.device, network.coef.dtype)
        inputs = network.inputs(sample.x, needs.outputs)
        highest = _highest_order(network, inputs)
        if highest is not None and needs.outputs.order > highest:
            raise SettingsError(
                "the network has no derivative of the order that the equations need",
                expected=f"order {needs.outputs.order}, for {needs.outputs}",
                got=f"order {highest} at most",
                cure=network.basis.remedy(needs.outputs.order),
            )
        components = tuple(components for _, components in found)
        pairing = pairing and pairing.to(sample.x.device, sample.x.dtype)
        return cls(problem, terms[0].region, sample, needs, inputs, terms, components, pairing)

    def __len__(self) -> int:
        return len(self.sample)

    def measure_of(self, term: Term) -> float:
        """What the squares of a term's rows of size one add up to, for each component: an integral is one row."""
        measure = self.pairing.measure if self.pairing else float(self.sample.weight.sum())
        return measure**2 if term.equation.integral else measure

    def picked(self, samples: Tensor | slice) -> Block:
        """The block on some of its samples."""
        inputs, pairing = self.inputs.map(lambda c: c[:, samples]), self.pairing and self.pairing[samples]
        return replace(self, sample=self.sample[samples], inputs=inputs, pairing=pairing)

    def few(self, n: int) -> Block:
        """The block on at most n samples, spread evenly over their order, each as it is."""
        side = 2 if self.sample.two_sided else 1
        many, n = len(self) // side, math.ceil(n / side)
        places = (
            torch.linspace(0, many - 1, min(n, many), dtype=torch.float64, device=self.sample.x.device).round().long()
        )
        return self.picked((side * places[:, None] + torch.arange(side, device=places.device)).flatten())

    def thinned(self, n: int) -> Block:
        """The block on at most n samples, spread evenly over their order, the measure kept; a weak form needs all."""
        if n >= len(self) or self.pairing is not None:
            return self
        block = self.few(n)
        raised = self.sample.weight.sum() / block.sample.weight.sum()
        return replace(block, sample=replace(block.sample, weight=block.sample.weight * raised))

    def on(self, sample: Sample, network: Network) -> Block:
        """The same equations on another CPU sample of the region."""
        sample = sample.to(network.coef.device, network.coef.dtype)
        return replace(self, sample=sample, inputs=network.inputs(sample.x, self.needs.outputs))

    def residuals(self, outputs: Tensor, parameters: Mapping[str, Tensor]) -> list[list[Tensor]]:
        """Real residual components (n,) by term, from the network's outputs (K, n, m).

        `parameters` are the problem's trainable ones: numbers, or one value a sample, (n,).
        """
        known = namespace(
            self.problem,
            self.sample,
            self.needs.coordinates,
            Jet(self.needs.outputs, outputs),
            {name: value.expand(len(self)) for name, value in parameters.items()},
        )
        return [real(residuals(term, known, len(self))) for term in self.terms]


def _highest_order(network: Network, inputs: Jet) -> int | None:
    """The order beyond which the basis has no derivatives, if there is one; of a foreign module, found by trying it.

    A module of ReLUs has slopes, and everything of higher order vanishes.
    """
    if network.basis.highest_order is not None or network.basis.one_pass or inputs.indices.order < 2:
        return network.basis.highest_order
    with torch.no_grad():
        tried = network.basis(inputs.map(lambda c: c[:, :8])).coefficients.abs().amax(dim=(1, 2)).tolist()
    present = {sum(index) for index, size in zip(inputs.indices.indices, tried, strict=True) if size > 0}
    return 1 if 1 in present and max(present) == 1 else None


def rows_of(blocks: tuple[Block, ...]) -> dict[str, slice]:
    """The rows of every equation: block by block, equation by equation, component by component.

    All blocks with a pairing share the rows of the weak form; they come last.
    """
    rows, start = {}, 0
    for block in blocks:
        for term, components in zip(block.terms, block.components, strict=True):
            count = components * (1 if term.equation.integral else len(block))
            if block.pairing is not None:
                count = 0 if term.name in rows else block.pairing.size
            rows.setdefault(term.name, slice(start, start + count))
            start += count
    return rows
