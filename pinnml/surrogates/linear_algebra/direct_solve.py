"""The solution of A x = b by sparse factors, differentiable in the entries of A and in b."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pinnml.surrogates.linear_algebra.aggregation import checked
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph


class DirectSolve(nn.Module):
    """x = A^-1 b, on the CPU in float64; the factors of a matrix are made once."""

    reach = None

    def forward(self, graph: MatrixGraph, x: Tensor, b: Tensor) -> Tensor:
        """The solution (n, ...) of b (n, ...); x stands where smoothers have their start, and is not read.

        Raises ProblemError for a singular matrix.
        """
        checked(graph, b, "b", of_rows=True)
        return _Solution.apply(graph, graph.values, b) if b.numel() else b


class _Solution(torch.autograd.Function):
    """The adjoint is y = A^-T g for the slope g by x; b has the slope y, and A_ij has -y_i x_j."""

    @staticmethod
    def forward(ctx: Any, graph: MatrixGraph, values: Tensor, b: Tensor) -> Tensor:
        x = _solved(graph, b, "N")
        ctx.graph = graph
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[None, Tensor, Tensor]:
        (x,), graph = ctx.saved_tensors, ctx.graph
        y = _solved(graph, slopes[0], "T")
        by_entry = -(y[graph.rows] * x[graph.columns]).reshape(len(graph.rows), -1).sum(-1)
        return None, by_entry, y


def _solved(graph: MatrixGraph, b: Tensor, kind: str) -> Tensor:
    right = b.detach().to("cpu", torch.float64)
    x = graph.factors.solve(right.reshape(len(b), -1).numpy(), kind)
    return torch.from_numpy(x).reshape(b.shape).to(b)
