"""The power method as graph layers."""

from __future__ import annotations

from torch import Tensor, nn

from pinnml.surrogates.linear_algebra.aggregation import over_graphs
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph
from pinnml.surrogates.linear_algebra.products import MatrixProduct
from pinnml.validation import whole_number


class PowerMethod(nn.Module):
    """x <- A x / |A x|, so many times, then x^T A x / x^T x: towards the eigenvalue of largest size.

    Each graph and each column by itself; NaN where A^k x = 0.
    """

    reach = None

    def __init__(self, iterations: int = 10):
        super().__init__()
        self.iterations = whole_number("iterations", iterations, 0)
        self.product = MatrixProduct()

    def forward(self, graph: MatrixGraph, x: Tensor) -> tuple[Tensor, Tensor]:
        """The eigenvalue (g, ...) and the vector (n, ...) of length 1, from a start x (n, ...)."""
        for _ in range(self.iterations):
            y = self.product(graph, x)
            x = y / over_graphs(graph, y * y).sqrt()[graph.row_graphs]
        quotient = over_graphs(graph, x * self.product(graph, x)) / over_graphs(graph, x * x)
        return quotient, x
