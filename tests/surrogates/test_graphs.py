"""Graphs of meshes: which nodes share a cell, counted one by one."""

import numpy as np
import pytest
import torch

from pinnml import Mesh
from pinnml.elements import Discretisation, Element
from pinnml.surrogates.graphs import MeshGraph
from tests.helpers.families import darcy
from tests.helpers.places import MESHES


def graph_of(name: str, degree: int) -> tuple[Discretisation, MeshGraph]:
    from dataclasses import replace

    mesh = Mesh.read(MESHES / f"{name}.msh")
    problem = replace(darcy().with_values({"k": 1.0, "load": 1.0}), domain=mesh)
    parts = Discretisation.build(problem, mesh, {"u": Element("P", degree)})
    return parts, MeshGraph.of(parts, torch.float64)


@pytest.mark.parametrize(("name", "degree"), [("two_materials", 1), ("square_quads", 1), ("disc", 2), ("cube", 1)])
def test_edges_are_the_pairs_that_share_a_cell(name, degree):
    parts, graph = graph_of(name, degree)
    expected = {(a, b) for cell in parts.spaces["u"].dofs.tolist() for a in cell for b in cell if a != b}
    assert {(a, b) for a, b in graph.edges.T.tolist()} == expected
    assert graph.edges.shape[1] == len(expected)


def test_the_way_along_edges_and_its_length():
    _, graph = graph_of("two_materials", 1)
    source, target = graph.edges
    way = graph.positions[target] - graph.positions[source]
    scale = way.norm(dim=1).mean()
    np.testing.assert_allclose(graph.edge_features[:, :2] * scale, way, atol=1e-15)
    np.testing.assert_allclose(graph.edge_features[:, 2] * scale, way.norm(dim=1), rtol=1e-14)
    assert graph.edge_features[:, 2].mean() == pytest.approx(1)


@pytest.mark.parametrize("degree", [1, 2])
def test_tags_tell_where_nodes_lie(degree):
    _, graph = graph_of("two_materials", degree)
    x, y = graph.positions.round(decimals=12).T  # places of nodes are products: 0 may be 1e-18
    expected = {"west": x == 0, "east": x == 1, "bottom": y == 0, "interface": x == 0.5, "left": x <= 0.5}
    expected["boundary"] = (x == 0) | (x == 1) | (y == 0) | (y == 1)
    for name, there in expected.items():
        np.testing.assert_array_equal(graph.tags[:, graph.regions.index(name)].bool(), there, err_msg=name)


def test_copies_side_by_side():
    _, graph = graph_of("two_materials", 1)
    n, m, many = len(graph), graph.edges.shape[1], graph.repeated(3)
    for i in range(3):
        np.testing.assert_array_equal(many.edges[:, i * m : (i + 1) * m], graph.edges + i * n)
    assert torch.bincount(many.batch).tolist() == [n, n, n]
    np.testing.assert_array_equal(many.tags[n : 2 * n], graph.tags)
