"""Products with a sparse matrix as graph layers: A x, b - A x, and the norm that a matrix gives."""

from __future__ import annotations

from torch import Tensor, nn

from pinnml.surrogates.linear_algebra.aggregation import checked, onto_rows, over_graphs, scaled
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph


class MatrixProduct(nn.Module):
    """y_i = sum_j A_ij x_j: every edge multiplies what stands at its column, and its row sums up.

    Source: Moore et al., arXiv:2310.14084.
    """

    reach = 1

    def forward(self, graph: MatrixGraph, x: Tensor) -> Tensor:
        """A x (n, ...) of x (m, ...), any number of columns at once."""
        return onto_rows(graph, scaled(graph.values, checked(graph, x)[graph.columns]))


class Residual(nn.Module):
    """r_i = b_i - sum_j A_ij x_j."""

    reach = 1

    def __init__(self):
        super().__init__()
        self.product = MatrixProduct()

    def forward(self, graph: MatrixGraph, x: Tensor, b: Tensor) -> Tensor:
        """The residual b - A x (n, ...) of x (m, ...) and b (n, ...)."""
        return checked(graph, b, "b", of_rows=True) - self.product(graph, x)


class WeightedNorm(nn.Module):
    """sqrt(sum_i x_i sum_j W_ij x_j), a number of each graph.

    NaN where x^T W x < 0, which no positive matrix has; its slope at x = 0 is NaN as well.
    """

    reach = None

    def __init__(self):
        super().__init__()
        self.product = MatrixProduct()

    def forward(self, graph: MatrixGraph, x: Tensor) -> Tensor:
        """The norms (g, ...) of x (n, ...), of each column by itself."""
        return over_graphs(graph, x * self.product(graph, x)).sqrt()
