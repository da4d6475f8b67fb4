"""Fully connected networks as a basis: any number of layers, plain or residual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pinnml.calculus import Jet, common_slopes, functions, ridge_functions
from pinnml.networks.base import Basis, Trace
from pinnml.networks.initialisation import Layer, Ridges

ACTIVATIONS: dict[str, functions.Rule] = {
    "sine": functions.sin,
    "tanh": functions.tanh,
    "gaussian": functions.gaussian,
    "relu": functions.relu,
}
#: Numbers of functions at points from which on it is worth looking whether the inputs are affine in the point.
MANY = 2**14


class Perceptron(Basis):
    """a_0 = x, a_l = f(a_(l-1) W_l + b_l) (plus a_(l-1) in a residual network), and a constant: k = width + 1.

    Inputs (K, n, e), functions (K, n, k). `ridges` is what a one-layer network was drawn from; the last `extras`
    inputs are functions themselves, and pass the layers by.
    """

    def __init__(
        self,
        layers: list[Layer],
        activation: str,
        *,
        residual: bool = False,
        ridges: Ridges | None = None,
        extras: int = 0,
    ):
        super().__init__()
        self.extras = extras
        self.weights = nn.ParameterList([nn.Parameter(weight) for weight, _ in layers])
        self.biases = nn.ParameterList([nn.Parameter(bias) for _, bias in layers])
        self.activation, self.residual, self.ridges = activation, residual, ridges
        self.highest_order = 1 if activation == "relu" else None

    @classmethod
    def from_ridges(cls, ridges: Ridges, extras: int) -> Perceptron:
        """The one-layer network of these ridge functions, and extras."""
        return cls([ridges.layer()], ridges.activation, ridges=ridges, extras=extras)

    @property
    def size(self) -> int:
        """The width of the last layer, one for the constant, and the extras."""
        return len(self.biases[-1]) + 1 + self.extras

    @property
    def settled(self) -> Mapping[str, Any]:
        """The activation and bandwidth of ridge functions, which a solver may have searched for."""
        if self.ridges is None:
            return {}
        return {"activation": self.ridges.activation, "bandwidth": self.ridges.bandwidth.tolist()}

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """The last layer's activations, the constant 1, and the extras."""
        inputs = x.coefficients.shape[-1] - self.extras
        passed, x = x.coefficients[..., inputs:], x.map(lambda c: c[..., :inputs])
        is_plain = trace is None and len(self.weights) == 1 and len(x.value) * self.size >= MANY
        if is_plain and (slopes := common_slopes(x)) is not None:
            return self._of_ridges(x, slopes, passed)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            branch = _affine(x, weight, bias, trace, i).compose(ACTIVATIONS[self.activation])
            x = Jet(x.indices, x.coefficients + branch.coefficients) if self.residual and i else branch
        one = torch.zeros_like(x.coefficients[..., :1])
        one[0] = 1.0
        return Jet(x.indices, torch.cat([x.coefficients, one, passed], dim=-1))

    def _of_ridges(self, x: Jet, slopes: Tensor, passed: Tensor) -> Jet:
        """The same of one layer at inputs that are affine in the point."""
        weight, bias = self.weights[0], self.biases[0]
        rule, width = ACTIVATIONS[self.activation], len(bias)
        found = ridge_functions(x.indices, x.value @ weight + bias, slopes @ weight, rule, room=self.size - width)
        found[0, :, width] = 1.0
        found[..., width + 1 :] = passed
        return Jet(x.indices, found)


def _affine(a: Jet, weight: Tensor, bias: Tensor, trace: Trace | None, layer: int) -> Jet:
    """Z = a W + b, the bias on the value alone; noted in the trace."""
    z = a.coefficients @ weight
    z[0] += bias
    if trace is not None:
        trace.layer(f"weights.{layer}", a.coefficients, z)
        trace.shift(f"biases.{layer}", z)
    return Jet(a.indices, z)
