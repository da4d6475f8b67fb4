"""Graphs of meshes and steps between nodes, against loops over cells and powers of the matrix."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import csr_array

from pinnml.domains import Mesh
from pinnml.domains.partitions import adjacency, cell_adjacency, corner_positions, distances, edges_of, halo, undirected
from pinnml.errors import PartitionError
from tests.helpers.graphs import beside, path, triangulated
from tests.helpers.made_meshes import DIMENSION, EDGES, KIND_NAMES, linear_box, unit_box


def truth(kind: str, points: np.ndarray, cells: np.ndarray) -> set[frozenset[tuple[float, ...]]]:
    """Pairs of places of corners that share an edge."""
    base = next(name for name in DIMENSION if kind.rstrip("0123456789") == name)
    return {frozenset(tuple(points[cell[k]]) for k in edge) for cell in cells for edge in EDGES[base]}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_corners_are_neighbours_along_edges(kind):
    points, cells = unit_box(kind)
    mesh = Mesh(points, cells, kind)
    graph, places = adjacency(mesh), corner_positions(mesh)
    space = points[:, : places.shape[1]]
    found = {frozenset(tuple(places[i]) for i in pair) for pair in zip(*graph.nonzero(), strict=True)}
    assert found == truth(kind, space, cells)
    assert graph.shape == (3 ** places.shape[1],) * 2
    assert (graph != graph.T).nnz == 0
    assert not graph.diagonal().any()


@pytest.mark.parametrize("kind", DIMENSION)
def test_cells_are_neighbours_across_facets(kind):
    points, cells = linear_box(kind)
    graph = cell_adjacency(Mesh(points, cells, kind)).toarray()
    shared = {"line": 1, "triangle": 2, "quad": 2, "tetra": 3, "hexahedron": 4}[kind]
    for i, j in combinations(range(len(cells)), 2):
        assert graph[i, j] == graph[j, i] == (len({*cells[i]} & {*cells[j]}) == shared)


def test_an_edge_in_one_direction_counts_in_both_and_loops_in_none():
    one_way = csr_array((np.array([2.0, -1.0, 0.0, 5.0]), (np.array([0, 1, 2, 3]), np.array([1, 1, 3, 2]))), (4, 4))
    expected = np.zeros((4, 4), dtype=bool)
    expected[0, 1] = expected[1, 0] = expected[3, 2] = expected[2, 3] = True
    for graph in (one_way, one_way.toarray(), undirected(one_way)):
        assert np.array_equal(undirected(graph).toarray(), expected)
    assert edges_of(undirected(one_way)).tolist() == [[1, 0, 3, 2], [0, 1, 2, 3]]


@pytest.mark.parametrize("graph", [np.zeros((2, 3)), np.zeros(4), [[0, 1], [1, 0]], None])
def test_what_is_no_graph_is_told(graph):
    with pytest.raises(PartitionError, match="square sparse matrix"):
        undirected(graph)


def test_distances_are_those_of_powers_of_the_matrix():
    graph, _ = triangulated(60)
    steps = np.eye(60, dtype=int) + graph.toarray()
    nodes = np.array([7, 3, 30])
    for hops in range(5):
        reached = (np.linalg.matrix_power(steps, hops)[nodes] > 0).any(axis=0)
        away = distances(graph, nodes, hops)
        assert np.array_equal(away >= 0, reached)
        around = halo(graph, nodes, hops)
        assert {*around, *nodes} == {*np.flatnonzero(reached)}
        assert not {*around} & {*nodes}
        assert (np.diff(away[around]) >= 0).all()
    fewer = np.linalg.matrix_power(steps, 2)[nodes] > 0
    assert not np.array_equal(distances(graph, nodes, 3) >= 0, fewer.any(axis=0))


def test_a_halo_ends_where_a_piece_ends():
    graph = beside(path(3), path(4), path(1))
    assert halo(graph, np.array([4]), 9).tolist() == [3, 5, 6]
    assert halo(graph, np.array([7]), 9).tolist() == []
    assert halo(graph, np.array([], dtype=int), 2).tolist() == []
    assert halo(graph, np.arange(8), 2).tolist() == []


def test_a_halo_goes_against_the_arrows_too():
    arrows = csr_array((np.ones(2), (np.array([0, 1]), np.array([1, 2]))), (3, 3))
    assert halo(arrows, np.array([0]), 2).tolist() == [1, 2]
    assert halo(arrows, np.array([2]), 2).tolist() == [1, 0]


@pytest.mark.parametrize("nodes", [np.array([4]), np.array([-1]), np.array([0.5]), np.array([[1]]), np.ones(4, bool)])
def test_nodes_that_are_none_are_told(nodes):
    with pytest.raises(PartitionError, match="nodes of a graph"):
        halo(path(4), nodes, 1)


@pytest.mark.parametrize("hops", [-1, 1.5, "2", None])
def test_hops_are_a_whole_number(hops):
    with pytest.raises(PartitionError, match="hops"):
        halo(path(4), np.array([0]), hops)
