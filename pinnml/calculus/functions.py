"""Taylor coefficients of functions of one variable: f(v + h) = sum_k c_k h^k, elementwise in v.

A rule maps (v, order) to [c_0, ..., c_order], each of the shape of v. Rules exist for every order; those of
functions whose derivative is simpler than themselves are integrals of a composed series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

Series: TypeAlias = list[Tensor]
Rule: TypeAlias = Callable[[Tensor, int], Series]


def exp(v: Tensor, order: int) -> Series:
    """e^v: c_k = e^v / k!."""
    value = torch.exp(v)
    return [scaled(value, 1 / math.factorial(k)) for k in range(order + 1)]


def sin(v: Tensor, order: int) -> Series:
    """The sine: c_k cycles through sin, cos, -sin, -cos over k!."""
    return _trigonometric(v, order, phase=0)


def cos(v: Tensor, order: int) -> Series:
    """The cosine: the sine's cycle, one place on."""
    return _trigonometric(v, order, phase=1)


def log(v: Tensor, order: int) -> Series:
    """The natural logarithm: c_k = -(-1/v)^k / k."""
    step = -1 / v if order else v
    series, power = [torch.log(v)], torch.ones_like(v)
    for k in range(1, order + 1):
        power = power * step
        series.append(-power / k)
    return series


def power(exponent: float | complex) -> Rule:
    """v^p: c_k = binomial(p, k) v^(p-k); exact zeros where p is a whole number and k > p, also at v = 0."""

    def rule(v: Tensor, order: int) -> Series:
        series, binomial = [], 1.0
        for k in range(order + 1):
            series.append(binomial * v ** (exponent - k) if binomial != 0 else torch.zeros_like(v))
            binomial = binomial * (exponent - k) / (k + 1)
        return series

    return rule


def reciprocal(v: Tensor, order: int) -> Series:
    """1/v: c_k = (-1)^k / v^(k+1)."""
    inverse = 1 / v
    series = [inverse]
    for _ in range(order):
        series.append(-series[-1] * inverse)
    return series


def tanh(v: Tensor, order: int) -> Series:
    """The hyperbolic tangent, from t' = 1 - t^2."""
    return _riccati(torch.tanh(v), order, lambda square, _: -square, constant=1.0)


def tan(v: Tensor, order: int) -> Series:
    """The tangent, from t' = 1 + t^2."""
    return _riccati(torch.tan(v), order, lambda square, _: square, constant=1.0)


def sigmoid(v: Tensor, order: int) -> Series:
    """The logistic function, from s' = s - s^2."""
    return _riccati(torch.sigmoid(v), order, lambda square, s: s - square, constant=0.0)


def gaussian(v: Tensor, order: int) -> Series:
    """exp(-v^2), from g' = -2 v g."""
    series = [torch.exp(-v * v)]
    for k in range(order):
        before = series[k - 1] if k else torch.zeros_like(v)
        series.append(-2 * (v * series[k] + before) / (k + 1))
    return series


def sinh(v: Tensor, order: int) -> Series:
    """The hyperbolic sine."""
    pair = torch.sinh(v), torch.cosh(v)
    return [pair[k % 2] / math.factorial(k) for k in range(order + 1)]


def cosh(v: Tensor, order: int) -> Series:
    """The hyperbolic cosine."""
    pair = torch.cosh(v), torch.sinh(v)
    return [pair[k % 2] / math.factorial(k) for k in range(order + 1)]


def absolute(v: Tensor, order: int) -> Series:
    """|v| of a real v; its slope at the kink is taken as 0, as PyTorch does."""
    return _piecewise_linear(torch.abs(v), torch.sign(v), order)


def relu(v: Tensor, order: int) -> Series:
    """max(v, 0); its slope at the kink is taken as 0."""
    return _piecewise_linear(torch.relu(v), (v > 0).to(v.dtype), order)


def sign(v: Tensor, order: int) -> Series:
    """The sign of v, constant wherever it is smooth."""
    return _piecewise_linear(torch.sign(v), torch.zeros_like(v), order)


def integral_of(value: Callable[[Tensor], Tensor], derivative: Rule) -> Rule:
    """The rule of a function from its value and the rule of its derivative."""

    def rule(v: Tensor, order: int) -> Series:
        slopes = derivative(v, order - 1) if order else []
        return [value(v), *(slope / (k + 1) for k, slope in enumerate(slopes))]

    return rule


def polynomial_inside(outer: Rule, *coefficients: float) -> Rule:
    """The rule of outer(p(v)), p(v) = sum_i coefficients[i] v^i."""

    def rule(v: Tensor, order: int) -> Series:
        inner = [
            sum(
                (c * math.comb(i, k) * v ** (i - k) for i, c in enumerate(coefficients) if i >= k),
                torch.zeros_like(v),
            )
            for k in range(order + 1)
        ]
        return composed(outer(inner[0], order), inner)

    return rule


def composed(outer: Series, inner: Series) -> Series:
    """Coefficients of f(g(v)) from those of f at g(v) and those of g at v."""
    shift = [torch.zeros_like(inner[0]), *inner[1:]]
    result = [outer[-1], *(torch.zeros_like(inner[0]) for _ in shift[1:])]
    for coefficient in reversed(outer[:-1]):  # Horner's scheme in the truncated series
        result = product(result, shift)
        result[0] = result[0] + coefficient
    return result


def product(a: Series, b: Series) -> Series:
    """The truncated product of two series of equal length."""
    return [sum((a[i] * b[k - i] for i in range(1, k + 1)), a[0] * b[k]) for k in range(len(a))]


def times(first: Rule, second: Rule) -> Rule:
    """The rule of a product of two functions."""
    return lambda v, order: product(first(v, order), second(v, order))


def scaled(v: Tensor, factor: float) -> Tensor:
    """The product factor * v, without a copy where the factor is one: these arrays are large in a network."""
    return v if factor == 1 else v * factor


def identity(v: Tensor, order: int) -> Series:
    """The variable itself."""
    return _piecewise_linear(v, torch.ones_like(v), order)


def _trigonometric(v: Tensor, order: int, phase: int) -> Series:
    pair = [torch.sin(v)] if phase == 0 else [torch.cos(v)]
    if order:  # an order-0 jet needs one of the two only
        pair.append(torch.cos(v) if phase == 0 else torch.sin(v))
    signs = (1, 1, -1, -1) if phase == 0 else (1, -1, -1, 1)
    return [scaled(pair[k % 2], signs[k % 4] / math.factorial(k)) for k in range(order + 1)]


def _riccati(value: Tensor, order: int, right_side: Callable[[Tensor, Tensor], Tensor], constant: float) -> Series:
    """Coefficients of a solution of s' = constant + right_side(s^2, s)."""
    series = [value]
    for k in range(order):
        square = sum((series[i] * series[k - i] for i in range(1, k + 1)), series[0] * series[k])
        slope = right_side(square, series[k])
        series.append((slope + constant if k == 0 else slope) / (k + 1))
    return series


def _piecewise_linear(value: Tensor, slope: Tensor, order: int) -> Series:
    return [value, slope, *(torch.zeros_like(value) for _ in range(order - 1))][: order + 1]


_inverse_root = power(-0.5)
softplus = integral_of(torch.nn.functional.softplus, sigmoid)
erf = integral_of(torch.erf, lambda v, order: [2 / math.sqrt(math.pi) * c for c in gaussian(v, order)])

#: PyTorch name -> rule, for the functions of one variable that jets pass through.
RULES: dict[str, Rule] = {
    "exp": exp,
    "expm1": integral_of(torch.expm1, exp),
    "log": log,
    "log1p": integral_of(torch.log1p, polynomial_inside(reciprocal, 1, 1)),
    "log2": lambda v, order: [c / math.log(2) for c in log(v, order)],
    "log10": lambda v, order: [c / math.log(10) for c in log(v, order)],
    "sqrt": power(0.5),
    "rsqrt": _inverse_root,
    "square": power(2),
    "reciprocal": reciprocal,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "asin": integral_of(torch.asin, polynomial_inside(_inverse_root, 1, 0, -1)),
    "acos": integral_of(torch.acos, lambda v, k: [-c for c in polynomial_inside(_inverse_root, 1, 0, -1)(v, k)]),
    "atan": integral_of(torch.atan, polynomial_inside(reciprocal, 1, 0, 1)),
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "asinh": integral_of(torch.asinh, polynomial_inside(_inverse_root, 1, 0, 1)),
    "acosh": integral_of(
        torch.acosh, times(polynomial_inside(_inverse_root, -1, 1), polynomial_inside(_inverse_root, 1, 1))
    ),
    "atanh": integral_of(torch.atanh, polynomial_inside(reciprocal, 1, 0, -1)),
    "erf": erf,
    "erfc": integral_of(torch.erfc, lambda v, order: [-2 / math.sqrt(math.pi) * c for c in gaussian(v, order)]),
    "sigmoid": sigmoid,
    "softplus": softplus,
    "silu": times(identity, sigmoid),
    "gelu": lambda v, order: [0.5 * c for c in times(identity, _one_plus_erf)(v, order)],
    "relu": relu,
    "abs": absolute,
    "sign": sign,
}


def _one_plus_erf(v: Tensor, order: int) -> Series:
    series = [c * 0.5 ** (k / 2) for k, c in enumerate(erf(v * math.sqrt(0.5), order))]
    return [1 + series[0], *series[1:]]
