"""What users choose of a multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.networks import initialisation
from pinnml.networks.base import Coordinates
from pinnml.networks.initialisation import Layer, Ridges, bandwidths
from pinnml.networks.perceptron import ACTIVATIONS, Perceptron
from pinnml.networks.settings import Settings, Specification
from pinnml.validation import choice, flag, settle, whole_number

INITIALISATIONS = ("glorot", "siren", "box")


@dataclass(frozen=True)
class MLP(Settings):
    """Settings of a multilayer perceptron.

    width: neurons of each hidden layer; depth: hidden layers; activation: sine, tanh, gaussian or relu (default
    sine for one layer, else tanh); init: glorot, siren or box (default siren for sine, else glorot); residual:
    skip connections from the second layer on; bandwidth: the largest first-layer weight of a siren network, one
    number or one for each input; inputs: a map of the coordinates, in jet algebra, such as
    `lambda x, t: (torch.asinh(x / 0.01), t)`. Raises SettingsError for settings that cannot be.
    """

    width: int = 32
    depth: int = 2
    activation: str | None = None
    init: str | None = None
    residual: bool = False
    bandwidth: float | Sequence[float] | None = None
    inputs: Coordinates | None = None

    def __post_init__(self) -> None:
        settle(self, whole_number, "width", "depth")
        settle(self, flag, "residual")
        super().__post_init__()
        for name, valid in (("activation", ACTIVATIONS), ("init", INITIALISATIONS)):
            if getattr(self, name) is not None:
                choice(name, getattr(self, name), valid)
        if self.residual and self.depth < 2:
            cure = "raise depth, or leave residual out"
            raise SettingsError("a residual network", expected="depth of 2 or more", got=self.depth, cure=cure)
        if self.bandwidth is not None and self._chosen()[1] != "siren":
            expected, cure = "init='siren', whose first layer it scales", "leave bandwidth out, or choose that init"
            raise SettingsError("bandwidth", expected=expected, got=f"init={self._chosen()[1]!r}", cure=cure)

    def halved(self) -> MLP | None:
        """The same with half the width, to compare with; None for one neuron."""
        return replace(self, width=self.width // 2) if self.width > 1 else None

    def least_numbers(self, inputs: int, columns: int) -> int:
        """Weights, biases, and the head's."""
        hidden = (inputs + 1) * self.width + (self.depth - 1) * (self.width + 1) * self.width
        return hidden + (self.width + 1) * columns

    def _basis_and_head(self, wanted: Specification) -> tuple[Perceptron, Tensor]:
        """The head is drawn with variance 2 / (k + columns)."""
        activation, init = self._chosen()
        inputs, generator = wanted.inputs.size, wanted.generator
        ridges = None
        if init == "siren":
            ridges = Ridges.draw(self.width, bandwidths(self.bandwidth, inputs), activation, generator)
        layers = [ridges.layer() if ridges else self._layer(init, 1, inputs, generator)]
        layers += [self._layer(init, layer, self.width, generator) for layer in range(2, self.depth + 1)]
        basis = Perceptron(layers, activation, residual=self.residual, ridges=ridges if self.depth == 1 else None)
        coef = torch.randn((basis.size, wanted.columns), generator=generator, dtype=torch.float64)
        return basis, coef * math.sqrt(2 / (basis.size + wanted.columns))

    def _chosen(self) -> tuple[str, str]:
        """The activation and the initialisation, defaults filled in."""
        activation = self.activation or ("sine" if self.depth == 1 else "tanh")
        return activation, self.init or ("siren" if activation == "sine" else "glorot")

    def _layer(self, init: str, layer: int, before: int, generator: torch.Generator) -> Layer:
        if init == "glorot":
            return initialisation.glorot(before, self.width, generator, first=layer == 1)
        if init == "siren":
            return initialisation.siren(before, self.width, generator)
        if self.residual and layer > 1:
            return initialisation.residual_box(layer, self.depth, self.width, generator)
        return initialisation.box(before, self.width, generator)
