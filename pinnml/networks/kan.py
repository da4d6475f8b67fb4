"""Kolmogorov-Arnold networks: splines on the edges, sums at the nodes, and refinement that changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pinnml.calculus import Jet, total_order
from pinnml.calculus.functions import RULES
from pinnml.checks import choice, settle, whole_number
from pinnml.domains import Domain
from pinnml.networks.base import Basis, Coordinates, Inputs, Network, Prolong, Trace
from pinnml.networks.splines import Knots, dense, local_series, refinement

FIRST = ("spline", "linear")
NORMALISE = ("none", "tanh")
#: Where the splines of inputs and of hidden values have their knots.
INPUT_RANGE, HIDDEN_RANGE = (0.0, 1.0), (-1.0, 1.0)


class SplineLayers(Basis):
    """x_q <- sum_p sum_i W[(p, i), q] b_i(x_p), layer by layer; the functions are the splines of the last values.

    Inputs (K, n, e), functions (K, n, width * N). Beyond the knots a spline goes on as a polynomial, so that
    nothing goes dead there and refinement is exact everywhere; `normalise` keeps hidden values between them.
    """

    def __init__(self, weights: list[Tensor], knots: list[Knots], *, linear_first: bool, normalise: str):
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(weight) for weight in weights])
        for i, each in enumerate(knots):
            self.register_buffer(f"knots{i}", each.t)
        self.order, self.linear_first, self.normalise = knots[0].order, linear_first, normalise
        self.highest_order = self.order - 1

    @property
    def size(self) -> int:
        """The width of the last hidden layer times the number of splines."""
        return self.weights[-1].shape[1] * self.knots(len(self.weights)).size

    @property
    def settled(self) -> Mapping[str, Any]:
        """The intervals of the level that was reached."""
        return {"intervals": self.knots(len(self.weights)).intervals}

    def remedy(self, order: int) -> str:
        """A spline of order r has derivatives up to r - 1."""
        return f"choose order={order + 1} at least; {order + 2} makes them continuous"

    def knots(self, layer: int) -> Knots:
        """The knots of the splines of a layer's arguments, counted from 0; a linear first layer has none."""
        return Knots(self.get_buffer(f"knots{layer - self.linear_first}"), self.order)

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """The splines of the last hidden values."""
        for layer in range(len(self.weights)):
            x = self._next(x, layer, trace)
        return self._splines(x, len(self.weights))

    def remarks(self, x: Jet) -> Mapping[str, float]:
        """The share of spline arguments, at inputs (K, n, e), that lie beyond the knots."""
        x, shares = x.restricted(total_order(x.axes, 0)), []
        for layer in range(len(self.weights) + 1):
            if layer >= self.linear_first:
                inner = self.knots(layer).inner
                shares.append(((x.value < inner[0]) | (x.value > inner[-1])).double().mean())
            if layer < len(self.weights):
                x = self._next(x, layer, None)
        return {"share beyond the knots": float(torch.stack(shares).mean())}

    def refined(self) -> tuple[SplineLayers, Prolong]:
        """The same functions on knots twice as dense, and what carries the weights over."""
        layers = range(len(self.weights) + 1)
        fine = [self.knots(layer).refined() for layer in layers if layer >= self.linear_first]
        matrices = [None if layer < self.linear_first else self._matrix(layer) for layer in layers]

        def prolong(hidden: Mapping[str, Tensor], coef: Tensor) -> tuple[dict[str, Tensor], Tensor]:
            names = [f"weights.{layer}" for layer in layers[:-1]]
            carried = {name: _carried(hidden[name], p) for name, p in zip(names, matrices, strict=False)}
            return carried, _carried(coef, matrices[-1])

        hidden = {name: weight.detach() for name, weight in self.named_parameters()}
        weights = [_carried(hidden[f"weights.{layer}"], matrices[layer]) for layer in layers[:-1]]
        basis = SplineLayers(weights, fine, linear_first=self.linear_first, normalise=self.normalise)
        return basis, prolong

    def _matrix(self, layer: int) -> Tensor:
        knots = self.knots(layer)
        return refinement(knots, knots.refined())

    def _next(self, x: Jet, layer: int, trace: Trace | None) -> Jet:
        weight = self.weights[layer]
        features = x if layer < self.linear_first else self._splines(x, layer)
        z = features.coefficients @ weight
        if trace is not None:
            trace.layer(f"weights.{layer}", None, features.coefficients, z)
        z = Jet(x.indices, z)
        return z.compose(RULES["tanh"]) if self.normalise == "tanh" else z

    def _splines(self, x: Jet, layer: int) -> Jet:
        """The splines of every value, (K, n, p) to (K, n, p * N)."""
        knots = self.knots(layer)
        first, series = local_series(knots, x.value, x.indices.order)
        local = Jet(x.indices, x.coefficients.unsqueeze(-1)).compose(lambda *_: list(series))
        return local.map(lambda c: dense(first, c, knots.size).flatten(start_dim=-2))


@dataclass(frozen=True)
class KAN:
    """Settings of a Kolmogorov-Arnold network.

    width: nodes of each hidden layer; depth: hidden layers; order: of the splines, degree order - 1; intervals:
    between the ends of the knots; first: "spline" on every edge of the first layer, or "linear"; normalise: "tanh"
    keeps hidden values between the knots, "none" lets splines go on as polynomials; inputs: as for MLP.
    """

    width: int = 5
    depth: int = 1
    order: int = 4
    intervals: int = 4
    first: str = "spline"
    normalise: str = "none"
    inputs: Coordinates | None = None

    def __post_init__(self) -> None:
        settle(self, whole_number, "width", "depth", "order", "intervals")
        for name, valid in (("first", FIRST), ("normalise", NORMALISE)):
            choice(f"choice of {name}", getattr(self, name), valid)

    def build(
        self,
        domain: Domain,
        columns: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Network:
        """A fresh network with `columns` real outputs."""
        inputs, linear = Inputs(domain, self.inputs), self.first == "linear"
        on_inputs = Knots.uniform(*INPUT_RANGE, self.intervals, self.order)
        on_hidden = Knots.uniform(*HIDDEN_RANGE, self.intervals, self.order)
        knots = [on_hidden] * self.depth if linear else [on_inputs] + [on_hidden] * self.depth
        weights = [_linear(inputs.size, self.width, generator)] if linear else []
        for layer in range(len(weights), self.depth):
            before = self.width if layer else inputs.size
            weights.append(_edges(knots[layer - linear], before, self.width, generator))
        basis = SplineLayers(weights, knots, linear_first=linear, normalise=self.normalise)
        coef = _edges(on_hidden, self.width, columns, generator)
        return Network(inputs, basis, coef).to(device, dtype)

    def halved(self) -> KAN:
        """The same with half the nodes, to compare with."""
        return replace(self, width=max(self.width // 2, 1))


def _carried(weight: Tensor, matrix: Tensor | None) -> Tensor:
    """Weights (p * N, q) on the finer knots, (p * N_fine, q)."""
    if matrix is None:
        return weight
    edges = weight.unflatten(0, (-1, matrix.shape[0]))
    return torch.einsum("pcq,cf->pfq", edges, matrix).flatten(end_dim=1)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
    """Rows that carry the unit box into the range of hidden values."""
    weight = 2 * torch.rand((inputs, outputs), generator=generator, dtype=torch.float64) - 1
    return weight / weight.abs().sum(dim=0)


def _edges(knots: Knots, inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
    """Random lines on the edges, bent a little, that together stay within the range of hidden values mostly."""
    spots = torch.stack([knots.t[i + 1 : i + knots.order].mean() for i in range(knots.size)])
    low, high = knots.inner[0], knots.inner[-1]
    line = (2 * spots - low - high) / (high - low)  # the weights of the function that rises from -1 to 1
    slope = 2 * torch.rand((inputs, 1, outputs), generator=generator, dtype=torch.float64) - 1
    bent = torch.randn((inputs, knots.size, outputs), generator=generator, dtype=torch.float64)
    return ((slope * line[:, None] + BEND * bent) / inputs**0.5).flatten(end_dim=1)


#: The size of the random part of an edge beside its line.
BEND = 0.3
