"""Kernels of iterative solvers as layers over the graph of a sparse matrix, differentiable in its entries."""

from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph
from pinnml.surrogates.linear_algebra.power_method import PowerMethod
from pinnml.surrogates.linear_algebra.products import MatrixProduct, Residual, WeightedNorm
from pinnml.surrogates.linear_algebra.smoothers import Chebyshev, GershgorinBounds, Jacobi
