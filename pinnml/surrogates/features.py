"""What a network on a mesh is told of a draw, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinnml.surrogates.data import Normaliser
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.graphs import MeshGraph
from pinnml.surrogates.reduced_basis import Coarse


@dataclass(frozen=True)
class Features:
    """Of every node: random inputs there, its regions, its place in the bounding box, and the coarse answer.

    corrections: by field component the root mean square of what a coarse answer leaves of training solutions, and of
    its Jacobi step: what a network is to find, and what it is told, in units of these; None where there is no coarse
    answer.
    """

    normaliser: Normaliser
    corrections: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def of(self, family: Family, graph: MeshGraph, inputs: Mapping[str, Tensor], coarse: Coarse | None) -> Tensor:
        """The features (b, n, F) of draws: inputs (b, p) or (b,) by name."""
        b, n = len(next(iter(inputs.values()))), len(graph)
        scaled = self.normaliser.scaled_inputs(inputs)
        columns = [_at_nodes(family, value, n).unsqueeze(-1) for value in scaled.values()]
        columns += [graph.tags.expand(b, -1, -1), _in_box(graph).expand(b, -1, -1)]
        if coarse is not None:
            assert self.corrections is not None
            columns += [by_node(self.normaliser.scaled_outputs(coarse.u), n)]
            columns += [by_node(coarse.step, n) / coarse.step.new_tensor(self.corrections[1])]
        return torch.cat([each.to(graph.positions) for each in columns], dim=-1)

    def count(self, family: Family, graph: MeshGraph, is_coarse: bool) -> int:
        """F."""
        own = len(family.problem.random) + graph.tags.shape[1] + graph.positions.shape[1]
        return own + 2 * family.problem.columns * is_coarse

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        corrections = None if self.corrections is None else [list(each) for each in self.corrections]
        return {"normaliser": self.normaliser.to_json(), "corrections": corrections}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Features:
        """Of a record. Raises KeyError, TypeError or ValueError for one that is none."""
        given = record["corrections"]
        corrections = None if given is None else (tuple(map(float, given[0])), tuple(map(float, given[1])))
        return cls(Normaliser.from_json(record["normaliser"]), corrections)

    def answers(self, outputs: Tensor, coarse_u: Tensor | None) -> Tensor:
        """The numbers u (b, N) of fields from a network's outputs (b, n, columns) and the coarse answer (b, N)."""
        if coarse_u is None:
            return self.normaliser.outputs_of(by_column(outputs))
        assert self.corrections is not None
        return coarse_u + by_column(outputs * outputs.new_tensor(self.corrections[0]))


def by_node(u: Tensor, n: int) -> Tensor:
    """Numbers (b, N), component after component, as (b, n, columns)."""
    return u.unflatten(-1, (-1, n)).mT


def by_column(outputs: Tensor) -> Tensor:
    """Outputs (b, n, columns) as numbers (b, N), component after component."""
    return outputs.mT.flatten(-2)


def root_mean_square(u: Tensor, n: int) -> tuple[float, ...]:
    """Of each component of numbers (b, N); 1 where all are zero."""
    found = by_node(u, n).square().mean(dim=(0, 1)).sqrt()
    return tuple((value or 1.0) for value in found.tolist())


def _at_nodes(family: Family, value: Tensor, n: int) -> Tensor:
    """Numbers (b,) or values at corners (b, p) at all nodes, (b, n)."""
    if value.ndim == 1:
        return value.unsqueeze(1).expand(-1, n)
    return value if family.degree == 1 else torch.from_numpy((family.corners_to_nodes @ value.numpy().T).T)


def _in_box(graph: MeshGraph) -> Tensor:
    """Places from -1 to 1 in the bounding box, (n, d)."""
    x = graph.positions.double()
    low, high = x.amin(dim=0), x.amax(dim=0)
    return (2 * x - low - high) / (high - low)
