"""The algebra of jets against nested automatic differentiation and sympy, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnml.calculus import Axes, IndexSet, Jet, coordinate_jets, data_jet, index_set, total_order, union
from pinnml.calculus.indices import meet
from pinnml.errors import MissingDerivativeError, ShapeError, UnknownNameError, UnsupportedFunctionError
from tests.helpers.truth import (
    assert_close,
    assert_derivatives,
    autograd_derivatives,
    axes_of,
    coordinates,
    factorial,
    points,
    sympy_values,
)

PLANE = axes_of(2)


def field(*c: Any) -> Any:
    """A field in any number of dimensions, written for tensors and jets alike."""
    return torch.exp(c[0] * c[-1]) + sum((k + 1) * c[k] ** 3 for k in range(len(c)))


def other(*c: Any) -> Any:
    return 2 + torch.sin(sum(c[1:], c[0]))


def agrees(function: Callable, x: torch.Tensor, order: int, tolerance: float = 1e-12) -> None:
    """Whether a function of jets has all the derivatives of the same function of tensors."""
    jet = function(*coordinates(x, order))
    assert_derivatives(jet, autograd_derivatives(function, x, jet.indices), tolerance)


# Arithmetic

ARITHMETIC: dict[str, Callable] = {
    "sum and difference": lambda u, v: u + v - 3 * u,
    "product": lambda u, v: u * v,
    "quotient": lambda u, v: u / v,
    "whole powers": lambda u, v: u**3 - v**2 + u**1 + v**0,
    "negative and broken powers": lambda u, v: u**-2 + v**0.5 - u**2.5,
    "field to a field": lambda u, v: u**v,
    "number to a field": lambda u, v: 2**u + 0.5**v + torch.tensor(1.5) ** u,
    "number on the left": lambda u, v: 2 - u + 3 / v + torch.pi * u + (1 + u),
    "number on the right": lambda u, v: (u - 2) * 0.5 + v / 4 + 7,
    "0-d tensor on either side": lambda u, v: torch.tensor(2.0) * u - v / torch.tensor(3.0) - (torch.tensor(1.0) - u),
    "0-d tensor over a field": lambda u, v: torch.tensor(2.0) / u + u ** torch.tensor(3.0),
    "NumPy scalars": lambda u, v: np.float64(2) * u + np.float64(3) ** v - u / np.float64(4),
    "signs": lambda u, v: -u + (+v) - abs(-u),
}


@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_jets_carry_the_derivatives_of_nested_differentiation_in_every_dimension_and_order(d, order):
    agrees(lambda *c: field(*c) * other(*c) - torch.tanh(c[0]) / other(*c), points(4, d), order)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_agrees_with_nested_differentiation(name):
    agrees(lambda x, y: ARITHMETIC[name](field(x, y), other(x, y)), points(5, 2), 4)


def test_derivatives_are_those_of_sympy():
    x, (a, b) = points(4, 2), sympy.symbols("x y")
    jet = (lambda x, y: torch.exp(x * y) / (1 + x**2) + torch.atan(y - x) ** 3)(*coordinates(x, 4))
    expression = sympy.exp(a * b) / (1 + a**2) + sympy.atan(b - a) ** 3
    assert len(jet.indices) == 15
    for i, j in jet.indices.indices:
        truth = sympy_values(sympy.diff(expression, a, i, b, j), (a, b), x)
        along = "x" * i + "y" * j
        assert_close((jet.d(along) if along else jet).value, truth)


@pytest.mark.parametrize(
    "function",
    [
        lambda u, v: (u + 1j * v) ** 3,
        lambda u, v: (2 - 1j) * u / (v - 0.5j * u),
        lambda u, v: torch.exp(1j * u) * torch.sin(u + 1j * v) - torch.cosh(1j * v),
        lambda u, v: torch.sqrt(u + 2j * v) + torch.log(v + 1j * u) + torch.tanh(u * (1 + 0.3j)),
        lambda u, v: (u + 1j * v).real * (u * 2j + v).imag + torch.abs(u + 1j * v),
        lambda u, v: torch.conj(torch.exp(1j * u)) * (v + 1j) ** (0.5 + 0.2j),
        lambda u, v: 1j - u + 1j**v + torch.tensor(1j) * u,
    ],
)
def test_complex_jets_agree_with_nested_differentiation(function):
    agrees(lambda x, y: function(field(x, y), other(x, y)), points(4, 2), 3)


def test_the_imaginary_part_of_a_real_field_is_zero():
    u = field(*coordinates(points(4, 2), 2))
    assert u.real is u
    assert not u.imag.coefficients.any()


def test_coordinates_on_a_small_set_are_what_the_full_set_says_there():
    x, small = points(4, 2), index_set(PLANE, [(3, 0), (1, 1)])
    full, cut = (field(*coordinate_jets(indices, x)) for indices in (total_order(PLANE, 3), small))
    assert cut.indices is small
    assert_close(cut.coefficients, full.restricted(small).coefficients, 1e-15)


# Identities, and the wrong factors that they must catch


@st.composite
def sets(draw: st.DrawFn) -> IndexSet:
    d = draw(st.integers(1, 3))
    return index_set(axes_of(d), draw(st.lists(st.tuples(*[st.integers(0, 3)] * d), min_size=1, max_size=3)))


def random_jets(indices: IndexSet, seed: int, count: int) -> list[Jet]:
    generator = torch.Generator().manual_seed(seed)
    size = (count, len(indices), 3)
    return [Jet(indices, c) for c in torch.randn(size, generator=generator, dtype=torch.float64)]


def assert_product_rule(u: Jet, v: Jet, axis: str) -> None:
    left, right = (u * v).d(axis), u.d(axis) * v + u * v.d(axis)
    assert left.indices is right.indices
    assert_close(left.coefficients, right.coefficients, 1e-14, scale=1.0)  # sums of at most 64 products


@given(sets(), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_product_rule_and_ring_laws_hold_on_any_closed_set(indices, seed):
    u, v, w = random_jets(indices, seed, 3)
    for axis in (axis for axis in indices.axes.names if index_unit(indices, axis) in indices.position):
        assert_product_rule(u, v, axis)
    assert_close((u * v).coefficients, (v * u).coefficients, 1e-14, scale=1.0)
    assert_close((u * (v + w)).coefficients, (u * v + u * w).coefficients, 1e-13, scale=1.0)
    assert_close(((u * v) * w).coefficients, (u * (v * w)).coefficients, 1e-13, scale=1.0)


#: Functions, and what undoes them.
UNDONE: list[tuple[Callable, Callable]] = [
    (torch.log, torch.exp),
    (torch.sqrt, lambda u: u**2),
    (lambda u: 1 / u, lambda u: 1 / u),
]


def index_unit(indices: IndexSet, axis: str) -> tuple[int, ...]:
    return tuple(int(name == axis) for name in indices.axes.names)


@given(sets(), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_functions_undo_one_another_on_any_closed_set(indices, seed):
    (u,) = random_jets(indices, seed, 1)
    positive = Jet(indices, torch.cat([u.coefficients[:1].abs() + 1, u.coefficients[1:]]))
    for function, inverse in UNDONE:
        between = function(positive)
        # round-off, 4e-14 of the coefficients in between at most: these are below 13 at order 3, and 4e5 at order 9
        scale = max(1.0, float(between.coefficients.abs().max()))
        assert_close(inverse(between).coefficients, positive.coefficients, 3e-13, scale=scale)


@pytest.mark.parametrize(("function", "inverse"), UNDONE)
def test_a_wrong_coefficient_in_between_is_not_undone(function, inverse):
    """One part in 10^11 of one coefficient at the highest order shows, and so the tolerance bites."""
    indices = index_set(axes_of(3), [(3, 3, 3)])
    (u,) = random_jets(indices, 0, 1)
    positive = Jet(indices, torch.cat([u.coefficients[:1].abs() + 1, u.coefficients[1:]]))
    between = function(positive)
    scale = max(1.0, float(between.coefficients.abs().max()))
    wrong = between.coefficients.clone()
    wrong[-1] += 1e-11 * scale
    with pytest.raises(AssertionError):
        assert_close(inverse(Jet(indices, wrong)).coefficients, positive.coefficients, 3e-13, scale=scale)


def test_a_wrong_leibniz_factor_is_caught(monkeypatch):
    x, indices = points(4, 2), total_order(PLANE, 3)
    u, v = (f(*coordinate_jets(indices, x)) for f in (field, other))
    assert_product_rule(u, v, "x")
    right = indices.products
    wrong = tuple(pairs[:-1] if indices.indices[k] == (2, 1) else pairs for k, pairs in enumerate(right))
    monkeypatch.setitem(vars(indices), "products", wrong)
    with pytest.raises(AssertionError):
        assert_product_rule(u, v, "x")
    with pytest.raises(AssertionError):
        agrees(lambda x, y: field(x, y) * other(x, y), x, 3)


def test_a_wrong_factorial_is_caught():
    x = points(4, 2)
    jet = field(*coordinates(x, 3))
    factors = torch.tensor([float(factorial(index)) for index in jet.indices.indices]).unsqueeze(1)
    with pytest.raises(AssertionError):
        assert_derivatives(Jet(jet.indices, jet.coefficients * factors), autograd_derivatives(field, x, jet.indices))


# Sets of multi-indices


@given(sets())
@settings(deadline=None, max_examples=40)
def test_index_sets_are_closed_downward_and_start_with_the_value(indices):
    members = set(indices.indices)
    assert sum(indices.indices[0]) == 0
    assert [sum(a) for a in indices.indices] == sorted(sum(a) for a in indices.indices)
    assert all(b in members for a in members for b in product(*(range(power + 1) for power in a)))
    assert set(indices.maximal) == {
        a for a in members if not any(a != b and all(p <= q for p, q in zip(a, b, strict=True)) for b in members)
    }
    assert index_set(indices.axes, indices.maximal) is indices
    for a, pairs in zip(indices.indices, indices.products, strict=True):
        assert len(set(pairs)) == math.prod(power + 1 for power in a)


@given(sets(), st.data())
@settings(deadline=None, max_examples=30)
def test_union_and_meet_of_index_sets_are_those_of_sets(first, data):
    second = data.draw(sets().filter(lambda s: s.axes == first.axes))
    a, b = set(first.indices), set(second.indices)
    assert set(union(first, second).indices) == a | b
    assert set(meet(first, second).indices) == a & b
    for index in first.maximal:
        assert set(first.without(index).indices) == (a - {index} or {first.indices[0]})


def test_total_order_counts_as_many_indices_as_the_binomial_says():
    for d, order in product(range(1, 5), range(5)):
        assert len(total_order(axes_of(d), order)) == math.comb(d + order, d)


def test_a_product_knows_what_both_factors_know():
    x, y = coordinate_jets(index_set(PLANE, [(2, 0), (0, 1)]), points(3, 2))
    u, v = x.restricted(index_set(PLANE, [(2, 0)])), y.restricted(index_set(PLANE, [(1, 0), (0, 1)]))
    assert repr((u * v).indices) == repr((u + v).indices) == "{1, x}"


# Names of derivatives


def test_letters_are_split_only_where_every_axis_is_one_letter():
    x = points(3, 2)
    u = field(*coordinates(x, 2))
    assert torch.equal(u.d("xy").value, u.d("y", "x").value)
    assert torch.equal(u.d("xx").value, u.d("x").d("x").value)
    long = Axes(("x1", "x2"), ("x1", "x2"))
    w = field(*coordinate_jets(total_order(long, 2), x))
    assert torch.equal(w.d("x1", "x1").value, u.d("xx").value)
    assert torch.equal(w.d("x1", "x2").value, u.d("xy").value)
    for wrong in ("x1x1", "x"):
        with pytest.raises(UnknownNameError, match="one of x1, x2"):
            w.d(wrong)


@pytest.mark.parametrize("name", ["z", "xz", "X"])
def test_an_axis_that_is_not_there_is_named_with_those_that_are(name):
    u = field(*coordinates(points(3, 2), 2))
    with pytest.raises(UnknownNameError, match=r"unknown axis '[zX]'\n.*one of x, y"):
        u.d(name)


@pytest.mark.parametrize(("word", "held"), [("xx", "{1, x, y}"), ("xy", "{1, x, y}"), ("xyy", "{1, x, y}")])
def test_a_derivative_that_is_not_carried_raises_and_is_named_whole(word, held):
    u = field(*coordinates(points(3, 2), 1))
    with pytest.raises(MissingDerivativeError, match=f"'{word}' is not carried") as caught:
        u.d(word)
    assert repr(u.indices) == held
    assert held in str(caught.value)


# Data and numbers beside fields


@pytest.mark.parametrize(
    "combine",
    [
        lambda u, c: c * u,
        lambda u, c: u + c,
        lambda u, c: c - u,
        lambda u, c: u / c,
        lambda u, c: c / u,
        lambda u, c: u**c,
        lambda u, c: c**u,
        lambda u, c: torch.where(c > 0.5, u, c),
        lambda u, c: torch.maximum(u, c),
        lambda u, c: torch.hypot(c, u),
        lambda u, c: torch.atan2(u, c),
    ],
)
def test_a_tensor_of_data_has_a_value_but_no_derivatives(combine):
    x = points(4, 2)
    u, c = field(*coordinates(x, 2)), points(4, 1, seed=7)[:, 0]
    result = combine(u, c)
    assert_close(result.value, combine(u.value, c), 1e-14)
    with pytest.raises(MissingDerivativeError, match="plain tensor"):
        result.d("x")


def test_a_constant_field_has_slopes_and_they_are_zero():
    u = field(*coordinates(points(4, 2), 2))
    for constant in (u.constant(2.5), torch.full_like(u, 2.5), 2.5 + torch.zeros_like(u), 2.5 * torch.ones_like(u)):
        assert torch.equal(constant.value, torch.full((4,), 2.5, dtype=torch.float64))
        assert not constant.d("xy").value.any()


def test_whole_numbers_and_truth_values_of_data_are_taken_as_numbers():
    u = field(*coordinates(points(4, 2), 1))
    assert_close(((u > 3) * u).value, torch.where(u.value > 3, u.value, 0.0), 1e-15)
    assert (torch.arange(4) * u).dtype == torch.float64
    assert torch.equal((np.int64(2) * u).coefficients, (u * np.array(2)).coefficients)
    assert torch.equal((np.array(2) ** u).coefficients, (2**u).coefficients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_do_not_change_the_dtype(dtype):
    u = field(*coordinate_jets(total_order(PLANE, 2), points(3, 2).to(dtype)))
    results = (2 * u, u / torch.pi, 1 - u, u**0.5, 2**u, torch.where(u > 1, u, 0.5), torch.log2(u), u.gelu())
    assert {result.dtype for result in results} == {dtype}
    assert (1j * u).dtype == (torch.complex64 if dtype == torch.float32 else torch.complex128)


# What jets refuse


def test_comparisons_act_on_values():
    u, v = (f(*coordinates(points(6, 2), 1)) for f in (field, other))
    for compare in (torch.lt, torch.le, torch.gt, torch.ge, torch.eq, torch.ne):
        expected = compare(u.value, v.value)
        for side in (v, v.value):
            assert torch.equal(compare(u, side), expected)
            assert torch.equal(compare(u.value, v), expected)
    assert torch.equal(u < 2, u.value < 2)
    assert torch.equal(u != v.value, u.value != v.value)
    assert torch.equal(v.value >= u, u.value <= v.value)


def test_a_field_has_no_truth_value():
    u = field(*coordinates(points(3, 2), 1))
    with pytest.raises(RuntimeError, match="Boolean"):  # the comparison is a tensor of three truth values
        _ = 1 if u < 0 else 2
    with pytest.raises(ShapeError, match=r"torch\.where"):
        _ = u or 0


@pytest.mark.parametrize("combine", [lambda u, a: a * u, lambda u, a: u + a, lambda u, a: a - u, lambda u, a: a**u])
def test_arrays_of_numpy_are_refused_by_name(combine):
    u = field(*coordinates(points(3, 2), 1))
    with pytest.raises(ShapeError, match=r"NumPy array of shape \(3,\)"):
        combine(u, np.ones(3))


def test_functions_of_numpy_and_of_the_standard_library_are_refused():
    u = field(*coordinates(points(3, 2), 1))
    with pytest.raises(TypeError, match="ufunc"):
        np.sin(u)
    for function in (math.sin, float, list, len):
        with pytest.raises(TypeError):
            function(u)


def test_data_rounded_to_single_precision_beside_a_field_of_double_precision_are_refused():
    x, y = coordinates(points(9, 2), 1)
    rounded = torch.where(y < 0.5, 1.6, 2.2), torch.tensor(0.1), torch.tensor(0.1j, dtype=torch.complex64)
    for data in rounded:
        with pytest.raises(ShapeError, match="digits would be lost"):
            assert x * data
    agreeing = x * torch.where(y < 0.5, 1.6 + 0 * y, 2.2)
    expected = x.value * torch.where(y.value < 0.5, 1.6, torch.tensor(2.2, dtype=torch.float64))
    assert_close(agreeing.value, expected, 1e-15)
    for exact in (torch.where(y < 0.5, 1.0, 0.0), (y < 0.5) * 1.0, torch.tensor(2.0), torch.arange(9.0)):
        assert_close((x * exact).value, x.value * exact.double(), 1e-16)


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (torch.ones(3, 1), r"\(3, 1\)"),
        (torch.ones(4), r"\(4,\)"),
        ("a", "str"),
        (None, "NoneType"),
        ([1, 2, 3], "list"),
    ],
)
def test_operands_of_another_shape_or_kind_are_refused(wrong, got):
    u = field(*coordinates(points(3, 2), 1))
    for combine in (lambda: u * wrong, lambda: wrong + u, lambda: u / wrong):
        with pytest.raises(ShapeError, match=rf"expected: shape \(3,\)\n  got: +.*{got}"):
            combine()


def test_jets_at_other_points_are_refused():
    u, v = (field(*coordinates(points(n, 2), 1)) for n in (3, 4))
    for combine in (lambda: u + v, lambda: u * v, lambda: u - v, lambda: u / v):
        with pytest.raises(ShapeError, match=r"got: +shape \(4,\)"):
            combine()


def test_a_function_without_a_rule_names_those_with_one():
    u = field(*coordinates(points(3, 2), 1))
    with pytest.raises(UnsupportedFunctionError, match=r"torch.float_power(?s:.)*one of abs, .*where"):
        torch.float_power(u, 2)
    with pytest.raises(UnsupportedFunctionError, match=r"did you mean torch\.maximum"):
        torch.max(u, u)
    with pytest.raises(TypeError):  # an unsupported function is also a TypeError
        torch.sum(u)
    with pytest.raises(AttributeError, match="did you mean 'tanh'"):
        u.tan_h()


def test_a_jet_says_what_it_carries():
    u = data_jet(PLANE, torch.ones(3))
    assert repr(u) == "Jet({1}, n=3, torch.float32)"
    assert repr(field(*coordinates(points(3, 2), 2))) == "Jet({1, x, y, xx, xy, yy}, n=3, torch.float64)"
