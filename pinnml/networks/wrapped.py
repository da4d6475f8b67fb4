"""Any module of the user's as a network."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pinnml.calculus import Jet, autodiff
from pinnml.errors import CouplingError, SettingsError
from pinnml.networks.base import Basis, Coordinates, Trace
from pinnml.networks.settings import Settings, Specification


@dataclass(frozen=True)
class Wrapped(Settings):
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
        super().__post_init__()

    def halved(self) -> None:
        """There is no half of a module."""
        return None

    def _basis_and_head(self, wanted: Specification) -> tuple[Foreign, Tensor]:
        """A copy of the module, and the identity."""
        module, columns = copy.deepcopy(self.module).to(wanted.device, wanted.dtype), wanted.columns
        _freeze(module)
        size = _output_size(module, wanted)
        if size < columns:
            expected = f"at least {columns}, one for each real column of the fields"
            cure = f"give its last layer {columns} outputs or more"
            raise SettingsError("the wrapped module has too few outputs", expected=expected, got=size, cure=cure)
        return Foreign(module, size), torch.eye(size, columns, dtype=torch.float64)


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


def _output_size(module: nn.Module, wanted: Specification) -> int:
    """The number of outputs of a module that has been seen to take the inputs row by row."""
    inputs = wanted.inputs.size
    rows = torch.linspace(0, 1, 4 * inputs, dtype=wanted.dtype, device=wanted.device).view(4, inputs)
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
