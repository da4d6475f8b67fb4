"""Kernels of iterative solvers as layers over the graph of a sparse matrix, differentiable in its entries."""

from pinnml.surrogates.linear_algebra.direct_solve import DirectSolve
from pinnml.surrogates.linear_algebra.interpolation import DirectInterpolation, coarse_nodes
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph
from pinnml.surrogates.linear_algebra.matrix_products import galerkin, matrix_product
from pinnml.surrogates.linear_algebra.power_method import PowerMethod
from pinnml.surrogates.linear_algebra.products import MatrixProduct, Residual, WeightedNorm
from pinnml.surrogates.linear_algebra.smoothers import Chebyshev, GershgorinBounds, Jacobi
from pinnml.surrogates.linear_algebra.strength import AggregationStrength, ClassicalStrength
from pinnml.surrogates.linear_algebra.two_grid import Coarsening, Levels, TwoGrid
