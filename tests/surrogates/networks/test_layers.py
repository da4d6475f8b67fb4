"""Sums over neighbours against loops, and weights that come from the generator alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pinnml.surrogates.networks.layers import NeighbourMean, largest, linear, log_softmax, perceptron, softmax, summed

#: A handful of sums of a few numbers of size one, in another order.
ROUND_OFF = 1e-14
ONTO = torch.tensor([2, 0, 2, 2, 4, 0])


def values(seed: int = 0, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_sums_largest_and_softmax_are_those_of_a_loop():
    given = values(0, 6, 3)
    for i in range(5):
        mine = given[i == ONTO]
        assert torch.allclose(summed(given, ONTO, 5)[i], mine.sum(dim=0), rtol=0, atol=ROUND_OFF)
        assert torch.equal(largest(given, ONTO, 5)[i], mine.amax(dim=0) if len(mine) else torch.zeros(3).double())
        assert torch.allclose(softmax(given, ONTO, 5)[i == ONTO], mine.softmax(dim=0), rtol=0, atol=ROUND_OFF)


def test_the_logarithm_of_a_softmax_is_finite_where_that_is_zero():
    given = 1e3 * values(0, 6, 3)
    for i in (0, 2, 4):
        found = log_softmax(given, ONTO, 5)[i == ONTO]
        assert torch.allclose(found, given[i == ONTO].log_softmax(dim=0), rtol=ROUND_OFF, atol=ROUND_OFF)
    assert bool((softmax(given, ONTO, 5) == 0).any())


def test_softmax_bears_scores_of_any_size_and_has_the_right_derivative():
    assert softmax(torch.tensor([1e4, -1e4, 1e4, 0.0, -1e4, 3.0]), ONTO, 5).tolist() == [0.5, 0, 0.5, 0, 1, 1]
    scores = values(1, 6, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: softmax(s, ONTO, 5), scores)


def test_weights_are_drawn_from_the_generator_alone():
    before = torch.get_rng_state()
    first, second = (perceptron((3, 5, 2), torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [type(layer) for layer in first] == [nn.Linear, nn.Tanh, nn.Linear]


def test_weights_have_the_variance_that_is_said():
    weight = linear(300, 500, torch.Generator().manual_seed(0), scale=0.5).weight
    assert weight.std().item() == pytest.approx(0.5 * (2 / 800) ** 0.5, rel=0.02)  # 150 000 draws: 0.2 % a sigma


def test_the_mean_over_neighbours_is_that_of_a_loop():
    layer = NeighbourMean(2, 1, 4, 3, torch.Generator().manual_seed(0))
    edges = torch.tensor([[0, 1, 1, 2, 0, 2], [1, 0, 2, 1, 2, 0]])
    x, features = values(0, 4, 2), values(1, 6, 1)  # node 3 is alone
    outputs = layer(x, edges, features)

    def message(i: int, j: int, feature: torch.Tensor) -> torch.Tensor:
        return layer.message(torch.tanh(layer.of_target(x[i]) + layer.of_source(x[j]) + layer.of_edge(feature)))

    for i in range(4):
        heard = [message(i, i, torch.zeros(1).double())]
        heard += [message(i, int(edges[0, e]), features[e]) for e in range(6) if int(edges[1, e]) == i]
        assert len(heard) == (1 if i == 3 else 3)
        mean = torch.stack(heard).mean(dim=0)
        assert torch.allclose(outputs[i], layer.update(torch.cat([x[i], mean])), rtol=0, atol=ROUND_OFF)
