"""The edges of a graph, each once and with a direction, and its triangles: on which gradients and curls are defined."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.errors import ShapeError
from pinnml.surrogates.networks.layers import summed


@dataclass(frozen=True, eq=False)
class Cliques:
    """n nodes, E edges and T triangles, and the maps between values on them.

    edges: (2, E), [tail, head]; which end is the tail is of no account. triangles: (3, T), the edges ij, jk and ik
    between nodes i, j and k; signs: (3, T), so that the curl is the sum of sign * p. graph: (n,), the graph that a
    node is in, None for one.
    """

    nodes: int
    edges: Tensor
    triangles: Tensor
    signs: Tensor
    graph: Tensor | None = None

    @property
    def corners(self) -> tuple[Tensor, Tensor, Tensor]:
        """The nodes i, j and k of all triangles, (T,) each, where edges lead from lower to higher numbers."""
        return self.edges[0, self.triangles[0]], self.edges[1, self.triangles[0]], self.edges[1, self.triangles[1]]

    def gradient(self, q: Tensor) -> Tensor:
        """(d0 q)_e = q_head - q_tail, (n, ...) -> (E, ...)."""
        return q[self.edges[1]] - q[self.edges[0]]

    def gradient_transposed(self, p: Tensor) -> Tensor:
        """d0^T p, (E, ...) -> (n, ...)."""
        return summed(p, self.edges[1], self.nodes) - summed(p, self.edges[0], self.nodes)

    def curl(self, p: Tensor) -> Tensor:
        """(d1 p)_ijk = p_ij + p_jk - p_ik for edges from i to j, from j to k and from i to k, (E, ...) -> (T, ...)."""
        return (_like(self.signs, p) * p[self.triangles]).sum(dim=0)

    def curl_transposed(self, r: Tensor) -> Tensor:
        """d1^T r, (T, ...) -> (E, ...)."""
        signed = _like(self.signs, r) * r
        return summed(signed.flatten(0, 1), self.triangles.flatten(), self.edges.shape[1])

    def around(self, weights: Tensor) -> Tensor:
        """The sum of the positive weights (E, ...) of the edges at each node, (n, ...); 1 at a node without any."""
        total = summed(weights, self.edges[0], self.nodes) + summed(weights, self.edges[1], self.nodes)
        return torch.where(total > 0, total, torch.ones_like(total))


def paired(edges: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Which edges (2, m) lead from the lower number to the higher one, and which lead back, (E,) each, sorted alike.

    Edges from a node to itself are left out. Raises ShapeError where one of the directions lacks.
    """
    source, target = edges
    forward, backward = torch.nonzero(source < target)[:, 0], torch.nonzero(source > target)[:, 0]
    there, order = (source * n + target)[forward].sort()
    back, order_back = (target * n + source)[backward].sort()
    if not torch.equal(there, back):
        cure = "give every edge in both directions, once; undirected(graph) and edges_of make them"
        expected, got = "as many edges there as back", f"{len(there)} to higher numbers, {len(back)} to lower ones"
        raise ShapeError("'edges' of a graph lack a direction", expected=expected, got=got, cure=cure)
    return forward[order], backward[order_back]


def cliques(edges: Tensor, n: int, graph: Tensor | None = None, *, triangles: bool) -> Cliques:
    """Those of edges (2, E) from lower to higher numbers, sorted by tail and head; with triangles if wanted."""
    found = _triangles(edges, n) if triangles else edges.new_zeros((3, 0))
    signs = torch.tensor([1, 1, -1], device=edges.device)[:, None].expand(3, found.shape[1])
    return Cliques(n, edges, found, signs, graph)


def _triangles(edges: Tensor, n: int) -> Tensor:
    """The edges ij, jk, ik of all triangles i < j < k, (3, T).

    Two edges ij and ik from one tail are a triangle if there is an edge jk; such edges stand beside each other.
    """
    tail, head = edges
    key = tail * n + head
    ends = torch.searchsorted(tail.contiguous(), tail.contiguous(), right=True)
    later = ends - torch.arange(len(tail), device=tail.device) - 1  # edges from the same tail to a higher head
    first = torch.repeat_interleave(later)
    start = torch.cumsum(later, dim=0) - later
    second = first + 1 + torch.arange(len(first), device=tail.device) - start[first]
    wanted = head[first] * n + head[second]
    third = torch.searchsorted(key, wanted).clamp(max=max(len(key) - 1, 0))
    there = key[third] == wanted
    return torch.stack([first[there], third[there], second[there]])


def _like(signs: Tensor, values: Tensor) -> Tensor:
    return signs.to(values.dtype).reshape(*signs.shape, *[1] * (values.ndim - 1))
