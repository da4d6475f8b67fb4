"""The directions in which a network can move, beside finite differences of its outputs by its parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import vector_to_parameters

from pinnml import KAN, MLP, Box, Features
from pinnml.calculus import total_order
from pinnml.networks import Wrapped
from pinnml.verification.tangents import derivatives, tangents

BOX = Box(x=(0, 2), y=(-1, 1))
SETTINGS = [
    Features(6, bandwidth=4),
    MLP(5, depth=2),
    KAN(3, depth=2, order=5, intervals=3),
    Wrapped(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3)).double()),
]


def built(settings, outputs: int = 2):
    generator = torch.Generator().manual_seed(0)
    network = settings.build(BOX, outputs, generator, torch.float64, torch.device("cpu"))
    with torch.no_grad():
        network.coef.copy_(torch.randn(network.coef.shape, generator=generator, dtype=torch.float64))
    return network, BOX.sample("interior", 40, generator, "random")


@pytest.mark.parametrize("settings", SETTINGS, ids=["features", "mlp", "kan", "wrapped"])
def test_they_are_the_derivatives_by_the_hidden_parameters(settings):
    network, sample = built(settings)
    x = network.inputs(sample.x, total_order(BOX.axes, 2))
    hidden = list(network.basis.parameters())
    theta, outputs = torch.cat([each.detach().reshape(-1) for each in hidden]), 2
    found = derivatives(network, slice(0, len(theta)), x)
    assert found.shape[-1] == outputs * len(theta) + network.basis.size
    step = 1e-4  # differences of fourth order: 1e-16 from the step, 1e-12 of rounding, times second derivatives
    for j in range(0, len(theta), max(1, len(theta) // 7)):
        values = []
        for times in (-2, -1, 1, 2):
            moved = theta.clone()
            moved[j] += times * step
            vector_to_parameters(moved, hidden)
            with torch.no_grad():
                values.append(network(x).coefficients)
        difference = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        for o in range(outputs):
            size = float(difference[..., o].abs().max())
            torch.testing.assert_close(
                found[..., o * len(theta) + j], difference[..., o], rtol=0, atol=1e-8 * (1 + size)
            )
        vector_to_parameters(theta, hidden)
    torch.testing.assert_close(found[..., outputs * len(theta) :], network.basis(x).coefficients.detach())


@pytest.mark.parametrize("settings", SETTINGS, ids=["features", "mlp", "kan", "wrapped"])
def test_those_that_are_taken_reach_all_others(settings):
    network, sample = built(settings)
    moves = tangents(network, BOX.axes, sample, 1000)
    x = network.inputs(sample.x, total_order(BOX.axes, 1))
    some = moves(x).coefficients
    assert moves.size == some.shape[-1] <= len(sample)
    whole = derivatives(network, slice(0, sum(p.numel() for p in network.basis.parameters())), x)[0]
    left = whole - some[0] @ torch.linalg.lstsq(some[0], whole).solution
    assert float(left.norm()) < 1e-6 * float(whole.norm())
    few = tangents(network, BOX.axes, sample, 5)
    assert few.size == 5
    torch.testing.assert_close(few(x).coefficients, some[..., :5])


def test_no_more_are_looked_at_than_those_next_to_the_head():
    network, sample = built(MLP(70, depth=3))
    assert tangents(network, BOX.axes, sample, 3).numbers < 2 * 4000 + network.basis.size
    assert tangents(network, BOX.axes, sample, 3).size == 3


def test_without_gradients_they_are_the_same():
    network, sample = built(MLP(5, depth=2))
    moves, indices = tangents(network, BOX.axes, sample, 10), total_order(BOX.axes, 1)
    known = moves(network.inputs(sample.x, indices)).coefficients
    with torch.inference_mode():
        found = moves(network.inputs(sample.x, indices)).coefficients
    assert torch.equal(found, known)
