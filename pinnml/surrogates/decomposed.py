"""Training part by part: the gradients of the whole graph, in the memory of one part, on one process or several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from pinnml.domains.partitions import Partition, Subdomain, of_edges, partition, subdomains
from pinnml.errors import PartitionError
from pinnml.surrogates.features import by_node
from pinnml.surrogates.graphs import MeshGraph
from pinnml.surrogates.surrogate import Inputs, Surrogate
from pinnml.surrogates.training import Batches, Trainer, Training


@dataclass(frozen=True, eq=False)
class Part:
    """The nodes that a part owns and as many hops around as a network sees, as a graph of its own."""

    nodes: Tensor
    owned: int
    graph: MeshGraph

    @classmethod
    def of(cls, whole: MeshGraph, piece: Subdomain) -> Part:
        """That of a subdomain of the whole graph."""
        device, n = whole.edges.device, len(whole)
        nodes = torch.from_numpy(piece.nodes).to(device)
        edges = torch.from_numpy(piece.edges).to(device)
        codes = whole.edges[1] * n + whole.edges[0]  # ascending
        links = torch.searchsorted(codes, nodes[edges[1]] * n + nodes[edges[0]])
        own = replace(
            whole,
            positions=whole.positions[nodes],
            edges=edges,
            edge_features=whole.edge_features[links],
            tags=whole.tags[nodes],
        )
        return cls(nodes, piece.owned, own)


@dataclass(frozen=True, eq=False)
class Parted:
    """A surrogate's answers part by part: at the nodes that a part owns they are those of the whole graph.

    The halo of each part is the network's receptive field. Raises PartitionError for a network without one.
    """

    surrogate: Surrogate
    cut: Partition

    def __post_init__(self) -> None:
        if self.surrogate.network.reach is None:
            kind = type(self.surrogate.settings).__name__
            cure = "train it whole, or take MessagePassing, whose nodes see so many hops"
            expected = "a network with a receptive field"
            raise PartitionError("this network sees all of a mesh", expected=expected, got=kind, cure=cure)

    @cached_property
    def parts(self) -> list[Part]:
        """Every part with its halo."""
        graph, reach = self.surrogate.graph, self.surrogate.network.reach
        assert reach is not None
        adjacency = of_edges(graph.edges.cpu().numpy().T, len(graph))
        return [Part.of(graph, piece) for piece in subdomains(adjacency, self.cut, reach)]

    @cached_property
    def free(self) -> Tensor:
        """The projection on what conditions leave free, node by node (n, columns, columns)."""
        n, dense = len(self.surrogate.graph), self.surrogate.measures.free.coalesce()
        (row, column), columns = dense.indices(), self.surrogate.family.problem.columns
        found = dense.values().new_zeros(n, columns, columns)
        found[row % n, row // n, column // n] = dense.values()
        return found

    def errors(self, part: Part, inputs: Inputs, target: Tensor) -> Tensor:
        """What is off at the nodes that a part owns, (b, owned, columns); target: numbers (b, N)."""
        n, own = len(self.surrogate.graph), part.nodes[: part.owned]
        b, many = len(inputs.x), part.graph.repeated(len(inputs.x))
        x = inputs.x[:, part.nodes].flatten(0, 1)
        outputs = self.surrogate.network(x, many.edges, many.edge_features, many.batch)
        outputs = outputs.unflatten(0, (b, -1))[:, : part.owned]
        coarse = None if inputs.coarse is None else by_node(inputs.coarse, n)[:, own].mT.flatten(1)
        u = by_node(self.surrogate.features.answers(outputs, coarse), part.owned)
        fixed = by_node(inputs.fixed, n)[:, own]
        return fixed + torch.einsum("kij,bkj->bki", self.free[own], u) - by_node(target, n)[:, own]

    def squared(self, part: Part, e: Tensor) -> Tensor:
        """The share of a part in |e|_0^2 with lumped masses, (b,)."""
        masses = by_node(self.surrogate.measures.masses[None], len(self.surrogate.graph))[0]
        return (e.square() * masses[part.nodes[: part.owned]]).sum(dim=(1, 2))


class PartedTrainer(Trainer):
    """A trainer whose gradients are summed over parts: those of the whole graph, to rounding.

    Where processes work together (torch.distributed), each takes its share of the parts, and sums go over all of them:
    the weights stay the same everywhere. Raises PartitionError for a loss that ties nodes of different parts.
    """

    def __init__(
        self, surrogate: Surrogate, training: Training, data: Batches, validation: Batches, seed: int, cut: Partition
    ):
        if training.loss.h1 or training.loss.residual:
            cure = "train by Loss(l2=1.0), or whole"
            message, got = "this loss ties nodes of different parts", repr(training.loss)
            raise PartitionError(message, expected="l2 alone", got=got, cure=cure)
        super().__init__(surrogate, training, data, validation, seed)
        self.parted = Parted(surrogate, cut)
        self.own = self.parted.parts[rank() :: _world()]

    def _gradients(self, rows: Tensor) -> float:
        inputs, known = self.data.of(rows)
        sizes, loss = len(rows) * self.measures.squared(known["target"]), 0.0
        for part in self.own:
            squares = self.parted.squared(part, self.parted.errors(part, inputs, known["target"]))
            share = self.training.loss.l2 * (squares / sizes).sum()
            share.backward()
            loss += float(share.detach())
        for weight in self.surrogate.network.parameters():
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            _summed(weight.grad)
        return float(_summed(torch.tensor(loss, dtype=torch.float64)))

    def _squared_errors(self, data: Batches, rows: Tensor) -> tuple[Tensor, Tensor]:
        inputs, known = data.of(rows)
        parts = [self.parted.squared(part, self.parted.errors(part, inputs, known["target"])) for part in self.own]
        total = torch.stack([torch.zeros_like(self.measures.squared(known["target"])), *parts]).sum(dim=0)
        return _summed(total), self.measures.squared(known["target"])


def cut_of(surrogate: Surrogate, parts: int, method: str = "metis", seed: int = 0) -> Partition:
    """A partition of a surrogate's graph. Raises as `partition` does."""
    graph = surrogate.graph
    adjacency = of_edges(graph.edges.cpu().numpy().T, len(graph))
    return partition(adjacency, parts, method, seed=seed, positions=np.asarray(graph.positions.cpu().double()))


def rank() -> int:
    """The number of this process among those that work together."""
    return dist.get_rank() if _together() else 0


def _world() -> int:
    return dist.get_world_size() if _together() else 1


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


def _summed(value: Any) -> Any:
    """The sum over all processes, in place."""
    if _together():
        dist.all_reduce(value)
    return value
