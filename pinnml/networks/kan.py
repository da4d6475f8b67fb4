"""What users choose of a network of B-splines."""

from __future__ import annotations

from dataclasses import dataclass

from pinnml.errors import SettingsError
from pinnml.networks.edges import BSplines
from pinnml.networks.knots import Knots
from pinnml.networks.spline_network import SplineNetwork
from pinnml.validation import choice, positive, settle

KNOTS = ("fixed", "layer", "input", "edge")
#: Of the mean span; in smaller ones the knots of the next level would be the same but for round-off.
SMALLEST_SPAN = 1e-6


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

    def _edges(self, knots: Knots, inputs: int, outputs: int | None) -> BSplines:
        if self.knots == "fixed":
            return BSplines(knots.t[None], self.order, inputs)
        outputs = outputs if self.knots == "edge" else None
        sets = 1 if self.knots == "layer" else inputs * (outputs or 1)
        t, least = knots.t.expand(sets, -1), self.least_span / knots.intervals
        return BSplines(t, self.order, inputs, outputs=outputs, least=least)
