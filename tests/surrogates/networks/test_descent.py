"""Attention as descent: its step against autograd of the energy, dense; the energy falls at every block."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pinnml.surrogates.networks import GraphAttention
from pinnml.surrogates.networks.attention import _Descent
from pinnml.surrogates.networks.descent import Regression, with_itself
from pinnml.surrogates.networks.layers import softmax
from tests.helpers.graphs import beside, path, tensors, triangulated
from tests.helpers.networks_on_graphs import built, features

#: Sums of a few tens of numbers of size one.
ROUND_OFF = 1e-12


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def regression(graph, seed: int = 0, heads: int = 2, channels: int = 3) -> Regression:
    n = graph.shape[0]
    pairs = with_itself(tensors(graph, drawn(9, n, 2).numpy())[0], n)
    targets = softmax(drawn(seed, pairs.shape[1], heads), pairs[1], n)
    return Regression(pairs, targets, drawn(seed + 1, heads, channels, channels))


def dense(given: Regression, z: Tensor, head: int) -> tuple[Tensor, Tensor, Tensor]:
    """C, log s and theta of a head as matrices, s by a softmax with -infinity where there is no pair."""
    n = len(z)
    wanted, there = torch.zeros((n, n), dtype=torch.float64), torch.zeros((n, n), dtype=torch.bool)
    source, target = given.pairs
    wanted[target, source], there[target, source] = given.targets[:, head], True
    theta = given.root[head] @ given.root[head].T
    logits = (z[:, head] @ theta @ z[:, head].T).masked_fill(~there, -torch.inf)
    return wanted, logits.log_softmax(dim=1).masked_fill(~there, 0.0), theta


GRAPH = triangulated(30)[0]


def test_the_step_is_along_the_gradient_of_the_energy():
    given, z = regression(GRAPH), drawn(5, 30, 2, 3).requires_grad_()
    moved = given.descended(z) - z
    for head in range(2):
        wanted, logs, theta = dense(given, z, head)
        energy = -(wanted * logs).sum()
        assert torch.allclose(given.energy(z)[head], energy, rtol=ROUND_OFF, atol=0)
        (slope,) = torch.autograd.grad(energy, z)
        shares = torch.where(logs == 0, 0.0, logs.exp())
        shares = torch.where((wanted > 0) & (logs == 0), 1.0, shares)
        rest = wanted - shares
        flow = (rest + rest.T) @ z[:, head] @ theta
        assert torch.allclose(flow, -slope[:, head], rtol=0, atol=ROUND_OFF * float(slope.abs().max()))
        rates = moved[:, head] / flow  # one for each node
        assert torch.allclose(rates, rates[:, :1].expand(-1, 3), rtol=1e-9, atol=0)  # entries of the flow may be small
        assert (rates > 0).all()
        one_sided = rest @ z[:, head] @ theta  # attention without its transpose is no gradient
        assert (one_sided + slope[:, head]).abs().max() > 0.01 * slope.abs().max()


@pytest.mark.parametrize("size", [0.01, 0.3, 1.0, 5.0, 100.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_energy_falls_at_every_block_by_what_is_promised(size, seed):
    given, z = regression(GRAPH, seed), size * drawn(seed + 7, 30, 2, 3)
    for _ in range(20):
        free = z.clone().requires_grad_()
        (slope,) = torch.autograd.grad(given.energy(free).sum(), free)
        after = given.descended(z)
        promised = (-slope * (after - z)).sum(dim=(0, 2)) / 2
        lost = given.energy(z) - given.energy(after)
        assert (lost >= promised - 1e-12 * given.energy(z)).all()
        assert (promised > 0).all()
        z = after


def test_much_longer_steps_do_not_lower_the_energy():
    """The control: what is promised is not true of any step."""
    rises = []
    for seed in range(4):
        given, z = regression(GRAPH, seed), drawn(seed + 7, 30, 2, 3)
        longer = z + 1000 * (given.descended(z) - z)
        rises.append(bool((given.energy(longer) > given.energy(z)).any()))
    assert all(rises)


def test_pieces_and_nodes_alone_are_no_trouble():
    given = regression(beside(path(4), path(1)))
    z = drawn(5, 5, 2, 3)
    after = given.descended(z)
    assert bool(after.isfinite().all())
    assert torch.allclose(after[4], z[4], rtol=0, atol=1e-15)  # it can tell itself from no other


def test_the_energy_falls_through_a_network():
    network = built(GraphAttention(8, depth=6, heads=2, descent=True))
    assert isinstance(network, _Descent)
    edges, ways = tensors(*triangulated(60))
    given = network.regression(edges, ways, 60)
    z = network.encoder(features(60)).unflatten(1, (2, 4))
    found = [given.energy(z)]
    for _ in range(6):
        z = given.descended(z)
        found.append(given.energy(z))
    assert bool((torch.stack(found).diff(dim=0) < 0).all())
    assert torch.equal(network.decoder(z.flatten(1)), network(features(60), edges, ways))
