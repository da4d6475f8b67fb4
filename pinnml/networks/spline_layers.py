"""Kolmogorov-Arnold networks: functions on the edges, sums at the nodes, and refinement that changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pinnml.calculus import Jet, functions, total_order
from pinnml.errors import SettingsError
from pinnml.networks.base import Basis, Marking, Prolong, Trace
from pinnml.networks.edges import Edges, Entry

#: What a hidden value is multiplied by before tanh brings it between the knots; 2 sigma(z) - 1 = tanh(z / 2).
NORMALISERS: dict[str, float | None] = {"none": None, "tanh": 1.0, "sigmoid": 0.5, "range": 1.0}

#: On the finest level: prolongation is a dense matrix.
MOST_INTERVALS = 4096


class SplineLayers(Basis):
    """x_q <- sum_p sum_i W[(p, i), q] f_i(x_p) + b_q, layer by layer; the functions are those of the last values.

    Inputs (K, n, e), functions (K, n, width * N). weights: one for each layer but the head, (p N, q), or (e, q) for a
    linear first layer, which acts on 2 x - 1 and has no edges of its own; edges: those of the others and of the head.
    Beyond the knots a spline goes on as a polynomial, so that nothing goes dead there and refinement is exact
    everywhere; `normalise` keeps hidden values between them.
    """

    def __init__(self, weights: list[Tensor], edges: list[Edges], biases: list[Tensor], *, normalise: str):
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(weight) for weight in weights])
        self.biases = nn.ParameterList([nn.Parameter(bias) for bias in biases])
        self.edges = nn.ModuleList(edges)
        self.linear_first, self.normalise = len(edges) == len(weights), normalise
        self.highest_order = edges[0].order - 1

    @property
    def size(self) -> int:
        """The width of the last hidden layer times the number of functions."""
        return self._last.inputs * self._last.size

    @property
    def numbers(self) -> int:
        """The functions that are not zero, of the layer that has most."""
        return max(edges.numbers for edges in self._edges)

    @property
    def resolution(self) -> float | None:
        """The mean number of intervals."""
        return sum(edges.intervals for edges in self._edges) / len(self.edges)

    @property
    def settled(self) -> Mapping[str, Any]:
        """The intervals of the level that was reached; one number where all layers have the same."""
        found = [edges.intervals for edges in self._edges]
        return {"intervals": found[0] if len(set(found)) == 1 else found}

    def remedy(self, order: int) -> str:
        """A spline of order r has derivatives up to r - 1."""
        return f"choose order={order + 1} at least; {order + 2} makes them continuous"

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """The functions of the last hidden values."""
        for layer in range(len(self.weights)):
            x = self._next(x, layer, trace)
        return self._last.features(x, trace, self._entry(len(self.weights)).edges)

    def outputs(self, x: Jet, coef: Tensor) -> Jet:
        """The network's outputs, the functions that are zero left out."""
        for layer in range(len(self.weights)):
            x = self._next(x, layer, None)
        return Jet(x.indices, self._last.product(x, coef, None, self._entry(len(self.weights))))

    def remarks(self, x: Jet) -> Mapping[str, float]:
        """The share of arguments of edge functions, at inputs (K, n, e), that lie beyond the knots."""
        shares = [edges.outside(values).double().mean() for edges, values in self.arguments(x)]
        return {"share beyond the knots": float(torch.stack(shares).mean())}

    def arguments(self, x: Jet) -> list[tuple[Edges, Tensor]]:
        """The edge functions of every layer with the values (n, p) that they meet, at inputs (K, n, e)."""
        x, found = x.restricted(total_order(x.axes, 0)), []
        for layer in range(len(self.weights) + 1):
            if layer >= self.linear_first:
                found.append((self._edges[layer - self.linear_first], x.value))
            if layer < len(self.weights):
                x = self._next(x, layer, None)
        return found

    def check_levels(self, times: int) -> None:
        """Refuse more intervals than can be, and finer functions that lose their digits."""
        most = max(edges.intervals for edges in self._edges)
        if times >= MOST_INTERVALS.bit_length() or most * 2**times > MOST_INTERVALS:
            got = f"{most} intervals, {times} times halved"
            cure = "choose fewer levels, or fewer intervals to begin with"
            raise SettingsError("too many levels", expected=f"{MOST_INTERVALS} intervals at most", got=got, cure=cure)
        for edges in self._edges:
            edges.check_levels(times)

    def refined(self, coef: Tensor, marking: Marking | None = None) -> tuple[SplineLayers, Tensor, Prolong]:
        """The same functions with all intervals halved, or those where squared residuals gather."""
        marks = self._marked(marking)
        pairs = [edges.split(marked) for edges, marked in zip(self._edges, marks, strict=True)]
        lengths = None
        if self.linear_first and self.normalise == "range":  # the directions' length means nothing, and has drifted
            lengths = torch.linalg.vector_norm(self.weights[0].detach(), dim=0)
        *matrices, last = [matrix for _, matrix in pairs]
        repeats = {f"edges.{i}.logits": 1 + marked.long() for i, marked in enumerate(marks)}

        def prolong(hidden: Mapping[str, Tensor], head: Tensor) -> tuple[dict[str, Tensor], Tensor]:
            carried = dict(hidden)
            for layer, matrix in enumerate(matrices, start=self.linear_first):
                carried[f"weights.{layer}"] = _carried(hidden[f"weights.{layer}"], matrix)
            if lengths is not None:
                carried["weights.0"] = carried["weights.0"] / lengths
            for name in repeats.keys() & hidden.keys():
                rows = zip(hidden[name], repeats[name], strict=True)
                carried[name] = torch.stack([row.repeat_interleave(number) for row, number in rows])
            return carried, _carried(head, last)

        hidden = {name: parameter.detach() for name, parameter in self.named_parameters()}
        carried, head = prolong(hidden, coef)
        weights = [carried[f"weights.{layer}"] for layer in range(len(self.weights))]
        biases = [bias.detach() for bias in self.biases]
        return SplineLayers(weights, [fine for fine, _ in pairs], biases, normalise=self.normalise), head, prolong

    @property
    def _edges(self) -> list[Edges]:
        return list(self.edges)  # pyright: ignore[reportReturnType]

    @property
    def _last(self) -> Edges:
        return self._edges[-1]

    def _entry(self, layer: int) -> Entry:
        return Entry(f"weights.{layer}", f"edges.{layer - self.linear_first}.logits")

    def _next(self, x: Jet, layer: int, trace: Trace | None) -> Jet:
        weight, entry, scale = self.weights[layer], self._entry(layer), NORMALISERS[self.normalise]
        if layer < self.linear_first:
            z = _linear(x, weight, trace, entry, in_range=self.normalise == "range")
            scale = None if self.normalise == "range" else scale
        else:
            z = self._edges[layer - self.linear_first].product(x, weight, trace, entry)
        if len(self.biases):
            if trace is not None:
                trace.shift(f"biases.{layer}", z)
            z = torch.cat([z[:1] + self.biases[layer], z[1:]])
        return Jet(x.indices, z) if scale is None else Jet(x.indices, scale * z).compose(functions.tanh)

    def _marked(self, marking: Marking | None) -> list[Tensor]:
        """For every layer the intervals to be halved, (sets, n): all of them without a marking."""
        if marking is None:
            return [torch.ones_like(edges.inner[:, 1:], dtype=torch.bool) for edges in self._edges]
        with torch.no_grad():
            return [_heaviest(edges, values, marking) for edges, values in self.arguments(marking.inputs)]


def _linear(x: Jet, weight: Tensor, trace: Trace | None, entry: Entry, *, in_range: bool) -> Tensor:
    """W (2 x - 1), or with columns of W brought to length 1 / sqrt(e), so that the unit box stays within -1 and 1."""
    centred = torch.cat([2 * x.coefficients[:1] - 1, 2 * x.coefficients[1:]])
    if in_range:
        weights = weight[None] if trace is None else trace.per_sample(entry.weight, weight, x.shape[0])
        weights = weights / (weights.shape[1] ** 0.5 * torch.linalg.vector_norm(weights, dim=1, keepdim=True))
        return torch.einsum("kni,nio->kno", centred, weights.expand(x.shape[0], -1, -1))
    z = centred @ weight
    if trace is not None:
        trace.layer(entry.weight, centred, z)
    return z


def _heaviest(edges: Edges, values: Tensor, marking: Marking) -> Tensor:
    """The fewest intervals in which lies the share asked for; as many of every set as of that which has most."""
    places = edges.places(values)
    sums = marking.squares.new_zeros(len(edges.inner) * edges.intervals)
    sums.index_add_(0, places.flatten(), marking.squares[:, None].expand(places.shape).flatten())
    sums = sums.view(len(edges.inner), edges.intervals)
    ordered = sums.sort(dim=1, descending=True)
    covered = ordered.values.cumsum(dim=1) < marking.share * sums.sum(dim=1, keepdim=True)
    count = min(int(covered.sum(dim=1).max()) + 1, edges.intervals)
    return torch.zeros_like(sums, dtype=torch.bool).scatter(1, ordered.indices[:, :count], True)


def _carried(weight: Tensor, matrix: Tensor) -> Tensor:
    """Weights (p N, q) on the finer knots, (p N', q), by P (p or 1, q or 1, N, N')."""
    edges = weight.unflatten(0, (-1, matrix.shape[2]))
    return torch.einsum("pcq,pqcf->pfq", edges, matrix.to(weight)).flatten(end_dim=1)
