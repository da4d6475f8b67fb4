"""The two-grid cycle as a graph layer, and how a matrix is coarsened for it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from pinnml.surrogates.linear_algebra.direct_solve import DirectSolve
from pinnml.surrogates.linear_algebra.interpolation import DirectInterpolation, coarse_nodes
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph
from pinnml.surrogates.linear_algebra.matrix_products import galerkin
from pinnml.surrogates.linear_algebra.products import MatrixProduct, Residual
from pinnml.surrogates.linear_algebra.smoothers import Jacobi
from pinnml.surrogates.linear_algebra.strength import AggregationStrength, ClassicalStrength


@dataclass(frozen=True, eq=False)
class Levels:
    """A matrix A, the interpolation P onto its nodes, and the matrix P^T A P on the coarse nodes."""

    fine: MatrixGraph
    interpolation: MatrixGraph
    coarse: MatrixGraph


class Coarsening(nn.Module):
    """A matrix to its two levels: strength, coarse nodes by CLJP, direct interpolation, Galerkin product.

    strength: ClassicalStrength() by default. Differentiable in the entries, with the choice of nodes held.
    """

    def __init__(self, strength: ClassicalStrength | AggregationStrength | None = None):
        super().__init__()
        self.strength = ClassicalStrength() if strength is None else strength
        self.interpolation = DirectInterpolation()

    def forward(self, graph: MatrixGraph, coarse: Tensor | None = None) -> Levels:
        """The levels; coarse: the coarse nodes (n,) as booleans, in place of those that CLJP chooses."""
        strong = self.strength.strong(graph)
        interpolation = self.interpolation(graph, strong, coarse_nodes(graph, strong) if coarse is None else coarse)
        return Levels(graph, interpolation, galerkin(graph, interpolation))


class TwoGrid(nn.Module):
    """One cycle: smooth x, add P y with P^T A P y = P^T (b - A x), smooth again.

    smoother, before and after: Jacobi(3) by default. coarse: what solves, or smooths from zero, on the coarse nodes,
    the exact solution by default. Both take a matrix, x and b, as `Jacobi`, `Chebyshev` and `DirectSolve` do.
    """

    reach = None

    def __init__(self, smoother: nn.Module | None = None, coarse: nn.Module | None = None):
        super().__init__()
        self.smoother = Jacobi(3) if smoother is None else smoother
        self.coarse = DirectSolve() if coarse is None else coarse
        self.product, self.residual = MatrixProduct(), Residual()

    def forward(self, levels: Levels, x: Tensor, b: Tensor) -> Tensor:
        """The better x (n, ...), of x and b (n, ...)."""
        x = self.smoother(levels.fine, x, b)
        r = self.product(levels.interpolation.transposed(), self.residual(levels.fine, x, b))
        x = x + self.product(levels.interpolation, self.coarse(levels.coarse, r.new_zeros(r.shape), r))
        return self.smoother(levels.fine, x, b)
