"""Pieces that networks on graphs are made of: sums over neighbours, perceptrons drawn from a generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def summed(values: Tensor, onto: Tensor, n: int) -> Tensor:
    """y_i = sum of the values (m, ...) whose `onto` (m,) is i, (n, ...)."""
    return values.new_zeros((n, *values.shape[1:])).index_add(0, onto, values)


def largest(values: Tensor, onto: Tensor, n: int) -> Tensor:
    """y_i = max of the values (m, ...) whose `onto` (m,) is i, (n, ...); 0 where there are none."""
    index = onto.view(-1, *[1] * (values.ndim - 1)).expand_as(values)
    return values.new_zeros((n, *values.shape[1:])).scatter_reduce(0, index, values, "amax", include_self=False)


def softmax(scores: Tensor, onto: Tensor, n: int) -> Tensor:
    """exp(s_e) / sum of exp(s) over the edges with the same `onto`, (m, ...), for scores (m, ...).

    The largest score is taken off neighbourhood by neighbourhood, so that nothing depends on edges elsewhere.
    """
    weights = (scores - largest(scores.detach(), onto, n)[onto]).exp()
    return weights / summed(weights, onto, n)[onto]


def log_softmax(scores: Tensor, onto: Tensor, n: int) -> Tensor:
    """The logarithm of `softmax`, finite where that is 0 to rounding, (m, ...)."""
    below = scores - largest(scores.detach(), onto, n)[onto]
    return below - summed(below.exp(), onto, n).log()[onto]


def linear(
    inputs: int, outputs: int, generator: torch.Generator, scale: float = 1.0, *, bias: bool = True
) -> nn.Linear:
    """A W + b, W ~ scale N(0, 2 / (inputs + outputs)), b = 0, float64, drawn from the generator alone."""
    layer = nn.Linear(inputs, outputs, bias, device="meta")  # on which nothing is drawn
    weight = torch.randn((outputs, inputs), generator=generator, dtype=torch.float64)
    layer.weight = nn.Parameter(weight * scale * math.sqrt(2 / max(inputs + outputs, 1)))
    if bias:
        layer.bias = nn.Parameter(torch.zeros(outputs, dtype=torch.float64))
    return layer


def perceptron(
    sizes: Sequence[int], generator: torch.Generator, activation: type[nn.Module] = nn.Tanh
) -> nn.Sequential:
    """Linear layers from sizes[0] to sizes[-1], with an activation between two of them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [linear(before, after, generator), activation()]
    return nn.Sequential(*layers[:-1])


class NeighbourMean(nn.Module):
    """y_i = f(x_i, mean over j of i and its neighbours of g(x_i, x_j, edge features)), perceptrons f and g; one hop.

    x (n, inputs), edges (2, m), edge features (m, edge_inputs) -> (n, outputs); a node is its own neighbour with edge
    features 0. Source: encoder and decoder of bracket-based networks (Gruber, Lee, Trask, arXiv:2305.15616).
    """

    def __init__(self, inputs: int, edge_inputs: int, width: int, outputs: int, generator: torch.Generator):
        super().__init__()
        # g = V tanh(A x_i + B x_j + C e): its first layer acts on nodes, and its last one on the mean
        self.of_target, self.of_source = linear(inputs, width, generator), linear(inputs, width, generator)
        self.of_edge = linear(edge_inputs, width, generator)
        self.message = linear(width, width, generator)
        self.update = perceptron((inputs + width, width, outputs), generator)

    def forward(self, x: Tensor, edges: Tensor, edge_features: Tensor) -> Tensor:
        """The outputs (n, outputs)."""
        n, (source, target) = len(x), edges
        at_target, at_source = self.of_target(x), self.of_source(x)
        heard = torch.tanh(self.of_edge(edge_features) + at_source[source] + at_target[target])
        own = torch.tanh(self.of_edge.bias + at_source + at_target)
        count = summed(torch.ones_like(heard[:, :1]), target, n) + 1
        return self.update(torch.cat([x, self.message((summed(heard, target, n) + own) / count)], dim=1))
