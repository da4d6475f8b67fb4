"""Subdomains: fields there and back, induced edges against a loop, weights that sum to one."""

from __future__ import annotations

import numpy as np
import pytest

from pinnml.domains.partitions import (
    METHODS,
    Partition,
    blended,
    by_owner,
    edges_of,
    partition,
    subdomains,
    unity,
)
from pinnml.errors import PartitionError
from tests.helpers.graphs import beside, path, triangulated

GRAPH, POINTS = triangulated(200)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("hops", [0, 1, 3])
def test_a_field_of_node_numbers_comes_back(method, hops):
    pieces = subdomains(GRAPH, partition(GRAPH, 5, method, positions=POINTS), hops)
    assert np.array_equal(by_owner(pieces, [piece.nodes for piece in pieces]), np.arange(200))
    assert np.array_equal(by_owner(pieces, [POINTS[piece.nodes] for piece in pieces]), POINTS)
    blend = blended(pieces, unity(pieces, hops), [POINTS[piece.nodes] for piece in pieces])
    assert np.allclose(blend, POINTS, rtol=0, atol=1e-15)
    scrambled = by_owner(pieces, [np.sort(piece.nodes) for piece in pieces])
    assert hops == 0 or not np.array_equal(scrambled, np.arange(200))  # the same values, in another order


@pytest.mark.parametrize("hops", [0, 2])
def test_edges_are_those_between_the_nodes(hops):
    dense, edges = GRAPH.toarray(), edges_of(GRAPH)
    for part, piece in enumerate(subdomains(GRAPH, cut := partition(GRAPH, 4), hops)):
        assert np.array_equal(piece.nodes[: piece.owned], cut.nodes(part))
        assert np.array_equal(piece.is_owned, np.arange(len(piece)) < piece.owned)
        within = {(i, j) for i in piece.nodes for j in piece.nodes if dense[i, j]}
        assert {*zip(*piece.nodes[piece.edges], strict=True)} == within
        assert piece.edges.shape[1] == len(within)
        assert np.array_equal(edges[:, piece.links], piece.nodes[piece.edges])
        assert len({*piece.nodes}) == len(piece)


def test_steps_to_the_owned_nodes_are_the_fewest():
    cut = Partition.of(path(9), [0] * 4 + [1] * 5, 2)
    first, second = subdomains(path(9), cut, 2)
    assert first.nodes.tolist() == [0, 1, 2, 3, 4, 5]
    assert first.hops.tolist() == [0, 0, 0, 0, 1, 2]
    assert second.nodes.tolist() == [4, 5, 6, 7, 8, 3, 2]
    assert second.hops.tolist() == [0, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_weights_sum_to_one_and_fall_with_the_steps(overlap):
    pieces = subdomains(GRAPH, partition(GRAPH, 6), 2)
    weights = unity(pieces, overlap)
    total = np.zeros(200)
    for piece, weight in zip(pieces, weights, strict=True):
        assert (weight >= 0).all()
        assert ((weight > 0) == (piece.hops <= overlap)).all()
        np.add.at(total, piece.nodes, weight)
    assert np.allclose(total, 1, rtol=0, atol=1e-15)


def test_weights_are_the_ratios_that_are_said():
    pieces = subdomains(path(6), Partition.of(path(6), [0, 0, 0, 1, 1, 1], 2), 2)
    first, second = unity(pieces, 1)
    assert first.tolist() == [1, 1, 2 / 3, 1 / 3, 0]
    assert second.tolist() == [2 / 3, 1, 1, 1 / 3, 0]
    with pytest.raises(PartitionError, match="overlap"):
        unity(pieces, 3)


def test_isolated_nodes_and_pieces_have_no_halo():
    graph = beside(path(3), path(1), path(2))
    pieces = subdomains(graph, Partition.of(graph, [0, 0, 0, 1, 2, 2], 3), 4)
    assert [piece.nodes.tolist() for piece in pieces] == [[0, 1, 2], [3], [4, 5]]
    assert pieces[1].edges.shape == (2, 0)


def test_a_partition_of_another_graph_is_refused():
    with pytest.raises(PartitionError, match="another graph"):
        subdomains(path(4), Partition.of(path(3), [0, 1, 1], 2), 1)
