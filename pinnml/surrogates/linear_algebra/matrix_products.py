"""Products of sparse matrices, differentiable in the entries of both."""

from __future__ import annotations

import torch

from pinnml.errors import ShapeError
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph


def matrix_product(left: MatrixGraph, right: MatrixGraph) -> MatrixGraph:
    """A B: an edge from j onto i where A leads from some k onto i and B from j onto k; edges ordered by row.

    The pairs of edges that meet are listed, so memory goes with the number of products. Raises ShapeError for matrices
    that do not fit.
    """
    if left.shape[1] != right.shape[0]:
        cure = "multiply by the transpose, or the other way round"
        expected, got = f"{left.shape[1]} rows of the second", f"{right.shape[0]}"
        raise ShapeError("a product of matrices", expected=expected, got=got, cure=cure)
    by_row = torch.argsort(right.rows, stable=True)
    counts = torch.bincount(right.rows, minlength=right.shape[0])
    starts = counts.cumsum(0) - counts
    meeting = counts[left.columns]
    of_left = torch.repeat_interleave(meeting)
    within = torch.arange(len(of_left), device=of_left.device) - (meeting.cumsum(0) - meeting)[of_left]
    of_right = by_row[starts[left.columns][of_left] + within]
    places, place = torch.unique(left.rows[of_left] * right.shape[1] + right.columns[of_right], return_inverse=True)
    products = left.values[of_left] * right.values[of_right]
    values = products.new_zeros(len(places)).index_add(0, place, products)
    rows, columns = places // right.shape[1], places % right.shape[1]
    return MatrixGraph(rows, columns, values, left.row_graphs, right.column_graphs, left.graphs)


def galerkin(matrix: MatrixGraph, interpolation: MatrixGraph) -> MatrixGraph:
    """P^T A P: the matrix on the coarse nodes."""
    return matrix_product(interpolation.transposed(), matrix_product(matrix, interpolation))
