"""A part of a graph with what is around it: enough to evaluate the owned nodes as on the whole graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnml.domains.partitions.graph import count, distances, edges_of, undirected
from pinnml.domains.partitions.partition import Partition
from pinnml.errors import PartitionError
from pinnml.validation import whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Subdomain:
    """The nodes that a part owns, its halo, and the edges between all of these.

    nodes: (k,), numbers in the whole graph, the owned ones first, ascending, then the halo from near to far. owned: how
    many those are. halo: how many steps away nodes were looked for. hops: (k,), steps to the nearest owned node.
    edges: (2, m), [source, target], both directions, in numbers of `nodes`. links: (m,), where these edges stand in
    `edges_of` the whole graph.
    """

    nodes: np.ndarray
    owned: int
    halo: int
    hops: np.ndarray
    edges: np.ndarray
    links: np.ndarray

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def is_owned(self) -> np.ndarray:
        """Which nodes are owned, (k,)."""
        return self.hops == 0


def subdomains(graph: Any, cut: Partition, hops: int) -> list[Subdomain]:
    """Every part of a graph with a halo of so many hops: the `reach` of a network, for the answers of the whole graph.

    graph: the adjacency (n, n) that was cut. Raises PartitionError for a partition of another graph.
    """
    graph = undirected(graph)
    if count(graph) != len(cut):
        expected, got = f"a graph of {len(cut)} nodes", f"one of {count(graph)}"
        cure = "give the graph that was cut, or make the partition again"
        raise PartitionError("a partition of another graph", expected=expected, got=got, cure=cure)
    edges = edges_of(graph)
    return [_subdomain(graph, edges, cut.nodes(part), hops) for part in range(cut.parts)]


def by_owner(pieces: Sequence[Subdomain], values: Sequence[np.ndarray]) -> np.ndarray:
    """The field (n, ...) whose value at a node is its owner's, of values (k, ...) on every subdomain."""
    field = np.zeros((sum(piece.owned for piece in pieces), *values[0].shape[1:]), dtype=values[0].dtype)
    for piece, value in zip(pieces, values, strict=True):
        field[piece.nodes[: piece.owned]] = value[: piece.owned]
    return field


def unity(pieces: Sequence[Subdomain], overlap: int) -> list[np.ndarray]:
    """Weights (k,) >= 0 on every subdomain that sum to one at every node: w ~ overlap + 1 - hops, and 0 beyond.

    Values within `overlap` hops are blended by them; to be right there, a subdomain's halo has as many hops more than
    the reach of a network. Raises PartitionError for a halo of fewer hops than `overlap`.
    """
    overlap = whole_number("overlap", overlap, 0, error=PartitionError)
    if overlap > (least := min(piece.halo for piece in pieces)):
        cure = "make subdomains with more hops"
        raise PartitionError("an overlap", expected=f"{least} hops of the halos at most", got=overlap, cure=cure)
    raw = [np.maximum(overlap + 1.0 - piece.hops, 0.0) for piece in pieces]
    total = np.zeros(sum(piece.owned for piece in pieces))
    for piece, weight in zip(pieces, raw, strict=True):
        total[piece.nodes] += weight
    return [weight / total[piece.nodes] for piece, weight in zip(pieces, raw, strict=True)]


def blended(pieces: Sequence[Subdomain], weights: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
    """The field (n, ...), sum of w * v over the subdomains that a node is in, of values (k, ...)."""
    field = np.zeros((sum(piece.owned for piece in pieces), *values[0].shape[1:]))
    for piece, weight, value in zip(pieces, weights, values, strict=True):
        field[piece.nodes] += weight.reshape(-1, *[1] * (value.ndim - 1)) * value
    return field


def _subdomain(graph: csr_array, edges: np.ndarray, owned: np.ndarray, hops: int) -> Subdomain:
    away = distances(graph, owned, hops)
    near = np.flatnonzero(away >= 0)
    nodes = near[np.argsort(away[near], kind="stable")]
    local = np.full(len(away), -1)
    local[nodes] = np.arange(len(nodes))
    links = np.flatnonzero((local[edges] >= 0).all(axis=0))
    return Subdomain(nodes, len(owned), hops, away[nodes], local[edges[:, links]], links)
