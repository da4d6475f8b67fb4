"""What every layer keeps: renumbering, batches of graphs of different sizes, gradients, single precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.sparse import diags_array
from torch import Tensor

from pinnml.surrogates.linear_algebra import (
    Chebyshev,
    GershgorinBounds,
    Jacobi,
    MatrixGraph,
    MatrixProduct,
    PowerMethod,
    Residual,
    TwoGrid,
    WeightedNorm,
)
from tests.helpers.sparse_matrices import five_point, renumbered, scattered

Layer = Callable[[MatrixGraph, Tensor], Tensor]


def right_side(x: Tensor) -> Tensor:
    """Some b that goes with x."""
    return 1 + x**2


#: Layers by name, each of the matrix and one vector.
LAYERS: dict[str, Layer] = {
    "product": MatrixProduct(),
    "residual": lambda graph, x: Residual()(graph, x, right_side(x)),
    "norm": WeightedNorm(),
    "jacobi": lambda graph, x: Jacobi(3)(graph, x, right_side(x)),
    "chebyshev": lambda graph, x: Chebyshev(4, GershgorinBounds(20.0))(graph, x, right_side(x)),
    "eigenvalue": lambda graph, x: PowerMethod(4)(graph, x)[0],
    "eigenvector": lambda graph, x: PowerMethod(4)(graph, x)[1],
}
each_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


def positive_matrix(n: int, seed: int) -> MatrixGraph:
    matrix = scattered(n, seed)
    return MatrixGraph.from_scipy(matrix @ matrix.T / n)


def vector(n: int, *columns: int, seed: int = 0) -> Tensor:
    return torch.randn(n, *columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@each_layer
def test_a_union_gives_what_its_graphs_give_to_the_last_bit(layer):
    graphs = [positive_matrix(7, 0), MatrixGraph.from_scipy(five_point(4)), positive_matrix(3, 2)]
    for columns in ((), (2,)):
        xs = [vector(graph.shape[0], *columns, seed=i) for i, graph in enumerate(graphs)]
        alone = torch.cat([layer(graph, x) for graph, x in zip(graphs, xs, strict=True)])
        assert torch.equal(layer(MatrixGraph.union(graphs), torch.cat(xs)), alone)


@each_layer
def test_numbering_does_not_matter(layer):
    graph, x = positive_matrix(12, 1), vector(12)
    order = np.random.default_rng(3).permutation(12)
    truth, other = layer(graph, x), layer(renumbered(graph, order), x[torch.from_numpy(order)])
    expected = truth[torch.from_numpy(order)] if len(truth) == 12 else truth
    assert float((other - expected).abs().max()) <= 1e-14 * float(expected.abs().max())


@each_layer
def test_gradients_by_entries_and_vectors(layer):
    graph, x = positive_matrix(5, 4), vector(5)

    def of_numbers(values: Tensor, x: Tensor) -> Tensor:
        return layer(graph.with_values(values), x)

    values = graph.values.clone().requires_grad_()
    assert torch.autograd.gradcheck(of_numbers, (values, x.requires_grad_()))


@each_layer
def test_single_precision_stays_single(layer):
    graph, x = positive_matrix(8, 5), vector(8)
    single = layer(graph.to(dtype=torch.float32), x.float())
    assert single.dtype == torch.float32
    truth = layer(graph, x)
    assert float((single - truth).abs().max()) <= 1e-5 * float(truth.abs().max())


def test_numbers_of_graphs_act_on_their_own_graph():
    graphs = [positive_matrix(4, 6), positive_matrix(6, 7)]
    weights, lowest, largest = (torch.tensor(each, dtype=torch.float64) for each in ((0.5, 0.9), (0.2, 0.3), (9, 5)))
    union, x = MatrixGraph.union(graphs), vector(10)
    b = right_side(x)
    for number, (graph, mine) in enumerate(zip(graphs, (slice(0, 4), slice(4, 10)), strict=True)):
        jacobi = Jacobi(2, weights)(union, x, b)[mine]
        assert torch.equal(jacobi, Jacobi(2, float(weights[number]))(graph, x[mine], b[mine]))
        chebyshev = Chebyshev(3, (lowest, largest))(union, x, b)[mine]
        interval = (float(lowest[number]), float(largest[number]))
        assert torch.equal(chebyshev, Chebyshev(3, interval)(graph, x[mine], b[mine]))


@pytest.mark.parametrize(
    ("layer", "hops"),
    [
        (MatrixProduct(), 1),
        (Jacobi(3), 3),
        (Chebyshev(4, (0.1, 4.0)), 4),
        (Chebyshev(2, GershgorinBounds()), None),
        (WeightedNorm(), None),
        (PowerMethod(), None),
        (TwoGrid(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_tell_how_far_they_reach(layer, hops):
    assert layer.reach == hops
    if hops is None:
        return
    line = diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(13, 13))
    graph, x = MatrixGraph.from_scipy(line), vector(13)

    def of_numbers(values: Tensor, x: Tensor) -> Tensor:
        more = () if isinstance(layer, MatrixProduct) else (x,)
        return layer(graph.with_values(values), x, *more)[6]

    by_entries, by_nodes = torch.autograd.functional.jacobian(of_numbers, (graph.values, x))
    nodes = (torch.arange(13) - 6).abs()
    assert int(nodes[by_nodes != 0].max()) == hops
    assert int(torch.maximum(nodes[graph.rows], nodes[graph.columns])[by_entries != 0].max()) == hops


@pytest.mark.gpu
@each_layer
def test_a_gpu_gives_the_same(layer):
    graph, x = positive_matrix(12, 1), vector(12)
    truth, other = layer(graph, x), layer(graph.to("cuda"), x.cuda()).cpu()
    assert float((other - truth).abs().max()) <= 1e-13 * float(truth.abs().max())
