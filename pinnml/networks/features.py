"""What users choose of random ridge functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinnml.domains import Domain
from pinnml.networks.base import Coordinates, Inputs
from pinnml.networks.initialisation import Ridges, bandwidths
from pinnml.networks.perceptron import ACTIVATIONS, Perceptron
from pinnml.networks.settings import Settings, Specification
from pinnml.validation import choice, function, or_none, settle, whole_number


@dataclass(frozen=True)
class Features(Settings):
    """Settings of one hidden layer of `count` random ridge functions: the adaptive basis in its simplest form.

    bandwidth: the largest frequency, one number or one for each (embedded) input on the unit box; None lets the
    solver search for it. activation: sine, tanh, gaussian, relu, or "search". inputs: as for MLP. extra: further
    functions for the basis, in jet algebra, such as the singular ones of a corner:
    `lambda x, y: (torch.hypot(x, y) ** (2 / 3) * ..., ...)`. The head starts at zero. Raises SettingsError for
    settings that cannot be.
    """

    count: int = 400
    activation: str = "sine"
    bandwidth: float | Sequence[float] | None = None
    inputs: Coordinates | None = None
    extra: Coordinates | None = None

    def __post_init__(self) -> None:
        settle(self, whole_number, "count")
        super().__post_init__()
        settle(self, or_none(function), "extra")
        choice("activation", self.activation, (*ACTIVATIONS, "search"))

    def halved(self) -> Features | None:
        """The same with half the functions, to compare with; None for one function."""
        return replace(self, count=self.count // 2) if self.count > 1 else None

    def least_numbers(self, inputs: int, columns: int) -> int:
        """Directions, phases, and the head's."""
        return (inputs + 1) * self.count + (self.count + 1) * columns

    def _inputs(self, domain: Domain) -> Inputs:
        return Inputs(domain, self.inputs, self.extra)

    def _basis_and_head(self, wanted: Specification) -> tuple[Perceptron, Tensor]:
        searched = ("bandwidth",) * (self.bandwidth is None) + ("activation",) * (self.activation == "search")
        activation = "sine" if self.activation == "search" else self.activation
        bandwidth = bandwidths(self.bandwidth, wanted.inputs.size)
        ridges = replace(Ridges.draw(self.count, bandwidth, activation, wanted.generator), searched=searched)
        basis = Perceptron.from_ridges(ridges, wanted.inputs.extras)
        return basis, torch.zeros((basis.size, wanted.columns), dtype=torch.float64)
