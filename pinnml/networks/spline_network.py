"""What users choose of spline networks: frozen settings, and how weights are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from pinnml.domains import Domain
from pinnml.errors import SettingsError
from pinnml.networks.base import Coordinates, Inputs, Network
from pinnml.networks.edges import BSplines, Edges, PowerReLUs
from pinnml.networks.initialisation import directions
from pinnml.networks.knots import Knots
from pinnml.networks.nesting import change_of_basis, check_digits
from pinnml.networks.spline_layers import NORMALISERS, SplineLayers
from pinnml.validation import choice, flag, function, not_negative, or_none, positive, settle, whole_number

FIRST = ("spline", "linear")
KNOTS = ("fixed", "layer", "input", "edge")
#: Of the mean span; in smaller ones the knots of the next level would be the same but for round-off.
SMALLEST_SPAN = 1e-6
#: Where the splines of inputs and of hidden values have their knots.
INPUT_RANGE, HIDDEN_RANGE = (0.0, 1.0), (-1.0, 1.0)


@dataclass(frozen=True)
class SplineNetwork(ABC):
    """Settings that both bases of a spline network share. Must define: `_edges`, `_from_splines`, `_check_digits`."""

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
        settle(self, or_none(function), "inputs")
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
        knots = self._knots()
        self._check_digits(knots, dtype)
        sizes = list(pairwise([inputs.size] + [self.width] * self.depth + [columns]))
        layers = list(zip(knots, sizes[linear:], strict=True))
        weights = [self._linear(*sizes[0], generator)] if linear else []
        for each, (before, after) in layers:
            weights.append(self._from_splines(self._drawn(each, before, after, generator), each, after))
        edges = [self._edges(each, before, after) for each, (before, after) in layers[:-1]]
        edges.append(self._edges(knots[-1], self.width, None))
        biases = [torch.zeros(self.width, dtype=torch.float64) for _ in range(self.depth * self.bias)]
        basis = SplineLayers(weights[:-1], edges, biases, normalise=self.normalise)
        return Network(inputs, basis, weights[-1]).to(device, dtype)

    def halved(self) -> Self | None:
        """The same with half the nodes, to compare with; None for one node."""
        return replace(self, width=self.width // 2) if self.width > 1 else None

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
        each = self.intervals if isinstance(self.intervals, Sequence) else [self.intervals] * len(ranges)
        return [Knots.uniform(*ends, n, self.order) for ends, n in zip(ranges, each, strict=True)]

    @abstractmethod
    def _check_digits(self, knots: list[Knots], dtype: torch.dtype) -> None:
        """Refuse what a basis cannot represent in this precision."""

    @abstractmethod
    def _edges(self, knots: Knots, inputs: int, outputs: int | None) -> Edges:
        """The functions of a layer; outputs: None for the head, whose functions are shared."""

    @abstractmethod
    def _from_splines(self, weight: Tensor, knots: Knots, outputs: int) -> Tensor:
        """The weights (p N, q) of the same function in this basis, from those of B-splines."""


@dataclass(frozen=True)
class KAN(SplineNetwork):
    """Settings of a Kolmogorov-Arnold network of B-splines.

    width: nodes of each hidden layer; depth: hidden layers; order: of the splines, degree order - 1; intervals:
    between the ends of the knots, one number or one for each layer of splines; first: "spline" on every edge of the
    first layer, or "linear"; normalise: "tanh" or "sigmoid" (2 sigmoid - 1) keeps hidden values between the knots,
    "range" the directions of a linear first layer, and values behind splines as "tanh" does, "none" lets splines go on
    as polynomials; bias: one for each hidden node, with which values may leave again; inputs: as for MLP; roughness:
    splines begin as lines with a random part of this size; reach: how far a linear first layer carries the box into
    tanh, or sigmoid, at the start; spread: whether its directions are as far apart as can be. knots: "fixed", or
    trained: one set for each "layer", "input" or "edge" (the head has one for each input at most); least_span: the
    smallest span of trained knots, as a part of the mean one. Raises SettingsError for settings that cannot be.
    """

    knots: str = "fixed"
    least_span: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("choice of knots", self.knots, KNOTS)
        settle(self, positive, "least_span")
        if not SMALLEST_SPAN <= self.least_span < 1:
            cure = "leave it out for a tenth of the mean span"
            expected = f"a number from {SMALLEST_SPAN:g} to 1, less than 1"
            raise SettingsError("least_span", expected=expected, got=repr(self.least_span), cure=cure)

    def _check_digits(self, knots: list[Knots], dtype: torch.dtype) -> None:
        """Local pieces keep their digits in either precision."""

    def _edges(self, knots: Knots, inputs: int, outputs: int | None) -> BSplines:
        if self.knots == "fixed":
            return BSplines(knots.t[None], self.order, inputs)
        outputs = outputs if self.knots == "edge" else None
        sets = 1 if self.knots == "layer" else inputs * (outputs or 1)
        t, least = knots.t.expand(sets, -1), self.least_span / knots.intervals
        return BSplines(t, self.order, inputs, outputs=outputs, least=least)

    def _from_splines(self, weight: Tensor, knots: Knots, outputs: int) -> Tensor:
        return weight


@dataclass(frozen=True)
class MultichannelMLP(SplineNetwork):
    """Settings of the same network in the power-ReLU basis: a perceptron with N channels for each node.

    Options as of KAN but for trained knots, and from the same seed the same function; the geometry that a gradient
    solver sees is another (arXiv:2603.04827, section 3), worse conditioned. Raises SettingsError for settings that
    cannot be, and where rounding would lose more than a thousandth of a spline, in double precision a ten-millionth,
    here and on finer levels.
    """

    def _edges(self, knots: Knots, inputs: int, outputs: int | None) -> PowerReLUs:
        return PowerReLUs(knots.t, self.order, inputs)

    def _from_splines(self, weight: Tensor, knots: Knots, outputs: int) -> Tensor:
        """W = A^T u with functions scaled by h^(1-r), on every edge."""
        a = knots.spacing ** (self.order - 1) * change_of_basis(knots)
        return torch.einsum("piq,ij->pjq", weight.view(-1, knots.size, outputs), a).flatten(end_dim=1)

    def _check_digits(self, knots: list[Knots], dtype: torch.dtype) -> None:
        for each in knots:
            check_digits(each, dtype)
