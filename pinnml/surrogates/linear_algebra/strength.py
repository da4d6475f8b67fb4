"""Strength of connection as graph layers: how much a row depends on each of its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pinnml.surrogates.linear_algebra.aggregation import largest_of_rows
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph
from pinnml.validation import flag, fraction


class ClassicalStrength(nn.Module):
    """S_ij = max(0, -A_ij / v_i - t) with v_i = max_{k != i} -A_ik, for j != i; zero in rows where v_i <= 0.

    An entry is strong where -A_ij >= t v_i > 0, as in classical multigrid and in pyamg (`norm="min"`); with strict=True
    where -A_ij > t v_i, that is S_ij > 0, as in the graph network of arXiv:2310.14084. Where t is just the anisotropy
    of a matrix the two differ in every row.
    """

    reach = 1

    def __init__(self, threshold: float = 0.25, *, strict: bool = False):
        super().__init__()
        self.threshold, self.strict = fraction("threshold", threshold), flag("strict", strict)

    def forward(self, graph: MatrixGraph) -> Tensor:
        """S (e,) of the entries."""
        largest = self._largest(graph)
        counts = graph.off_diagonal & (largest > 0)
        return torch.where(counts, (-graph.values / torch.where(counts, largest, 1) - self.threshold).relu(), 0)

    def strong(self, graph: MatrixGraph) -> Tensor:
        """Which entries (e,) are strong."""
        largest = self._largest(graph)
        least = self.threshold * largest
        enough = -graph.values > least if self.strict else -graph.values >= least
        return graph.off_diagonal & (largest > 0) & enough

    def _largest(self, graph: MatrixGraph) -> Tensor:
        """The largest -A_ik of each entry's row (e,); zero where a row has no other entries."""
        return largest_of_rows(graph, -graph.values, graph.off_diagonal, 0.0)[graph.rows]


class AggregationStrength(nn.Module):
    """S_ij = A_ij^2 / |A_ii A_jj| for j != i, infinite where a diagonal is zero: from edges alone.

    An entry is strong where A_ij^2 >= t^2 |A_ii A_jj|, as in smoothed aggregation and in pyamg
    (`symmetric_strength_of_connection`).
    """

    reach = 1

    def __init__(self, threshold: float = 0.08):
        super().__init__()
        self.threshold = fraction("threshold", threshold)

    def forward(self, graph: MatrixGraph) -> Tensor:
        """S (e,) of the entries."""
        product = self._diagonals(graph)
        counts = graph.off_diagonal & (product > 0)
        without = torch.where(graph.off_diagonal & (graph.values != 0), torch.inf, 0.0).to(graph.values)
        return torch.where(counts, graph.values**2 / torch.where(counts, product, 1), without)

    def strong(self, graph: MatrixGraph) -> Tensor:
        """Which entries (e,) are strong."""
        return graph.off_diagonal & (graph.values**2 >= self.threshold**2 * self._diagonals(graph))

    def _diagonals(self, graph: MatrixGraph) -> Tensor:
        d = graph.diagonal().abs()
        return d[graph.rows] * d[graph.columns]
