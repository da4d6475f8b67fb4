"""Matrices on which linear algebra is tried, with what is known of them."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import block_diag, csr_array, diags_array, eye_array, kron

from pinnml.surrogates.linear_algebra import MatrixGraph

#: Of the five-point matrix on 10 x 10 points: the smallest and the largest eigenvalue, 8 sin^2(pi / 22) and 8 less it.
LOWEST = 8 * math.sin(math.pi / 22) ** 2
LARGEST = 8 - LOWEST


def five_point(n: int = 10, along: float = 1.0) -> csr_array:
    """The five-point Laplacian on n x n inner points, 4 and -1; `along`: the coefficient along the faster axis."""
    line = diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    return csr_array(kron(line, eye_array(n)) + along * kron(eye_array(n), line))


def convection(n: int = 8) -> csr_array:
    """Diffusion with an upwind wind along both axes: not symmetric."""
    wind = diags_array([-1.0, 1.0], offsets=[-1, 0], shape=(n, n))
    return csr_array(five_point(n) + 3 * kron(wind, eye_array(n)) + 0.7 * kron(eye_array(n), wind))


def scattered(n: int, seed: int) -> csr_array:
    """A random matrix with entries of both signs and a strong diagonal."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n, n)) < 0.3, rng.standard_normal((n, n)), 0.0)
    np.fill_diagonal(dense, n + rng.random(n))
    return csr_array(dense)


def together(matrices: list[csr_array]) -> tuple[MatrixGraph, csr_array]:
    """A union of graphs, and the block-diagonal matrix that it stands for."""
    return MatrixGraph.union([MatrixGraph.from_scipy(each) for each in matrices]), csr_array(block_diag(matrices))


def renumbered(graph: MatrixGraph, order: np.ndarray, seed: int = 0) -> MatrixGraph:
    """The matrix with node order_k in place k, its edges in random order."""
    matrix = graph.to_scipy()[order][:, order]
    made = MatrixGraph.from_scipy(matrix, graph.values.dtype)
    mixed = np.random.default_rng(seed).permutation(len(made.values))
    return MatrixGraph.of(made.rows[mixed], made.columns[mixed], made.values[mixed], made.shape)
