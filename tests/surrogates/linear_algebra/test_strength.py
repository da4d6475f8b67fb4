"""Strength of connection beside pyamg's: at the threshold, without negative entries, in empty rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pyamg.strength import classical_strength_of_connection, symmetric_strength_of_connection
from scipy.sparse import csr_array

from pinnml.errors import SettingsError
from pinnml.surrogates.linear_algebra import AggregationStrength, ClassicalStrength, MatrixGraph
from tests.helpers.sparse_matrices import convection, five_point, scattered, together

MATRICES = {
    "five-point": five_point(6),
    "at the threshold": five_point(6, along=0.25),
    "convection": convection(),
    "both signs": scattered(20, 0),
    "symmetric": scattered(20, 1) + scattered(20, 1).T,
    "no negative": abs(scattered(12, 2)),
    "empty rows": csr_array(np.diag([1.0, 0.0, 2.0, 0.0]) - np.eye(4, k=2)),
}
each_matrix = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
each_threshold = pytest.mark.parametrize("threshold", [0.0, 0.08, 0.25, 0.5])


def places(graph: MatrixGraph, strong: torch.Tensor) -> set[tuple[int, int]]:
    return set(zip(graph.rows[strong].tolist(), graph.columns[strong].tolist(), strict=True))


def theirs(strength: csr_array) -> set[tuple[int, int]]:
    """Of pyamg, which keeps the diagonal as well."""
    kept = strength.tocoo()
    return {(int(i), int(j)) for i, j, value in zip(kept.row, kept.col, kept.data, strict=True) if i != j and value}


@each_matrix
@each_threshold
def test_classical_strength_is_that_of_pyamg(matrix, threshold):
    graph = MatrixGraph.from_scipy(matrix)
    known = theirs(classical_strength_of_connection(csr_array(matrix), threshold, norm="min"))
    assert places(graph, ClassicalStrength(threshold).strong(graph)) == known


@each_matrix
@each_threshold
def test_aggregation_strength_is_that_of_pyamg(matrix, threshold):
    graph = MatrixGraph.from_scipy(matrix)
    known = theirs(symmetric_strength_of_connection(csr_array(matrix), threshold))
    assert places(graph, AggregationStrength(threshold).strong(graph)) == known


def test_at_the_threshold_strict_and_classical_strength_differ_in_every_row():
    graph = MatrixGraph.from_scipy(MATRICES["at the threshold"])
    assert int(graph.off_diagonal.sum()) == 120
    assert int(ClassicalStrength(0.25).strong(graph).sum()) == 120
    strict = ClassicalStrength(0.25, strict=True)
    assert int(strict.strong(graph).sum()) == 60
    assert torch.equal(strict.strong(graph), strict(graph) > 0)


def test_values_are_those_of_the_definition():
    matrix = scattered(15, 3)
    graph, dense = MatrixGraph.from_scipy(matrix), matrix.toarray()
    off = dense - np.diag(np.diag(dense))
    largest = np.max(-off, axis=1)[:, None]
    classical = np.where((off != 0) & (largest > 0), np.maximum(0, -off / np.where(largest > 0, largest, 1) - 0.25), 0)
    aggregation = off**2 / np.abs(np.outer(np.diag(dense), np.diag(dense)))
    for strength, truth in ((ClassicalStrength(), classical), (AggregationStrength(), aggregation)):
        found = graph.with_values(strength(graph)).to_scipy().toarray()
        assert np.allclose(found, truth, rtol=1e-14, atol=1e-15)


def test_rows_without_negative_entries_have_no_strong_ones():
    for name in ("no negative", "empty rows"):
        graph = MatrixGraph.from_scipy(MATRICES[name]).with_values(abs(MatrixGraph.from_scipy(MATRICES[name]).values))
        assert not ClassicalStrength().strong(graph).any()
        assert not ClassicalStrength()(graph).any()
    assert AggregationStrength()(graph).tolist() == [0, 0.5, torch.inf, 0]  # beside a zero diagonal all is strong


@pytest.mark.parametrize("strength", [ClassicalStrength(0.1), AggregationStrength()], ids=["classical", "aggregation"])
def test_slopes_batches_and_bounds(strength):
    matrices = [scattered(5, 4), MATRICES["empty rows"], scattered(6, 5)]
    graph = MatrixGraph.from_scipy(matrices[0])
    values = graph.values.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: strength(graph.with_values(values)), (values,))
    graphs = [MatrixGraph.from_scipy(each) for each in matrices]
    union, _ = together(matrices)
    assert torch.equal(strength(union), torch.cat([strength(each) for each in graphs]))
    assert torch.equal(strength.strong(union), torch.cat([strength.strong(each) for each in graphs]))
    empty = graphs[1].with_values(graphs[1].values.clone().requires_grad_())
    (slope,) = torch.autograd.grad(strength(empty).sum(), empty.values)
    assert slope.isfinite().all()
    with pytest.raises(SettingsError, match="threshold"):
        type(strength)(1.5)
