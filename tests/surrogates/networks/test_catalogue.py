"""What holds for every network on graphs: how far it sees, renumbering, batches, parts, where its weights come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml.domains.partitions import Partition, distances, partition, subdomains
from pinnml.surrogates import networks
from pinnml.surrogates.networks import GraphNetwork
from tests.helpers.graphs import beside, path, strip, tensors, triangulated
from tests.helpers.networks_on_graphs import NETWORKS, built, features

#: Sums of some tens of numbers of size one, some layers one behind the other.
ROUND_OFF = 1e-12
LONG = strip(60, 3)
LOCAL = [name for name, settings in NETWORKS.items() if built(settings).reach is not None]
GLOBAL = [name for name in NETWORKS if name not in LOCAL]
each = pytest.mark.parametrize("name", NETWORKS)


def loss(outputs: Tensor, targets: Tensor, count: int) -> Tensor:
    return ((outputs - targets) ** 2).sum() / count


def gradients(network: GraphNetwork, value: Tensor) -> Tensor:
    found = torch.autograd.grad(value, list(network.parameters()), allow_unused=True, materialize_grads=True)
    return torch.cat([each.flatten() for each in found])


def test_the_catalogue_has_every_network():
    assert {type(settings) for settings in NETWORKS.values()} == {*networks.NETWORKS.values()}


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize(
    "graph", [(path(40), np.arange(40.0)[:, None] + np.zeros((40, 2))), LONG], ids=["path", "strip"]
)
def test_the_reach_is_the_one_that_is_measured(name, graph):
    network, (edges, ways) = built(NETWORKS[name]), tensors(*graph)
    n = len(graph[1])
    x, ways = features(n).requires_grad_(), ways.requires_grad_()
    middle = n // 2
    outputs = network(x, edges, ways)[middle].sum()
    by_node, by_edge = torch.autograd.grad(outputs, (x, ways), materialize_grads=True)
    away = distances(graph[0], np.array([middle]), n)
    seen = (by_node != 0).any(dim=1).numpy()
    assert away[seen].max() == network.reach
    ends = edges[:, (by_edge != 0).any(dim=1)].numpy()
    assert away[ends].max() <= network.reach


@pytest.mark.parametrize("name", GLOBAL)
def test_without_reach_every_node_is_seen(name):
    network, (edges, ways) = built(NETWORKS[name]), tensors(*LONG)
    x = features(180).requires_grad_()
    (by_node,) = torch.autograd.grad(network(x, edges, ways)[0].sum(), x)
    assert bool((by_node != 0).any(dim=1).all())


@each
def test_numbers_of_nodes_and_the_order_of_edges_are_of_no_account(name):
    (graph, points), network = triangulated(90), built(NETWORKS[name])
    edges, ways = tensors(graph, points)
    x = features(90)
    truth = network(x, edges, ways)
    generator = torch.Generator().manual_seed(3)
    new, order = torch.randperm(90, generator=generator), torch.randperm(edges.shape[1], generator=generator)
    moved = torch.empty_like(x)
    moved[new] = x
    outputs = network(moved, new[edges[:, order]], ways[order])
    assert torch.allclose(outputs[new], truth, rtol=0, atol=ROUND_OFF)
    assert (outputs - truth).abs().max() > 1e-3


@each
def test_graphs_of_a_batch_do_not_see_each_other(name):
    network = built(NETWORKS[name])
    given = [(triangulated(n, seed), features(n, seed)) for n, seed in ((30, 1), (45, 2), (30, 3))]
    alone = [network(x, *tensors(*graph)) for graph, x in given]
    graph = beside(*(graph for (graph, _), _ in given))
    points = np.concatenate([points for (_, points), _ in given])
    edges, ways = tensors(graph, points)
    scale = [tensors(*graph)[1] for graph, _ in given]
    batch = torch.arange(3).repeat_interleave(torch.tensor([30, 45, 30]))
    assert torch.equal(batch[edges[0]].sort()[0], batch[edges[0]])
    together = network(torch.cat([x for _, x in given]), edges, torch.cat(scale), batch)
    assert torch.allclose(together, torch.cat(alone), rtol=0, atol=ROUND_OFF)
    assert ways.shape == torch.cat(scale).shape


def owned_by(owner: np.ndarray, name: str, halo: int, *, means: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The outputs and the gradient of the loss on the whole graph, and put together from parts.

    means: each part's loss is the mean over its own nodes, and the whole is the mean of these.
    """
    (graph, points), network = LONG, built(NETWORKS[name])
    with torch.no_grad():  # else what is many hops away has hardly a weight at first
        for parameter in network.parameters():
            parameter *= 2
    edges, ways = tensors(graph, points)
    x, targets, n = features(len(points)), features(len(points), 1)[:, :2], len(points)
    whole = network(x, edges, ways)
    slope = gradients(network, loss(whole, targets, n))
    outputs, total = torch.zeros_like(whole), torch.zeros_like(slope)
    for piece in subdomains(graph, Partition.of(graph, owner, int(owner.max()) + 1), halo):
        nodes = torch.from_numpy(piece.nodes)
        found = network(x[nodes], torch.from_numpy(piece.edges), ways[torch.from_numpy(piece.links)])[: piece.owned]
        mine = nodes[: piece.owned]
        outputs[mine] = found.detach()
        total += gradients(network, loss(found, targets[mine], (owner.max() + 1) * piece.owned if means else n))
    return whole.detach(), outputs, slope, total


@pytest.mark.parametrize("name", LOCAL)
def test_unequal_parts_have_the_outputs_and_gradients_of_the_whole(name):
    """Parts of 90, 5 and 5 %: a mean of the parts' means would be far off."""
    owner = np.zeros(180, dtype=int)
    owner[162:171], owner[171:] = 1, 2
    reach = built(NETWORKS[name]).reach
    assert reach is not None
    whole, outputs, slope, total = owned_by(owner, name, reach)
    assert torch.allclose(outputs, whole, rtol=0, atol=ROUND_OFF)
    assert (total - slope).abs().max() < ROUND_OFF * max(1.0, float(slope.abs().max()))
    whole, outputs, slope, total = owned_by(owner, name, reach - 1)
    assert (outputs - whole).abs().max() > 1e3 * ROUND_OFF
    assert (total - slope).abs().max() > 1e3 * ROUND_OFF


@pytest.mark.parametrize("name", LOCAL)
def test_a_mean_of_means_over_unequal_parts_has_another_gradient(name):
    """The control: what is often done is right for equal parts alone."""
    reach, thirds, unequal = built(NETWORKS[name]).reach, np.repeat([0, 1, 2], 60), np.repeat([0, 1, 2], [162, 9, 9])
    assert reach is not None
    for owner, right in ((thirds, True), (unequal, False)):
        _, _, slope, total = owned_by(owner, name, reach, means=True)
        assert ((total - slope).abs().max() < ROUND_OFF * max(1.0, float(slope.abs().max()))) == right
        assert right or (total - slope).abs().max() > 1e-3 * slope.abs().max()


@pytest.mark.parametrize("name", LOCAL[:3])
@pytest.mark.parametrize("method", ["metis", "bisection", "spectral"])
@pytest.mark.parametrize("parts", [2, 5])
def test_any_parts_have_the_outputs_and_gradients_of_the_whole(name, method, parts):
    reach = built(NETWORKS[name]).reach
    assert reach is not None
    owner = partition(LONG[0], parts, method, positions=LONG[1]).owner
    whole, outputs, slope, total = owned_by(owner, name, reach)
    assert torch.allclose(outputs, whole, rtol=0, atol=ROUND_OFF)
    assert (total - slope).abs().max() < ROUND_OFF * max(1.0, float(slope.abs().max()))


@each
def test_weights_come_from_the_generator_alone(name):
    before = torch.get_rng_state()
    first, second, other = (built(NETWORKS[name], seed) for seed in (0, 0, 1))
    single = built(NETWORKS[name], dtype=torch.float32)
    assert torch.equal(torch.get_rng_state(), before)
    for a, b, c in zip(first.parameters(), second.parameters(), single.parameters(), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a.float(), c)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    edges, ways = tensors(*triangulated(30))
    x = features(30)
    outputs = single(x.float(), edges, ways.float())
    assert outputs.dtype == torch.float32
    assert torch.allclose(outputs.double(), first(x, edges, ways), rtol=1e-3, atol=1e-4)  # of 1e-7, a few layers on


@each
def test_every_weight_has_a_part_in_the_outputs(name):
    network, (edges, ways) = built(NETWORKS[name]), tensors(*triangulated(40))
    value = network(features(40), edges, ways).square().sum()
    names, weights = zip(*network.named_parameters(), strict=True)
    slopes = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
    without = [name for name, slope in zip(names, slopes, strict=True) if not bool(slope.any())]
    assert without == []


@each
def test_outputs_have_the_derivatives_that_differences_have(name):
    network, (edges, ways) = built(NETWORKS[name]), tensors(*triangulated(12))
    x = features(12).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, w: network(x, edges, w), (x, ways.requires_grad_()), fast_mode=True)


@each
def test_a_node_alone_and_a_graph_without_edges_are_evaluated(name):
    network = built(NETWORKS[name])
    graph = beside(triangulated(10)[0], path(1))
    edges, ways = tensors(graph, np.random.default_rng(0).random((11, 2)))
    assert bool(network(features(11), edges, ways).isfinite().all())
    none = torch.zeros((2, 0), dtype=torch.long)
    assert bool(network(features(4), none, torch.zeros((0, 3), dtype=torch.float64)).isfinite().all())


@pytest.mark.gpu
@each
def test_a_gpu_gives_the_outputs_of_the_processor(name):
    """Sums over neighbours are in another order there, and not always in the same one."""
    network, (edges, ways) = built(NETWORKS[name]), tensors(*triangulated(90))
    x, batch = features(90), torch.zeros(90, dtype=torch.long)
    truth = network(x, edges, ways, batch)
    outputs = network.to("cuda")(*(each.to("cuda") for each in (x, edges, ways, batch)))
    assert torch.allclose(outputs.cpu(), truth, rtol=0, atol=ROUND_OFF)


@each
def test_on_a_graph_that_stays_it_is_the_same(name):
    (graph, points), network = triangulated(90), built(NETWORKS[name])
    edges, ways = tensors(graph, points)
    stays, x = network.on(edges, ways), features(90)
    for each_x in (x, 2 * x):
        np.testing.assert_array_equal(stays(each_x).detach(), network(each_x, edges, ways).detach())
    assert float((stays(2 * x) - network(x, edges, ways)).detach().abs().max()) > 1e-6
