"""A network with further functions beside it is the network itself until they are used."""

from __future__ import annotations

import pytest
import torch

from pinnml import KAN, MLP, Box, Features
from pinnml.calculus import total_order
from pinnml.networks import enriched

BOX = Box(x=(0, 2), y=(-1, 1))


def built(settings, outputs: int, generator: torch.Generator):
    return settings.build(BOX, outputs, generator, torch.float64, torch.device("cpu"))


@pytest.mark.parametrize("settings", [Features(9), MLP(5, depth=2), KAN(3, depth=2, intervals=4)])
def test_it_begins_as_the_network_with_all_derivatives(settings):
    generator = torch.Generator().manual_seed(0)
    network, further = (built(each, 2, generator) for each in (settings, Features(7)))
    both = enriched(network, further.basis)
    x = BOX.sample("interior", 11, generator, "random").x
    indices = total_order(BOX.axes, 2)
    first, second = (each(each.inputs(x, indices)).coefficients for each in (network, both))
    torch.testing.assert_close(second, first, rtol=1e-13, atol=1e-13)
    assert both.coef.shape == (further.basis.size + 2, 2)


def test_the_further_functions_stand_in_front():
    generator = torch.Generator().manual_seed(0)
    network, further = built(MLP(5), 1, generator), built(Features(7), 1, generator)
    both = enriched(network, further.basis)
    x = BOX.sample("interior", 5, generator, "random").x
    inputs = both.inputs(x, total_order(BOX.axes, 1))
    values = both.basis(inputs).coefficients
    torch.testing.assert_close(values[..., : further.basis.size], further.basis(inputs).coefficients)
    torch.testing.assert_close(values[..., further.basis.size :], network(inputs).coefficients)
    assert list(both.basis.parameters()) == []  # nothing of it is trained
