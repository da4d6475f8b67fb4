"""Spectral parts: the affinity against a loop, what decides where the cut is, and what sizes cost."""

from __future__ import annotations

import numpy as np
import pytest

from pinnml.domains.partitions import of_edges, partition
from pinnml.domains.partitions.spectral import Likeness, _affinity, _embedded
from tests.helpers.graphs import grid, triangulated


def test_affinities_are_those_of_a_loop():
    graph, points = triangulated(40)
    load = np.random.default_rng(1).random((40, 3))
    found = _affinity(graph, Likeness({"positions": points, "features": load}, {"features": 0.3}, 1.0)).toarray()
    dense = graph.toarray()
    pairs = [(i, j) for i in range(40) for j in range(40) if dense[i, j]]
    scale = np.median([np.linalg.norm(points[i] - points[j]) for i, j in pairs])
    truth = np.zeros((40, 40))
    for i, j in pairs:
        truth[i, j] = np.exp(-np.linalg.norm(points[i] - points[j]) / scale)
        truth[i, j] *= np.exp(-np.linalg.norm(load[i] - load[j]) / 0.3)
    assert np.allclose(found / found.max(), truth / truth.max(), rtol=1e-13, atol=0)


def test_all_eigenvectors_and_some_span_the_same():
    graph, points = triangulated(500)  # above the size up to which all are found
    weights = _affinity(graph, Likeness({"positions": points}, {}, 1.0))
    rows = _embedded(weights, 4, seed=0)
    dense, degree = weights.toarray(), weights.toarray().sum(axis=0)
    values, vectors = np.linalg.eigh(np.eye(500) - dense / np.sqrt(degree[:, None] * degree))
    truth = vectors[:, :4] / np.linalg.norm(vectors[:, :4], axis=1, keepdims=True)
    assert values[4] - values[3] > 1e-3  # or there would be no such span
    assert np.allclose(rows @ rows.T, truth @ truth.T, rtol=0, atol=1e-9)


def dumbbell(left: int, right: int) -> tuple:
    """Two square grids of these sides with one edge between them, and where their nodes are."""
    (first, a), (second, b) = grid(left, left), grid(right, right)
    ends = [np.stack(g.nonzero(), axis=1) + shift for g, shift in ((first, 0), (second, left**2))]
    graph = of_edges(np.concatenate([*ends, [[left**2 - 1, left**2]]]), left**2 + right**2)
    return graph, np.concatenate([a, b + np.array([left, 0])])


def test_two_squares_are_cut_at_the_edge_between_them():
    graph, places = dumbbell(8, 8)
    found = partition(graph, 2, "spectral", positions=places)
    assert found.edge_cut == 1
    assert found.imbalance == 1


def test_unequal_sizes_cost_what_the_penalty_says():
    graph, places = dumbbell(12, 5)
    sizes = [sorted(partition(graph, 2, "spectral", positions=places, penalty=p).sizes.tolist()) for p in (0, 0.3, 30)]
    assert sizes[0] == sizes[1] == [25, 144]
    assert sizes[2][0] > 75


@pytest.mark.parametrize("what", ["features", "targets"])
def test_the_cut_follows_a_jump_of_what_is_compared(what):
    graph, places = grid(12, 20)
    jump = (places[:, 1] > 5).astype(float)
    found = partition(graph, 2, "spectral", positions=places, **{what: jump}, scales={what: 0.25}, penalty=0)
    assert np.array_equal(found.owner == found.owner[0], jump == 0)
    without = partition(graph, 2, "spectral", positions=places, penalty=0)
    assert not np.array_equal(without.owner == without.owner[0], jump == 0)
    assert without.imbalance < 1.01


def test_values_that_are_the_same_everywhere_change_nothing():
    graph, places = grid(12, 20)
    first = partition(graph, 3, "spectral", positions=places)
    second = partition(graph, 3, "spectral", positions=places, features=np.full(240, 7.0))
    assert np.array_equal(first.owner, second.owner)
