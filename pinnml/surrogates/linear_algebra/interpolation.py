"""From coarse nodes to all: splitting a graph into coarse and fine nodes, and direct interpolation."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from pinnml.errors import ShapeError
from pinnml.surrogates.linear_algebra.aggregation import onto_rows
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph


def coarse_nodes(graph: MatrixGraph, strong: Tensor) -> Tensor:
    """The coarse nodes, as booleans (n,), that CLJP chooses by the strong entries (e,): each graph by itself.

    By pyamg, on the CPU, the same at every call; no layer, since the choice has no derivatives.
    Source: Cleary, Falgout, Henson and Jones, Coarse-grid selection for parallel algebraic multigrid, 1998.
    """
    from pyamg.classical.split import CLJP

    chosen = torch.zeros(graph.shape[0], dtype=torch.bool)
    marked = graph.with_values(strong.to(torch.float64))
    for number, part in enumerate(marked.parts()):
        kept = csr_array(part.to_scipy())
        kept.eliminate_zeros()
        kept.indices, kept.indptr = kept.indices.astype(np.int32), kept.indptr.astype(np.int32)
        chosen[graph.row_graphs.cpu() == number] = torch.from_numpy(CLJP(kept).astype(bool))
    return chosen.to(graph.values.device)


class DirectInterpolation(nn.Module):
    """w_ij = -A_ij alpha_i for coarse j that row i depends on strongly, rows of the identity at coarse nodes.

    alpha_i = (1 / A_ii) sum_{k != i} A_ik / sum_{k coarse and strong} A_ik, so that where the row of A sums to zero
    that of the interpolation sums to one. Weak coarse neighbours have no weight, or row sums would be wrong. A row
    without strong coarse neighbours is zero. Entries of both signs are treated alike.
    Source: Stueben, A review of algebraic multigrid, 2001.
    """

    reach = 1

    def forward(self, graph: MatrixGraph, strong: Tensor, coarse: Tensor) -> MatrixGraph:
        """The interpolation (n, coarse nodes) by the strong entries (e,) and the coarse nodes (n,), as booleans.

        Raises ShapeError for others.
        """
        for name, mask, of in (("strong", strong, graph.rows), ("coarse", coarse, graph.row_graphs)):
            if mask.dtype != torch.bool or mask.shape != of.shape:
                expected, got = f"{len(of)} booleans", f"{mask.dtype} of shape {tuple(mask.shape)}"
                cure = "write strength.strong(graph) and coarse_nodes(graph, strong)"
                raise ShapeError(name, expected=expected, got=got, cure=cure)
        used = graph.off_diagonal & strong & coarse[graph.columns] & ~coarse[graph.rows]
        weights = -(graph.values * self._alpha(graph, used)[graph.rows])[used]
        number, itself = torch.cumsum(coarse, 0) - 1, coarse.nonzero()[:, 0]
        rows, columns = torch.cat((graph.rows[used], itself)), torch.cat((graph.columns[used], itself))
        values = torch.cat((weights, weights.new_ones(len(itself))))
        return MatrixGraph(rows, number[columns], values, graph.row_graphs, graph.row_graphs[coarse], graph.graphs)

    def _alpha(self, graph: MatrixGraph, used: Tensor) -> Tensor:
        """The factor of each row (n,), zero where nothing is interpolated."""
        beside = onto_rows(graph, torch.where(graph.off_diagonal, graph.values, 0))
        part = onto_rows(graph, torch.where(used, graph.values, 0)) * graph.diagonal()
        there = onto_rows(graph, used.to(graph.values)) > 0
        return torch.where(there, beside / torch.where(there, part, 1), 0)
