"""Networks that follow each other in time are one: values, derivatives, and who owns an edge."""

from __future__ import annotations

from itertools import pairwise

import torch

from pinnml import MLP, Box, Features
from pinnml.calculus import total_order
from pinnml.networks import joined_in_time

DOMAIN, EDGES = Box(x=(0, 1), t=(0, 3)), (0.0, 1.0, 3.0)


def networks(settings=None):
    """A network for each of two windows."""
    settings = settings or (Features(7, bandwidth=3), MLP(5, 1, "tanh"))
    built = []
    for number, (each, ends) in enumerate(zip(settings, pairwise(EDGES), strict=True)):
        generator = torch.Generator().manual_seed(number)
        network = each.build(DOMAIN.during(*ends), 2, generator, torch.float64, torch.device("cpu"))
        network.coef.data = torch.randn(network.coef.shape, generator=generator, dtype=torch.float64)
        built.append(network)
    return built


def test_every_point_has_the_values_and_derivatives_of_its_own_window():
    parts = networks()
    joined = joined_in_time(parts, EDGES, DOMAIN.axes, "t")
    x = DOMAIN.sample("interior", 50, torch.Generator().manual_seed(5)).x
    indices = total_order(DOMAIN.axes, 2)
    found = joined(joined.inputs(x, indices)).coefficients
    for part, own in zip(parts, (x[:, 1] <= 1, x[:, 1] > 1), strict=True):
        torch.testing.assert_close(found[:, own], part(part.inputs(x[own], indices)).coefficients, rtol=0, atol=0)


def test_an_edge_belongs_to_the_earlier_window_and_what_is_outside_to_the_nearest():
    basis = joined_in_time(networks(), EDGES, DOMAIN.axes, "t").basis
    t = torch.tensor([-1.0, 0.0, 1.0, 1.0 + 1e-12, 3.0, 4.0], dtype=torch.float64)
    assert basis.window(t).tolist() == [0, 0, 0, 1, 1, 1]


def test_points_of_one_window_alone_ask_no_other_network():
    first, second = networks()
    second.coef.data[:] = torch.nan
    joined = joined_in_time([first, second], EDGES, DOMAIN.axes, "t")
    x = torch.tensor([[0.5, 0.2]], dtype=torch.float64)
    assert bool(torch.isfinite(joined(joined.inputs(x, total_order(DOMAIN.axes, 1))).coefficients).all())
