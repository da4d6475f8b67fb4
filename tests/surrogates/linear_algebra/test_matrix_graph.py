"""Matrices as graphs: there and back, unions and their parts, and entries that cannot be."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array, csr_array

from pinnml.errors import ProblemError, ShapeError
from pinnml.surrogates.linear_algebra import MatrixGraph
from tests.helpers.sparse_matrices import convection, five_point, scattered, together


def test_a_matrix_comes_back_as_it_was():
    for matrix in (convection(), scattered(7, 0)[:, :4]):
        graph = MatrixGraph.from_scipy(matrix)
        assert (graph.to_scipy() != matrix).nnz == 0
        assert graph.shape == matrix.shape
        assert graph.is_square == (matrix.shape[0] == matrix.shape[1])
    assert MatrixGraph.from_scipy(convection(), torch.float32).values.dtype == torch.float32


def test_entries_in_one_place_are_added_up():
    twice = coo_array(([1.0, 2.0, 5.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert MatrixGraph.from_scipy(twice).to_scipy().toarray().tolist() == [[0, 3], [5, 0]]
    assert len(twice.data) == 3  # the matrix that was given stays as it is


def test_a_union_is_block_diagonal_and_comes_apart():
    matrices = [convection(3), scattered(5, 1), five_point(4)]
    union, blocks = together(matrices)
    assert (union.to_scipy() != blocks).nnz == 0
    assert union.is_square
    assert union.row_graphs.bincount().tolist() == [9, 5, 16]
    for part, matrix in zip(union.parts(), matrices, strict=True):
        assert (part.to_scipy() != matrix).nnz == 0
        assert part.is_square
    nested = MatrixGraph.union([union, MatrixGraph.from_scipy(matrices[1])])
    assert nested.graphs == 4
    assert nested.row_graphs[-1] == 3


def test_a_union_of_rectangles_comes_apart():
    matrices = [scattered(5, 1)[:, :2], scattered(6, 2)[:2]]
    union, blocks = together(matrices)
    assert (union.to_scipy() != blocks).nnz == 0
    for part, matrix in zip(union.parts(), matrices, strict=True):
        assert (part.to_scipy() != matrix).nnz == 0
        assert not part.is_square


def test_diagonal_transpose_and_other_values():
    matrix = convection()
    graph = MatrixGraph.from_scipy(matrix)
    assert np.array_equal(graph.diagonal().numpy(), matrix.diagonal())
    assert (graph.transposed().to_scipy() != matrix.T).nnz == 0
    assert (graph.with_values(2 * graph.values).to_scipy() != 2 * matrix).nnz == 0
    missing = MatrixGraph.from_scipy(csr_array(np.array([[0.0, 1.0], [2.0, 3.0]])))
    assert missing.diagonal().tolist() == [0, 3]


def test_precision_and_factors():
    graph = MatrixGraph.from_scipy(five_point(3))
    assert graph.to(dtype=torch.float32).values.dtype == torch.float32
    assert graph.to(dtype=torch.float32).is_square
    b = np.arange(9.0)
    assert np.allclose(graph.to_scipy() @ graph.factors.solve(b), b, atol=1e-13)
    assert graph.factors is graph.factors
    assert "factors" not in copy.deepcopy(graph).__dict__
    with pytest.raises(ProblemError, match="no triangular factors"):
        _ = MatrixGraph.from_scipy(csr_array((2, 2))).factors


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [([0, 2], [0, 1], "0 to 1"), ([0, 1], [0, -1], "-1 to 0"), ([0, 0], [1, 1], "some twice"), ([0], [1, 1], "length")],
)
def test_entries_that_do_not_fit_are_named(rows, columns, message):
    with pytest.raises(ShapeError, match=message):
        MatrixGraph.of(torch.tensor(rows), torch.tensor(columns), torch.ones(2), (2, 2))


def test_what_is_no_sparse_matrix_is_named():
    with pytest.raises(ShapeError, match="sparse matrix of SciPy"):
        MatrixGraph.from_scipy(np.eye(2))
    with pytest.raises(ShapeError, match="one or more"):
        MatrixGraph.union([])
