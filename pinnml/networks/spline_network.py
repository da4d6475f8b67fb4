"""What users choose of any spline network, and how its weights are drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.networks.base import Coordinates
from pinnml.networks.edges import Edges
from pinnml.networks.initialisation import directions
from pinnml.networks.knots import Knots
from pinnml.networks.settings import Settings, Specification
from pinnml.networks.spline_layers import NORMALISERS, SplineLayers
from pinnml.validation import choice, flag, not_negative, positive, settle, whole_number

FIRST = ("spline", "linear")
#: Splines of higher order have lost their digits.
HIGHEST_ORDER = 50
#: Where the splines of inputs and of hidden values have their knots.
INPUT_RANGE, HIDDEN_RANGE = (0.0, 1.0), (-1.0, 1.0)


@dataclass(frozen=True)
class SplineNetwork(Settings):
    """Settings that both bases of a spline network share. Must define: `_edges`."""

    width: int = 5
    depth: int = 1
    order: int = 4
    intervals: int | Sequence[int] = 4
    first: str = "spline"
    normalise: str = "none"
    bias: bool = False
    inputs: Coordinates | None = None
    roughness: float = 0.3
    reach: float = 1.0
    spread: bool = False

    def __post_init__(self) -> None:
        settle(self, whole_number, "width", "depth", "order")
        settle(self, flag, "bias", "spread")
        settle(self, not_negative, "roughness")
        settle(self, positive, "reach")
        if self.order > HIGHEST_ORDER:
            cure = "splines of order 4 to 12 serve; write order=8, and more intervals"
            raise SettingsError("order", expected=f"at most {HIGHEST_ORDER}", got=self.order, cure=cure)
        super().__post_init__()
        for name, valid in (("first", FIRST), ("normalise", NORMALISERS)):
            choice(f"choice of {name}", getattr(self, name), valid)
        if self.normalise == "range" and self.first != "linear":
            cure = "write first='linear', or normalise='tanh'"
            raise SettingsError("normalise='range'", expected="a linear first layer", got=self.first, cure=cure)
        layers = self.depth + (self.first == "spline")
        several = isinstance(self.intervals, Iterable) and not isinstance(self.intervals, str)
        each = list(self.intervals) if several else [self.intervals] * layers  # pyright: ignore[reportArgumentType]
        each = [whole_number("intervals", number) for number in each]
        object.__setattr__(self, "intervals", tuple(each) if several else each[0])
        if len(each) != layers:
            cure = "write one number for all layers, or one for each layer of splines, the head's included"
            raise SettingsError("intervals", expected=f"{layers} numbers", got=self.intervals, cure=cure)

    def halved(self) -> Self | None:
        """The same with half the nodes, to compare with; None for one node."""
        return replace(self, width=self.width // 2) if self.width > 1 else None

    def least_numbers(self, inputs: int, columns: int) -> int:
        """Weights of all layers; knots that are trained come on top."""
        sizes = list(pairwise([inputs] + [self.width] * self.depth + [columns]))
        splines = [n + self.order - 1 for n in self._intervals()]
        per_edge = [1] * (self.first == "linear") + splines
        return sum(before * each * after for (before, after), each in zip(sizes, per_edge, strict=True))

    def _basis_and_head(self, wanted: Specification) -> tuple[SplineLayers, Tensor]:
        linear, generator, knots = self.first == "linear", wanted.generator, self._knots()
        sizes = list(pairwise([wanted.inputs.size] + [self.width] * self.depth + [wanted.columns]))
        layers = list(zip(knots, sizes[linear:], strict=True))
        weights = [self._linear(*sizes[0], generator)] if linear else []
        weights += [self._drawn(each, before, after, generator) for each, (before, after) in layers]
        edges = [self._edges(each, before, after) for each, (before, after) in layers[:-1]]
        edges.append(self._edges(knots[-1], self.width, None))
        biases = [torch.zeros(self.width, dtype=torch.float64) for _ in range(self.depth * self.bias)]
        return SplineLayers(weights[:-1], edges, biases, normalise=self.normalise), weights[-1]

    def _linear(self, inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
        """A first layer (e, k) that carries the unit box to the ends of the knots, or `reach` into the normaliser."""
        uniform = 2 * torch.rand((inputs, outputs), generator=generator, dtype=torch.float64) - 1
        weight = directions(inputs, outputs, generator) if self.spread else uniform
        reach = self.reach if self.normalise in ("tanh", "sigmoid") else 1.0
        return reach * weight / weight.abs().sum(dim=0)

    def _drawn(self, knots: Knots, inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
        """Random lines on the edges, nearly straight, that together stay within the range of hidden values mostly."""
        low, high = knots.inner[0], knots.inner[-1]
        line = (2 * knots.spots - low - high) / (high - low)  # the weights of the function that rises from -1 to 1
        slope = 2 * torch.rand((inputs, 1, outputs), generator=generator, dtype=torch.float64) - 1
        rough = torch.randn((inputs, knots.size, outputs), generator=generator, dtype=torch.float64)
        return ((slope * line[:, None] + self.roughness * rough) / inputs**0.5).flatten(end_dim=1)

    def _knots(self) -> list[Knots]:
        """The knots of every layer that has edge functions."""
        ranges = [INPUT_RANGE] * (self.first == "spline") + [HIDDEN_RANGE] * self.depth
        return [Knots.uniform(*ends, n, self.order) for ends, n in zip(ranges, self._intervals(), strict=True)]

    def _intervals(self) -> Sequence[int]:
        """Those of every layer that has edge functions."""
        layers = self.depth + (self.first == "spline")
        return self.intervals if isinstance(self.intervals, Sequence) else [self.intervals] * layers

    @abstractmethod
    def _edges(self, knots: Knots, inputs: int, outputs: int | None) -> Edges:
        """The functions of a layer; outputs: None for the head, whose functions are shared."""
