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
    try:
        rows = [_coefficient(function, jet, index) for index in jet.indices.indices]
    except NotImplementedError as error:
        raise UnsupportedFunctionError(
            "PyTorch cannot differentiate this module forwards as often as the equations need",
            expected="functions with forward derivatives of every order",
            got=str(error).splitlines()[0],
            cure="write such an activation with simpler functions, SiLU as x * torch.sigmoid(x)",
        ) from error
    return Jet(jet.indices, torch.stack(rows))


def _coefficient(function: Callable[[Tensor], Tensor], jet: Jet, index: MultiIndex) -> Tensor:
    """That of s^index in f(X(s)), (n, k): no other terms of X matter than those whose power of s divides it."""
    if not any(index):
        return function(jet.coefficients[0])
    all_indices = jet.indices.indices[1:]
    divisors = [a for a in all_indices if all(power <= most for power, most in zip(a, index, strict=True))]
    coefficients = jet.coefficients[[jet.indices.position[a] for a in divisors]]

    def path(*s: Tensor) -> Tensor:
        return function(jet.coefficients[0] + torch.tensordot(torch.stack(_monomials(s, divisors)), coefficients, 1))

    origin = tuple(jet.coefficients.new_zeros(()) for _ in index)
    return _mixed(path, index)(*origin) / _factorial(index)


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


def _monomials(s: tuple[Tensor, ...], indices: list[MultiIndex]) -> list[Tensor]:
    """s^a for the multi-indices a of a closed set without zero, each the product of one before it and a variable."""
    found: dict[MultiIndex, Tensor] = {}
    for index in indices:
        axis = next(axis for axis, power in enumerate(index) if power)
        lower = (*index[:axis], index[axis] - 1, *index[axis + 1 :])
        found[index] = found[lower] * s[axis] if lower in found else s[axis]
    return list(found.values())


def _factorial(index: MultiIndex) -> float:
    value = 1.0
    for power in index:
        for k in range(2, power + 1):
            value *= k
    return value
