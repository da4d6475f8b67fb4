"""Jets of any differentiable function by nested forward-mode differentiation: slow, general, and independent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pinnml.calculus.indices import MultiIndex
from pinnml.calculus.jet import Jet
from pinnml.errors import UnsupportedFunctionError


def push(function: Callable[[Tensor], Tensor], jet: Jet) -> Jet:
    """The jet of f(u): with X(s) = sum_a c_a s^a for s in R^d, its coefficients are those of f(X(s)) at s = 0.

    `function` maps (n, e) to (n, k), each row by itself; `jet` has coefficients (K, n, e), the result (K, n, k).
    Each multi-index costs one nest of |a| directional derivatives. Raises UnsupportedFunctionError for a function
    that PyTorch cannot differentiate forwards often enough.
    """
    indices = jet.indices

    def path(*s: Tensor) -> Tensor:
        point = jet.coefficients[0]
        for place, index in enumerate(indices.indices[1:], start=1):
            point = point + _monomial(s, index) * jet.coefficients[place]
        return function(point)

    origin = tuple(jet.coefficients.new_zeros(()) for _ in indices.axes.names)
    try:
        rows = [_mixed(path, index)(*origin) / _factorial(index) for index in indices.indices]
    except NotImplementedError as error:
        raise UnsupportedFunctionError(
            "PyTorch cannot differentiate this module forwards as often as the equations need",
            expected="functions with forward derivatives of every order",
            got=str(error).splitlines()[0],
            cure="write such an activation with simpler functions, SiLU as x * torch.sigmoid(x)",
        ) from error
    return Jet(indices, torch.stack(rows))


def _mixed(function: Callable[..., Tensor], index: MultiIndex) -> Callable[..., Tensor]:
    for axis, times in enumerate(index):
        for _ in range(times):
            function = _directional(function, axis)
    return function


def _directional(function: Callable[..., Tensor], axis: int) -> Callable[..., Tensor]:
    def derivative(*s: Tensor) -> Tensor:
        tangents = tuple(torch.ones_like(v) if i == axis else torch.zeros_like(v) for i, v in enumerate(s))
        return torch.func.jvp(function, s, tangents)[1]

    return derivative


def _monomial(s: tuple[Tensor, ...], index: MultiIndex) -> Tensor:
    value = torch.ones_like(s[0])
    for variable, exponent in zip(s, index, strict=True):
        for _ in range(exponent):
            value = value * variable
    return value


def _factorial(index: MultiIndex) -> float:
    value = 1.0
    for power in index:
        for k in range(2, power + 1):
            value *= k
    return value
