"""A surrogate: a network on the nodes of a mesh that answers draws of a random problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from pinnml.surrogates.data import Normaliser, Samples
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.features import Features, root_mean_square
from pinnml.surrogates.graphs import SINGLE, MeshGraph
from pinnml.surrogates.losses import Measures
from pinnml.surrogates.networks import GraphNetwork, GraphNetworkSettings
from pinnml.surrogates.reduced_basis import Coarse, ReducedBasis, out_of_fold

#: Draws that are prepared at a time, and nodes that a network sees at a time: few enough to stay in a CPU's cache.
DRAWS, NODES = 32, 2**14


@dataclass(frozen=True, eq=False)
class Surrogate:
    """u = within conditions(coarse(draw) + corrections * network(features of draw)), the numbers of all fields.

    coarse: None where the network answers by itself, in units of the training solutions.
    """

    family: Family
    settings: GraphNetworkSettings
    network: GraphNetwork
    features: Features
    coarse: ReducedBasis | None = None

    @classmethod
    def fresh(
        cls,
        family: Family,
        samples: Samples,
        settings: GraphNetworkSettings,
        modes: int,
        seed: int,
        device: torch.device,
        dtype: torch.dtype = SINGLE,
    ) -> tuple[Surrogate, Inputs]:
        """One that is not trained, and the training samples as it takes them.

        modes: of the coarse answer, 0 for none.
        """
        fields = {field.name: field.columns for field in family.problem.fields}
        normaliser = Normaliser.fitted([samples.inputs], [samples.outputs], fields)
        basis, coarse, corrections = None, None, None
        n = family.size // family.problem.columns
        if modes:
            basis = ReducedBasis.of(family, samples.inputs, samples.outputs, modes)
            coarse = out_of_fold(family, samples.inputs, samples.outputs, modes)
            corrections = root_mean_square(samples.outputs - coarse.u, n), root_mean_square(coarse.step, n)
        features = Features(normaliser, corrections)
        graph = MeshGraph.of(family.parts, dtype)
        inputs = Inputs.of(family, features, graph, samples.inputs, coarse)
        network = settings.build(
            inputs.x.shape[-1],
            graph.edge_features.shape[1],
            family.problem.columns,
            torch.Generator().manual_seed(seed),
            dtype,
            device,
        )
        return cls(family, settings, network, features, basis), inputs

    @property
    def dtype(self) -> torch.dtype:
        """That of the network."""
        return next(self.network.parameters()).dtype

    @cached_property
    def graph(self) -> MeshGraph:
        """That of the mesh, on the network's device."""
        return MeshGraph.of(self.family.parts, self.dtype).to(next(self.network.parameters()).device)

    @cached_property
    def measures(self) -> Measures:
        """The norms of the family's fields, as the network computes."""
        return Measures(self.family, self.dtype, next(self.network.parameters()).device)

    def inputs(self, draws: Mapping[str, Tensor]) -> Inputs:
        """Draws, (b, p) and (b,) by name, as the network takes them."""
        coarse = None if self.coarse is None else self.coarse(draws)
        return Inputs.of(self.family, self.features, self.graph, draws, coarse)

    def answers(self, inputs: Inputs) -> Tensor:
        """The numbers u (b, N), differentiable in the weights of the network."""
        return self.measures.within(self._corrected(inputs, self.network_on(len(inputs.x))), inputs.fixed)

    def _corrected(self, inputs: Inputs, network: Callable[[Tensor], Tensor]) -> Tensor:
        """The same before conditions on values."""
        outputs = network(inputs.x.flatten(0, 1))
        return self.features.answers(outputs.unflatten(0, inputs.x.shape[:2]), inputs.coarse)

    def network_on(self, b: int) -> Callable[[Tensor], Tensor]:
        """The network on b graphs of the mesh side by side."""
        whole = self.graph.repeated(b)
        return self.network.on(whole.edges, whole.edge_features, whole.batch)

    @torch.no_grad()
    def predict(self, draws: Mapping[str, Any]) -> Tensor:
        """The numbers u (b, N) of all fields for draws, (b, p) and (b,) by name; double precision, on the CPU."""
        given = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in draws.items()}
        b, size = len(next(iter(given.values()))), max(NODES // len(self.graph), 1)
        parts, on = [], cache(self.network_on)  # no longer than this call: weights may change after it
        for rows in _pieces(b, DRAWS):
            draws = {name: value[rows] for name, value in given.items()}
            inputs = self.inputs(draws)
            pieces = [inputs.part(each) for each in _pieces(len(inputs.x), size)]
            u = torch.cat([self._corrected(piece, on(len(piece.x))) for piece in pieces])
            parts.append(self.family.within(u.cpu().double(), draws))
        return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Draws as a network takes them: x (b, n, F), the coarse answers (b, N) or None, and what conditions fix (b, N)."""

    x: Tensor
    coarse: Tensor | None
    fixed: Tensor

    @classmethod
    def of(
        cls, family: Family, features: Features, graph: MeshGraph, draws: Mapping[str, Tensor], coarse: Coarse | None
    ) -> Inputs:
        """Of draws and the coarse answers to them, in the precision and on the device of the graph."""
        x = features.of(family, graph, draws, coarse)
        return cls(x, None if coarse is None else coarse.u.to(x), family.fixed(draws).to(x))

    def part(self, rows: Tensor | slice) -> Inputs:
        """Some of the draws."""
        return Inputs(self.x[rows], None if self.coarse is None else self.coarse[rows], self.fixed[rows])


def _pieces(n: int, size: int) -> list[slice]:
    """The numbers to n in pieces."""
    return [slice(start, start + size) for start in range(0, n, size)]
