"""Slow, independent truths: derivatives by nested reverse-mode differentiation and by sympy in thirty digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy
import torch
from torch import Tensor

from pinnml.calculus import Axes, IndexSet, Jet, MultiIndex, coordinate_jets, total_order

LETTERS = ("x", "y", "z", "w")


def axes_of(d: int) -> Axes:
    return Axes(LETTERS[:d], LETTERS[:d])


def points(n: int, d: int, low: float = 0.2, high: float = 0.9, seed: int = 0) -> Tensor:
    """Points (n, d) away from the kinks and poles of the functions under test."""
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand((n, d), generator=generator, dtype=torch.float64)


def coordinates(x: Tensor, order: int) -> list[Jet]:
    """The coordinate jets at x (n, d) with every derivative up to an order."""
    return coordinate_jets(total_order(axes_of(x.shape[1]), order), x)


def factorial(index: MultiIndex) -> int:
    return math.prod(math.factorial(power) for power in index)


def autograd_derivatives(function: Callable[..., Tensor], x: Tensor, indices: IndexSet) -> dict[MultiIndex, Tensor]:
    """Every derivative of a real or complex function of the columns of x, each as the gradient of a lower one."""
    columns = [column.clone().requires_grad_() for column in x.unbind(1)]
    found = {}
    for index in indices.indices:
        if sum(index) == 0:
            value = function(*columns)
            found[index] = [value.real, value.imag] if value.is_complex() else [value]
            continue
        axis = next(i for i, power in enumerate(index) if power)
        lower = tuple(power - (i == axis) for i, power in enumerate(index))
        found[index] = [_slope(part, columns[axis]) for part in found[lower]]
    return {index: torch.complex(*parts) if len(parts) == 2 else parts[0] for index, parts in found.items()}


def _slope(value: Tensor, column: Tensor) -> Tensor:
    if not value.requires_grad:
        return torch.zeros_like(value)
    return torch.autograd.grad(value.sum(), column, create_graph=True, materialize_grads=True)[0]


def sympy_values(expression: Any, symbols: Sequence[sympy.Symbol], x: Tensor) -> Tensor:
    """An expression at the rows of x (n, d), evaluated in thirty digits."""
    function = sympy.lambdify(symbols, expression, modules="mpmath")
    with mpmath.workdps(30):
        values = [complex(function(*map(mpmath.mpf, row))) for row in x.tolist()]
    found = torch.tensor(values, dtype=torch.complex128)
    return found if found.imag.any() else found.real


def assert_close(found: Tensor, truth: Tensor, tolerance: float = 1e-12, scale: float = 0.0) -> None:
    """Relative to the largest entry of the truth, or to `scale` where that is larger."""
    assert found.shape == truth.shape
    error = float((found - truth).abs().max())
    assert error <= tolerance * max(float(truth.abs().max()), scale), error


def assert_derivatives(jet: Jet, truth: dict[MultiIndex, Tensor], tolerance: float = 1e-12) -> None:
    """Every derivative of a jet against its truth; where the truth is zero, against the size of the field."""
    assert set(jet.indices.indices) == set(truth)
    size = float(truth[jet.indices.indices[0]].detach().abs().max())
    for index, place in jet.indices.position.items():
        assert_close(jet.coefficients[place] * factorial(index), truth[index].detach(), tolerance, scale=size)


def cox_de_boor(t: np.ndarray, x: np.ndarray, order: int) -> np.ndarray:
    """The recursion as it stands in books, slow and for all functions, (n, N)."""
    values = ((x[:, None] >= t[:-1]) & (x[:, None] < t[1:])).astype(float)
    for r in range(2, order + 1):
        left = (x[:, None] - t[:-r]) / (t[r - 1 : -1] - t[:-r])
        right = (t[r:] - x[:, None]) / (t[r:] - t[1 : len(t) - r + 1])
        values = left * values[:, :-1] + right * values[:, 1:]
    return values
