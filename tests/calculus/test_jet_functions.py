"""Every function that jets pass through, against sympy in thirty digits and nested automatic differentiation."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import sympy
import torch
from torch import Tensor

from pinnml import grad
from pinnml.calculus import Jet, Vector
from pinnml.calculus.functions import RULES, composed, polynomial_inside, product
from pinnml.calculus.torch_functions import HANDLERS
from tests.helpers.truth import (
    assert_close,
    assert_derivatives,
    autograd_derivatives,
    coordinates,
    points,
    sympy_values,
)

V = sympy.Symbol("v", real=True)


def broken_at_zero(below: object, above: object) -> sympy.Piecewise:
    return sympy.Piecewise((above, V > 0), (below, True))


FUNCTIONS: dict[str, sympy.Expr] = {
    "exp": sympy.exp(V),
    "expm1": sympy.exp(V) - 1,
    "log": sympy.log(V),
    "log1p": sympy.log(1 + V),
    "log2": sympy.log(V, 2),
    "log10": sympy.log(V, 10),
    "sqrt": sympy.sqrt(V),
    "rsqrt": 1 / sympy.sqrt(V),
    "square": V**2,
    "reciprocal": 1 / V,
    "sin": sympy.sin(V),
    "cos": sympy.cos(V),
    "tan": sympy.tan(V),
    "asin": sympy.asin(V),
    "acos": sympy.acos(V),
    "atan": sympy.atan(V),
    "sinh": sympy.sinh(V),
    "cosh": sympy.cosh(V),
    "tanh": sympy.tanh(V),
    "asinh": sympy.asinh(V),
    "acosh": sympy.acosh(V),
    "atanh": sympy.atanh(V),
    "erf": sympy.erf(V),
    "erfc": sympy.erfc(V),
    "sigmoid": 1 / (1 + sympy.exp(-V)),
    "softplus": sympy.log(1 + sympy.exp(V)),
    "silu": V / (1 + sympy.exp(-V)),
    "gelu": V * (1 + sympy.erf(V / sympy.sqrt(2))) / 2,
    "relu": broken_at_zero(sympy.Integer(0), V),
    "abs": broken_at_zero(-V, V),
    "sign": broken_at_zero(sympy.Integer(-1), sympy.Integer(1)),
}
#: Where a function lives, if not on the whole line; away from the ends, where round-off in v itself is magnified.
DOMAINS = {"acosh": (1.2, 1.9), **dict.fromkeys(("log", "log2", "log10", "sqrt", "rsqrt"), (0.2, 0.9))}
DOMAINS["log1p"] = DOMAINS["asin"] = DOMAINS["acos"] = DOMAINS["atanh"] = (-0.8, 0.8)


def argument(name: str, n: int = 6) -> Tensor:
    low, high = DOMAINS.get(name, (-1.3, 1.3))
    return torch.linspace(low, high, n, dtype=torch.float64)


def torch_function(name: str) -> Callable:
    return getattr(torch, name, None) or getattr(torch.nn.functional, name)


def test_every_rule_has_a_truth():
    assert set(FUNCTIONS) == set(RULES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_taylor_coefficients_are_those_of_sympy(name):
    v, order = argument(name), 6
    series = RULES[name](v, order)
    derivative = FUNCTIONS[name]
    assert len(series) == order + 1
    for k, coefficient in enumerate(series):
        truth = sympy_values(derivative, (V,), v.unsqueeze(1)) / math.factorial(k)
        assert_close(coefficient, truth, 1e-12, scale=1e-3)  # identically zero ones are compared absolutely
        derivative = sympy.diff(derivative, V)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_lower_order_is_the_start_of_the_longer_one(name):
    v = argument(name)
    longest = RULES[name](v, 5)
    for order in range(5):
        series = RULES[name](v, order)
        assert len(series) == order + 1
        assert all(torch.equal(a, b) for a, b in zip(series, longest, strict=False))
        assert {c.shape for c in series} == {v.shape}


def test_a_wrong_taylor_coefficient_is_caught():
    v = argument("sin")
    truth = sympy_values(sympy.diff(FUNCTIONS["sin"], V, 3), (V,), v.unsqueeze(1)) / 6
    assert_close(RULES["sin"](v, 3)[3], truth)
    with pytest.raises(AssertionError):
        assert_close(RULES["sin"](v, 3)[3] * (1 + 1e-11), truth)


# Functions of one variable, of fields


def inner(name: str) -> Callable:
    """A field in the plane with values where the function lives."""
    low, high = DOMAINS.get(name, (-1.3, 1.3))
    middle, half = (low + high) / 2, (high - low) / 2
    return lambda x, y: middle + half * torch.sin(3 * x * y + 4 * y)


UNARY = sorted(name for name in HANDLERS if name in RULES or (name.startswith("arc") and name != "arctan2"))


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_fields_agree_with_nested_differentiation(name):
    x, g, f = points(4, 2), inner(name.replace("arc", "a")), torch_function(name)
    jet = f(g(*coordinates(x, 4)))
    assert_derivatives(jet, autograd_derivatives(lambda x, y: f(g(x, y)), x, jet.indices))
    method = getattr(g(*coordinates(x, 4)), name)()
    assert torch.equal(method.coefficients, jet.coefficients)


# Functions of several variables, and the names that PyTorch gives to operators

SEVERAL: dict[str, Callable] = {
    "absolute": lambda u, v: torch.absolute(u - v),
    "add": torch.add,
    "sub": torch.sub,
    "subtract": torch.subtract,
    "mul": torch.mul,
    "multiply": torch.multiply,
    "div": torch.div,
    "divide": torch.divide,
    "true_divide": torch.true_divide,
    "pow": torch.pow,
    "rsub": torch.rsub,
    "radd": lambda u, v: Tensor.__radd__(torch.tensor(2.0), u) * v,
    "rmul": lambda u, v: Tensor.__rmul__(torch.tensor(2.0), u) * v,
    "rdiv": lambda u, v: Tensor.__rdiv__(torch.tensor(2.0), u) * v,
    "rpow": lambda u, v: Tensor.__rpow__(torch.tensor(2.5), u) * v,
    "neg": lambda u, v: torch.neg(u) * v,
    "negative": lambda u, v: torch.negative(u) * v,
    "where": lambda u, v: torch.where(u > v, u * v, v) + torch.where(u > 2, u, 0.5) + torch.where(v < 1.5, 2.0, u),
    "maximum": lambda u, v: torch.maximum(u, v) ** 2 + torch.maximum(u, torch.tensor(2.0)),
    "minimum": lambda u, v: torch.minimum(u, v) ** 2 + torch.minimum(torch.tensor(2.0), u),
    "clamp": lambda u, v: torch.clamp(u, 1.6, 2.2) * v + torch.clamp(u, min=1.8) + u.clamp(max=1.9),
    "clip": lambda u, v: torch.clip(u, 1.6, 2.2) * v,
    "atan2": lambda u, v: torch.atan2(u - 2, v) + torch.atan2(v, -u),
    "arctan2": lambda u, v: torch.arctan2(u - 2, v),
    "hypot": torch.hypot,
    "real": lambda u, v: torch.real((u + 1j * v) ** 3),
    "imag": lambda u, v: torch.imag((u + 1j * v) ** 3),
    "conj": lambda u, v: torch.imag(torch.conj(u + 1j * v) ** 3),
    "zeros_like": lambda u, v: u + torch.zeros_like(v),
    "ones_like": lambda u, v: u + torch.ones_like(v),
    "full_like": lambda u, v: u * torch.full_like(v, 3.5),
}
COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne"}


def two_fields(x: object, y: object) -> tuple:
    return 2 + torch.sin(9 * x * y), 1.5 + torch.cos(6 * x + 3 * y) / 2  # pyright: ignore


def test_every_function_that_jets_know_is_tested():
    assert set(HANDLERS) == {*UNARY, *SEVERAL, *COMPARISONS, "stack", "heaviside"}


@pytest.mark.parametrize("name", SEVERAL)
def test_functions_of_several_fields_agree_with_nested_differentiation(name):
    x, f = points(9, 2), SEVERAL[name]
    jet = f(*two_fields(*coordinates(x, 3)))
    assert_derivatives(jet, autograd_derivatives(lambda x, y: f(*two_fields(x, y)), x, jet.indices))


def test_the_step_of_heaviside_is_constant_on_either_side():
    u = coordinates(torch.tensor([[-1.0, 0.0], [0.0, 0.0], [2.0, 0.0]], dtype=torch.float64), 2)[0]
    for values in (0.25, torch.tensor(0.25), torch.full((3,), 0.25, dtype=torch.float64)):
        if isinstance(values, Tensor):
            assert torch.heaviside(u, values).value.tolist() == [0.0, 0.25, 1.0]
        assert u.heaviside(values).value.tolist() == [0.0, 0.25, 1.0]
    assert not torch.heaviside(u, torch.tensor(0.25)).coefficients[1:].any()


def test_both_sides_of_every_switch_are_met():
    u, v = two_fields(*points(9, 2).unbind(1))
    for condition in (u > v, u > 2, v < 1.5, u < 1.6, u > 2.2, u > 1.8, u < 1.9):
        assert 0 < int(condition.sum()) < 9


@pytest.mark.parametrize("number", [0.1, 1.6, 0.1 + 0.7j])
def test_numbers_beside_a_field_keep_all_their_digits(number):
    u = two_fields(*coordinates(points(3, 2), 1))[0]
    exact = torch.full((3,), number, dtype=torch.complex128 if isinstance(number, complex) else torch.float64)
    for result in (torch.full_like(u, number), torch.where(u > 9, u, number), (number**u) ** (1 / u)):
        assert_close(result.value, exact, 1e-15)


@pytest.mark.parametrize("function", [torch.abs, torch.relu, torch.sign])
def test_at_a_kink_the_slope_is_taken_as_zero(function):
    x = torch.zeros((3, 2), dtype=torch.float64)
    u = function(coordinates(x, 2)[0])
    assert not u.coefficients.any()


def test_whole_powers_have_finite_derivatives_where_the_field_is_zero():
    (x, _), zero = coordinates(torch.zeros((3, 2), dtype=torch.float64), 4), torch.zeros(3, dtype=torch.float64)
    for power in range(5):
        for k in range(5):
            expected = zero + (math.factorial(power) if k == power else 0)
            found = (x**power).d("x" * k) if k else x**power
            assert torch.equal(found.value, expected)
    assert not torch.isfinite(torch.sqrt(x).d("x").value).any()


def test_stack_makes_a_vector_and_functions_act_on_its_components():
    u, v = two_fields(*coordinates(points(4, 2), 2))
    pair = torch.stack([u, v])
    assert isinstance(pair, Vector)
    assert pair[0] is u
    assert torch.equal(torch.sin(pair)[1].coefficients, torch.sin(v).coefficients)
    assert torch.equal(torch.real(grad(u) * 1j)[0].coefficients, torch.zeros(3, 4, dtype=torch.float64))


# The series that rules are made of


def test_a_composed_series_is_the_series_of_the_composition():
    v = argument("sin")
    inside = RULES["sin"](v, 5)
    found = composed(RULES["exp"](inside[0], 5), inside)
    for k, coefficient in enumerate(found):
        truth = sympy_values(sympy.diff(sympy.exp(sympy.sin(V)), V, k), (V,), v.unsqueeze(1)) / math.factorial(k)
        assert_close(coefficient, truth)


def test_a_product_of_series_is_the_series_of_the_product():
    v = argument("log")
    found = product(RULES["log"](v, 4), RULES["cos"](v, 4))
    for k, coefficient in enumerate(found):
        truth = sympy_values(sympy.diff(sympy.log(V) * sympy.cos(V), V, k), (V,), v.unsqueeze(1)) / math.factorial(k)
        assert_close(coefficient, truth)


def test_a_polynomial_inside_a_function_is_expanded():
    v = argument("tanh")
    found = polynomial_inside(RULES["exp"], 1, -2, 0, 3)(v, 4)
    for k, coefficient in enumerate(found):
        truth = sympy_values(sympy.diff(sympy.exp(1 - 2 * V + 3 * V**3), V, k), (V,), v.unsqueeze(1))
        assert_close(coefficient, truth / math.factorial(k))


@pytest.mark.parametrize("name", ["exp", "sin", "cos", "sqrt", "log", "tanh", "sinh", "cosh", "reciprocal", "square"])
def test_functions_of_complex_fields_agree_with_nested_differentiation(name):
    x, f = points(4, 2), torch_function(name)

    def g(x: object, y: object) -> object:
        u, v = two_fields(x, y)
        return f(u + 1j * v)

    jet = g(*coordinates(x, 3))
    assert isinstance(jet, Jet)
    assert jet.dtype == torch.complex128
    assert_derivatives(jet, autograd_derivatives(g, x, jet.indices))
