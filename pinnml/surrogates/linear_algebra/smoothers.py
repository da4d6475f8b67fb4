"""Smoothers as graph layers: weighted Jacobi sweeps and Chebyshev polynomials. Each makes x better in A x = b."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pinnml.errors import ProblemError, SettingsError
from pinnml.surrogates.linear_algebra.aggregation import onto_rows, scaled, to_rows
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph
from pinnml.surrogates.linear_algebra.products import MatrixProduct, Residual
from pinnml.validation import positive, whole_number

#: The weight that damps the upper half of the five-point Laplacian's spectrum best among the common ones.
WEIGHT = 2 / 3
#: Numbers between which eigenvalues lie, (lowest, largest): one for all graphs, or one for each (g,).
Interval = tuple[float | Tensor, float | Tensor]


class Jacobi(nn.Module):
    """x_i <- x_i + w (b_i - sum_j A_ij x_j) / d_i, so many times; the sum includes the diagonal.

    weight: w, a number, or one for each graph (g,). diagonal: a module that makes d (n,) from the matrix, such as a
    learned one; A_ii by default.
    """

    def __init__(self, sweeps: int = 1, weight: float | Tensor = WEIGHT, diagonal: nn.Module | None = None):
        super().__init__()
        self.sweeps = whole_number("sweeps", sweeps, 0)
        self.weight = weight
        self.diagonal = diagonal
        self.residual = Residual()

    @property
    def reach(self) -> int | None:
        """A hop for each sweep, and what the diagonal reaches beyond its row."""
        diagonal = 0 if self.diagonal is None else getattr(self.diagonal, "reach", None)
        return None if diagonal is None else max(self.sweeps, self.sweeps - 1 + diagonal)

    def forward(self, graph: MatrixGraph, x: Tensor, b: Tensor) -> Tensor:
        """The better x (n, ...), of x and b (n, ...). Raises ProblemError where some d_i = 0."""
        d = graph.diagonal() if self.diagonal is None else self.diagonal(graph)
        if bool((d == 0).any()):
            got, cure = f"row {int((d == 0).nonzero()[0])} without one", "number its equations otherwise"
            raise ProblemError("Jacobi divides by the diagonal", expected="no zeros there", got=got, cure=cure)
        factor = to_rows(graph, self.weight) / d
        for _ in range(self.sweeps):
            x = x + scaled(factor, self.residual(graph, x, b))
        return x


class GershgorinBounds(nn.Module):
    """largest = max_i sum_j |A_ij|, which no eigenvalue passes; lowest = largest / ratio. Of each graph by itself."""

    reach = None

    def __init__(self, ratio: float = 4.0):
        super().__init__()
        self.ratio = positive("ratio", ratio)

    def forward(self, graph: MatrixGraph) -> tuple[Tensor, Tensor]:
        """The interval, (g,) each."""
        sums = onto_rows(graph, graph.values.abs())
        largest = sums.new_zeros(graph.graphs).scatter_reduce(0, graph.row_graphs, sums, "amax")
        return largest / self.ratio, largest


class Chebyshev(nn.Module):
    """x of a degree k for which r = T_k((d - A) / c) / T_k(d / c) r_0: small for all eigenvalues in an interval.

    bounds: the interval (lowest, largest), or a module that makes it from the matrix; c and d are half its length and
    its middle. The three-term recurrence, in which the second step has another beta than those that follow, and the
    residual goes on by itself.
    Source: Saad, Iterative Methods for Sparse Linear Systems, algorithm 12.1.
    """

    def __init__(self, degree: int, bounds: Interval | Callable[[MatrixGraph], Interval]):
        super().__init__()
        self.degree = whole_number("degree", degree, 0)
        self.bounds = bounds
        self.product, self.residual = MatrixProduct(), Residual()

    @property
    def reach(self) -> int | None:
        """The degree; the whole graph where the matrix gives the interval."""
        return None if callable(self.bounds) else self.degree

    def forward(self, graph: MatrixGraph, x: Tensor, b: Tensor) -> Tensor:
        """The better x (n, ...), of x and b (n, ...). Raises SettingsError for an interval that holds zero."""
        c, d = self._middle(graph, x)
        r = self.residual(graph, x, b)
        p, alpha, beta = torch.zeros_like(r), 1 / d, torch.zeros_like(d)
        for step in range(self.degree):
            if step > 0:
                beta = (c * alpha) ** 2 / (2 if step == 1 else 4)
                alpha = 1 / (d - beta / alpha)
            p = r + scaled(beta, p)
            x = x + scaled(alpha, p)
            r = r - scaled(alpha, self.product(graph, p))
        return x

    def _middle(self, graph: MatrixGraph, x: Tensor) -> tuple[Tensor, Tensor]:
        """Half the length and the middle of the interval, at every node (n,)."""
        bounds = self.bounds(graph) if callable(self.bounds) else self.bounds
        lowest, largest = (torch.as_tensor(bound, dtype=x.dtype, device=x.device) for bound in bounds)
        if not bool(((lowest <= largest) & (lowest * largest > 0)).all()):
            cure = "bounds of a positive matrix, such as (0.1, 8.0)"
            expected = "lowest <= largest, with zero outside"
            got = f"{lowest.tolist()} to {largest.tolist()}"
            raise SettingsError("the interval of a Chebyshev polynomial", expected=expected, got=got, cure=cure)
        c, d = (torch.as_tensor(to_rows(graph, each)) for each in ((largest - lowest) / 2, (largest + lowest) / 2))
        return c.expand(graph.shape[0]), d.expand(graph.shape[0])
