"""What users choose: frozen settings that build a fresh network for a domain."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from pinnml.calculus import Jet, autodiff
from pinnml.domains import Domain
from pinnml.errors import CouplingError, SettingsError
from pinnml.networks import initialisation
from pinnml.networks.base import Basis, Coordinates, Inputs, Network, Trace
from pinnml.networks.initialisation import Layer, Ridges
from pinnml.networks.perceptron import ACTIVATIONS, Perceptron
from pinnml.validation import choice, flag, function, or_none, settle, whole_number

INITIALISATIONS = ("glorot", "siren", "box")
#: The bandwidth of ridge functions on the unit box when none is given: a few waves across a side.
DEFAULT_BANDWIDTH = 8.0


class NetworkSettings(Protocol):
    """Met by MLP, Features, Wrapped and whatever can build a network."""

    def build(
        self,
        domain: Domain,
        columns: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Network:
        """A fresh network with `columns` real outputs. Weights are drawn on the CPU in float64, then moved."""
        ...

    def halved(self) -> NetworkSettings | None:
        """Settings of a network of half the size, to compare with; None where there is no such thing."""
        ...


@dataclass(frozen=True)
class MLP:
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
        settle(self, or_none(function), "inputs")
        for name, valid in (("activation", ACTIVATIONS), ("init", INITIALISATIONS)):
            if getattr(self, name) is not None:
                choice(name, getattr(self, name), valid)
        if self.residual and self.depth < 2:
            cure = "raise depth, or leave residual out"
            raise SettingsError("a residual network", expected="depth of 2 or more", got=self.depth, cure=cure)
        if self.bandwidth is not None and self._chosen()[1] != "siren":
            raise SettingsError(
                "bandwidth",
                expected="init='siren', whose first layer it scales",
                got=f"init={self._chosen()[1]!r}",
                cure="leave bandwidth out, or choose that init",
            )

    def build(
        self,
        domain: Domain,
        columns: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Network:
        """A fresh network with `columns` real outputs; the head is drawn with variance 2 / (k + columns)."""
        activation, init = self._chosen()
        inputs = Inputs(domain, self.inputs)
        ridges = None
        if init == "siren":
            ridges = _ridges(self.width, self.bandwidth, activation, inputs.size, generator)
        layers = [ridges.layer() if ridges else self._layer(init, 1, inputs.size, generator)]
        layers += [self._layer(init, layer, self.width, generator) for layer in range(2, self.depth + 1)]
        basis = Perceptron(layers, activation, residual=self.residual, ridges=ridges if self.depth == 1 else None)
        coef = torch.randn((basis.size, columns), generator=generator, dtype=torch.float64)
        return Network(inputs, basis, coef * math.sqrt(2 / (basis.size + columns))).to(device, dtype)

    def halved(self) -> MLP | None:
        """The same with half the width, to compare with; None for one neuron."""
        return replace(self, width=self.width // 2) if self.width > 1 else None

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


@dataclass(frozen=True)
class Features:
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
        settle(self, or_none(function), "inputs", "extra")
        choice("activation", self.activation, (*ACTIVATIONS, "search"))

    def build(
        self,
        domain: Domain,
        columns: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Network:
        """A fresh network with `columns` real outputs."""
        inputs = Inputs(domain, self.inputs, self.extra)
        searched = ("bandwidth",) * (self.bandwidth is None) + ("activation",) * (self.activation == "search")
        activation = "sine" if self.activation == "search" else self.activation
        ridges = _ridges(self.count, self.bandwidth, activation, inputs.size, generator)
        basis = Perceptron.from_ridges(replace(ridges, searched=searched), inputs.extras)
        coef = torch.zeros((basis.size, columns), dtype=torch.float64)
        return Network(inputs, basis, coef).to(device, dtype)

    def halved(self) -> Features | None:
        """The same with half the functions, to compare with; None for one function."""
        return replace(self, count=self.count // 2) if self.count > 1 else None


@dataclass(frozen=True)
class Wrapped:
    """Any nn.Module (n, e) -> (n, k) as a network: its outputs are the basis, followed by a trainable coef.

    The module is copied at every build, and its parameters with requires_grad=False are not trained; its inputs are
    the coordinates on the unit box, or those of `inputs`. The head starts at the identity. Raises SettingsError
    where the module gives fewer outputs than the problem has columns, or not one row a sample, and CouplingError
    where its rows depend on each other.
    """

    module: nn.Module
    inputs: Coordinates | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            cure = "give an instance, such as Wrapped(nn.Sequential(...))"
            raise SettingsError("the wrapped module", expected="an nn.Module", got=repr(self.module), cure=cure)
        settle(self, or_none(function), "inputs")

    def build(
        self,
        domain: Domain,
        columns: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Network:
        """A network around a copy of the module."""
        inputs = Inputs(domain, self.inputs)
        module = copy.deepcopy(self.module).to(device, dtype)
        _freeze(module)
        size = _output_size(module, inputs.size, dtype, device)
        if size < columns:
            raise SettingsError(
                "the wrapped module has too few outputs",
                expected=f"at least {columns}, one for each real column of the fields",
                got=size,
                cure=f"give its last layer {columns} outputs or more",
            )
        coef = torch.eye(size, columns, dtype=torch.float64)
        return Network(inputs, Foreign(module, size), coef).to(device, dtype)

    def halved(self) -> None:
        """There is no half of a module."""
        return None


class Foreign(Basis):
    """A module of the user's as a basis; its jets come from nested automatic differentiation."""

    one_pass = False

    def __init__(self, module: nn.Module, size: int):
        super().__init__()
        self.module, self._size = module, size

    @property
    def size(self) -> int:
        """The number of outputs of the module."""
        return self._size

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """The module's outputs and their derivatives."""
        return autodiff.push(self.module, x)


def _freeze(module: nn.Module) -> None:
    """Make buffers of the parameters that are not to be trained, so that no theta holds them."""
    for part in module.modules():
        frozen = {name: p for name, p in part.named_parameters(recurse=False) if not p.requires_grad}
        for name, parameter in frozen.items():
            delattr(part, name)
            part.register_buffer(name, parameter.detach())


def _output_size(module: nn.Module, inputs: int, dtype: torch.dtype, device: torch.device) -> int:
    """The number of outputs of a module that has been seen to take the inputs row by row."""
    rows = torch.linspace(0, 1, 4 * inputs, dtype=dtype, device=device).view(4, inputs)
    expected = f"(4, k) for inputs (4, {inputs})"
    try:
        with torch.no_grad():
            output, halves = module(rows), [module(rows[:2]), module(rows[2:])]
    except (RuntimeError, ValueError) as error:
        cure = f"give its first layer {inputs} inputs, one for each axis (a periodic axis has two)"
        message = "the wrapped module does not take the inputs"
        raise SettingsError(message, expected=expected, got=error, cure=cure) from error
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != 4:
        got = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise SettingsError("the wrapped module", expected=expected, got=got, cure="return one row a sample")
    if not torch.allclose(output, torch.cat(halves), rtol=1e-4, atol=1e-5):
        raise CouplingError(
            "the wrapped module mixes samples, or gives other values at every call",
            expected="outputs that depend on their own row of inputs alone",
            cure="call module.eval() first (batch normalisation, dropout), or leave such layers out",
        )
    return output.shape[1]


def _ridges(
    count: int,
    bandwidth: float | Sequence[float] | None,
    activation: str,
    inputs: int,
    generator: torch.Generator,
) -> Ridges:
    values = DEFAULT_BANDWIDTH if bandwidth is None else bandwidth
    try:
        vector = torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        vector = torch.zeros(0)
    if vector.ndim == 0:
        vector = vector.expand(inputs).clone()
    if vector.shape != (inputs,) or not bool(((vector > 0) & vector.isfinite()).all()):
        raise SettingsError(
            "bandwidth",
            expected=f"a number above 0, or one for each of the {inputs} inputs (a periodic axis has two)",
            got=bandwidth,
            cure="write bandwidth=8.0, or a list such as (8.0, 16.0)",
        )
    return Ridges.draw(count, vector, activation, generator)
