"""Splines against SciPy and Cox-de Boor, the power-ReLU basis, and refinement that changes nothing."""

from __future__ import annotations

from math import comb, factorial

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import Tensor

from pinnml.calculus import interval_of, pieces, series, windows
from pinnml.errors import SettingsError
from pinnml.networks.knots import Knots
from pinnml.networks.nesting import (
    change_of_basis,
    recursive_change_of_basis,
    refinement,
    relu_basis,
    uniform_change_of_basis,
    uniform_refinement,
)
from pinnml.networks.splines import dense
from tests.helpers.truth import cox_de_boor

ORDERS = range(1, 6)


def some_knots(kind: str, order: int, intervals: int = 7) -> Knots:
    if kind == "uniform":
        return Knots.uniform(-1.0, 2.0, intervals, order)
    generator = torch.Generator().manual_seed(order)
    gaps = 0.2 + torch.rand(intervals + 2 * order - 1, generator=generator, dtype=torch.float64)
    return Knots(torch.cumsum(gaps, 0), order)


def inside(knots: Knots, n: int = 101) -> Tensor:
    """Points between the ends, and all knots but the last."""
    low, high = float(knots.inner[0]), float(knots.inner[-1])
    points = torch.linspace(low, high - 1e-9 * (high - low), n, dtype=torch.float64)
    return torch.cat([points, knots.inner[:-1]])


def local_series(knots: Knots, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """The first function that is not zero at x (n,), and Taylor coefficients of the r of them, (order + 1, n, r)."""
    first = interval_of(knots.inner, x)
    start, width = knots.inner[:-1][first], knots.inner.diff()[first]
    polynomials = pieces(windows(knots.t, knots.order))[first]
    return first, torch.stack(series(polynomials, (x - start) / width, width, order))


def functions(knots: Knots, x: Tensor, derivative: int = 0) -> Tensor:
    """All B-splines or their derivatives at x, (n, N)."""
    first, series = local_series(knots, x, derivative)
    return factorial(derivative) * dense(first, series[derivative], knots.size)


@pytest.mark.parametrize("kind", ["uniform", "uneven"])
@pytest.mark.parametrize("order", ORDERS)
def test_values_are_those_of_cox_and_de_boor_and_sum_to_one(order, kind):
    knots = some_knots(kind, order)
    x = inside(knots)
    values = functions(knots, x)
    assert values.shape == (len(x), knots.intervals + order - 1)
    np.testing.assert_allclose(values, cox_de_boor(knots.t.numpy(), x.numpy(), order), atol=1e-14)
    np.testing.assert_allclose(values.sum(dim=1), 1.0, atol=1e-14)
    np.testing.assert_allclose(functions(knots, knots.inner[-1:]).sum(), 1.0, atol=1e-14)


@pytest.mark.parametrize("kind", ["uniform", "uneven"])
@pytest.mark.parametrize("order", ORDERS)
def test_values_and_derivatives_are_those_of_scipy_at_every_knot_and_between(order, kind):
    knots = some_knots(kind, order)
    x = torch.cat([inside(knots), knots.inner[-1:]])  # there the last interval counts, for both
    every = BSpline(knots.t.numpy(), np.eye(knots.size), order - 1)
    for m in range(order):
        known = every(x.numpy(), m)
        # 1e-14 of the largest entry: differences of nearly equal polynomials lose a digit or two
        np.testing.assert_allclose(functions(knots, x, m), known, rtol=0, atol=1e-14 * max(np.abs(known).max(), 1))


def test_a_spline_goes_on_as_a_polynomial_beyond_its_ends():
    knots = some_knots("uneven", 4)
    weights = torch.randn(knots.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    low, width = float(knots.inner[0]), float(knots.inner[1] - knots.inner[0])
    x = low + width * torch.linspace(-1.0, 0.99, 40, dtype=torch.float64)
    values = functions(knots, x) @ weights
    cubic = np.polynomial.Polynomial.fit(x[20:].numpy(), values[20:].numpy(), 3)
    np.testing.assert_allclose(values, cubic(x.numpy()), atol=1e-9)


@pytest.mark.parametrize("order", range(2, 6))
def test_single_precision_keeps_its_digits_with_many_knots(order):
    single = Knots.uniform(-1.0, 1.0, 160, order, dtype=torch.float32)
    same = Knots(single.t.double(), order)  # as rounded: a knot moved by 6e-8 moves values of slope 160 by 1e-5
    x = torch.linspace(-1.0, 1.0, 2001, dtype=torch.float32)
    np.testing.assert_allclose(functions(single, x), functions(same, x.double()), rtol=0, atol=1e-6)


def test_values_can_be_differentiated_in_the_knots():
    t = some_knots("uneven", 4).t
    x = torch.linspace(float(t[4]) + 0.01, float(t[-5]) - 0.02, 5, dtype=torch.float64)  # away from knots
    assert torch.autograd.gradcheck(lambda t: local_series(Knots(t, 4), x, 2)[1], t.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda t: pieces(windows(t, 4)), t.clone().requires_grad_())


# The power-ReLU basis

#: Largest error of a B-spline made of power-ReLU functions, by intervals: cancellation grows like n^(r - 1).
CANCELLATION = {
    2: {5: 1e-15, 20: 6e-15, 40: 2e-14, 160: 7e-14},
    3: {5: 2e-14, 20: 2e-13, 40: 9e-13, 160: 2e-11},
    4: {5: 2e-13, 20: 5e-12, 40: 4e-11, 160: 3e-9},
    5: {5: 7e-13, 20: 5e-11, 40: 1e-9, 160: 3e-7},
}
CANCELLATION_IN_SINGLE = {
    2: {5: 5e-7, 40: 6e-6, 160: 3e-5},
    3: {5: 9e-6, 40: 4e-4, 160: 6e-3},
    4: {5: 7e-5, 40: 1e-2, 160: 9e-1},
    5: {5: 3e-4, 40: 4e-1, 160: 8e1},
}


def error_by_relus(knots: Knots) -> float:
    """The largest error of a B-spline made of power-ReLU functions between the ends, of values of size one."""
    x = torch.linspace(float(knots.inner[0]), float(knots.inner[-1]), 2001, dtype=knots.t.dtype)
    made = relu_basis(knots, x) @ change_of_basis(knots).mT
    return float((made - functions(Knots(knots.t.double(), knots.order), x.double())).abs().max())


@pytest.mark.parametrize("order", CANCELLATION)
def test_the_relu_functions_span_the_same_space_but_for_the_known_cancellation(order):
    for intervals, known in CANCELLATION[order].items():
        assert error_by_relus(Knots.uniform(0.0, 1.0, intervals, order)) < 10 * known
        if intervals <= 40:  # gaps of 0.2 to 1.2 cancel a little more
            assert error_by_relus(some_knots("uneven", order, intervals)) < 20 * known
    if order >= 4:  # an error far below what must cancel would not be that of these functions
        assert error_by_relus(Knots.uniform(0.0, 1.0, 160, order)) > CANCELLATION[order][160] / 100


@pytest.mark.parametrize("order", CANCELLATION_IN_SINGLE)
def test_the_relu_functions_lose_the_known_digits_in_single_precision(order):
    for intervals, known in CANCELLATION_IN_SINGLE[order].items():
        found = error_by_relus(Knots.uniform(0.0, 1.0, intervals, order, dtype=torch.float32))
        assert found < 10 * known
        if order == 4 and intervals >= 40:  # what the local form is for
            assert found > known / 10


@pytest.mark.parametrize("order", ORDERS)
def test_the_closed_form_of_the_change_of_basis_is_the_recursion(order):
    knots = Knots.uniform(0.0, 1.0, 9, order)
    closed = uniform_change_of_basis(knots.size, order, 1 / 9)
    limit = 1e-13 * float(closed.abs().max())
    np.testing.assert_allclose(recursive_change_of_basis(knots), closed, rtol=1e-12, atol=limit)
    np.testing.assert_allclose(change_of_basis(knots), closed, rtol=1e-13)


#: Largest over smallest eigenvalue of A^T A without spacing, for r = 1, ..., 4, by the number of functions.
SPREAD = {10: (175, 1.79e4, 1.10e6, 4.61e7), 50: (4.13e3, 8.74e6, 9.8e9, 6.7e12)}


@pytest.mark.parametrize("order", range(1, 5))
@pytest.mark.parametrize("size", SPREAD)
def test_the_change_of_basis_is_a_difference_operator(size, order):
    a = uniform_change_of_basis(size, order, 1.0)
    # of A, to more digits than the product A^T A holds; from the smallest singular value on
    values, vectors = (each.flip(0) for each in torch.linalg.svd(a)[1:])
    # the figures have two or three digits, of which the last is rounded
    assert float((values[-1] / values[0]) ** 2) == pytest.approx(SPREAD[size][order - 1], rel=3e-3)
    # what is zero but for round-off lies between entries of opposite sign, and its own sign says nothing
    signs = [vector[vector.abs() > 1e-8].sign() for vector in vectors]
    assert [int((sign[1:] != sign[:-1]).sum()) for sign in signs] == list(range(size))


# Refinement


@pytest.mark.parametrize("kind", ["uniform", "uneven"])
@pytest.mark.parametrize("order", ORDERS)
def test_refinement_changes_neither_values_nor_derivatives_even_beyond_the_ends(order, kind):
    coarse = some_knots(kind, order, 4)
    weights = torch.randn(coarse.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    low, high = float(coarse.inner[0]), float(coarse.inner[-1])
    x = torch.linspace(low - 0.3, high + 0.3, 211, dtype=torch.float64)
    before = [functions(coarse, x, m) @ weights for m in range(min(order, 3))]
    knots = coarse
    for _ in range(3):
        fine = knots.split()
        assert fine.intervals == 2 * knots.intervals
        weights, knots = weights @ refinement(knots, fine), fine
        for m, known in enumerate(before):
            after = functions(knots, x, m) @ weights
            # derivatives divide differences by the spacing: eps n^m
            np.testing.assert_allclose(after, known, atol=50 * 2.2e-16 * knots.intervals**m * float(known.abs().max()))


@pytest.mark.parametrize("order", ORDERS)
def test_halving_is_the_two_scale_relation_and_a_transposed_convolution(order):
    coarse = Knots.uniform(-1.0, 1.0, 6, order)
    p = refinement(coarse, coarse.split())
    np.testing.assert_allclose(p, uniform_refinement(coarse.size, order), atol=1e-15)
    np.testing.assert_allclose(p.sum(dim=0), 1.0, atol=1e-15)
    kernel = torch.tensor([2.0 ** (1 - order) * comb(order, s) for s in range(order + 1)], dtype=torch.float64)
    eye = torch.eye(coarse.size, dtype=torch.float64).unsqueeze(1)
    convolved = torch.nn.functional.conv_transpose1d(eye, kernel[None, None], stride=2, padding=order - 1)
    np.testing.assert_allclose(p, convolved.squeeze(1), atol=1e-15)


def test_two_refinements_are_one_of_four():
    coarse = some_knots("uneven", 4)
    middle, fine = coarse.split(), coarse.split().split()
    np.testing.assert_allclose(
        refinement(coarse, middle) @ refinement(middle, fine), refinement(coarse, fine), atol=1e-14
    )


def test_a_knot_where_it_is_needed_is_a_refinement_too():
    coarse = some_knots("uneven", 4)
    t = torch.cat([coarse.t, (coarse.inner[2:4].sum() / 2)[None]]).sort().values
    fine, x = Knots(t, 4), inside(coarse)
    p = refinement(coarse, fine)
    assert p.shape == (coarse.size, coarse.size + 1)
    np.testing.assert_allclose(functions(fine, x) @ p.mT, functions(coarse, x), atol=1e-14)


def test_the_factor_as_printed_gives_half_the_function():
    coarse = Knots.uniform(0.0, 1.0, 5, 4)
    fine, x = coarse.split(), inside(coarse)
    wrong = uniform_refinement(coarse.size, 4) / 2
    ratio = (functions(fine, x) @ wrong.mT)[functions(coarse, x) > 1e-3] / functions(coarse, x)[
        functions(coarse, x) > 1e-3
    ]
    np.testing.assert_allclose(ratio, 0.5, atol=1e-12)


def through_relus(coarse: Knots, fine: Knots) -> Tensor:
    """P = A I A'^-1 with I_ij = 1 where t_i = t'_j: from splines to power-ReLU functions, to finer ones, and back."""
    shared = (coarse.t[: coarse.size, None] - fine.t[: fine.size]).abs() < 1e-12
    return change_of_basis(coarse) @ shared.double() @ torch.linalg.inv(change_of_basis(fine))


@pytest.mark.parametrize("order", range(2, 6))
def test_the_way_through_relus_needs_the_coarse_knots_beyond_the_ends(order):
    coarse, rebuilt = (Knots.uniform(-1.0, 1.0, intervals, order) for intervals in (5, 10))
    every = torch.cat([coarse.t, (coarse.t[1:] + coarse.t[:-1]) / 2]).sort().values
    x = torch.linspace(-1.0, 1.0, 401, dtype=torch.float64)
    inner = slice(order - 1, order - 1 + rebuilt.size)  # functions that reach between the ends
    right = through_relus(coarse, Knots(every, order))[:, inner]
    np.testing.assert_allclose(right, refinement(coarse, rebuilt), atol=1e-11)  # cancels, as above
    np.testing.assert_allclose(functions(rebuilt, x) @ right.mT, functions(coarse, x), atol=1e-11)
    naive = through_relus(coarse, rebuilt)
    assert float((functions(rebuilt, x) @ naive.mT - functions(coarse, x)).abs().max()) > 1


# What is refused


def test_levels_that_do_not_nest_are_refused():
    coarse = Knots.uniform(0.0, 1.0, 4, 4)
    rebuilt = Knots.uniform(0.0, 1.0, 8, 4)  # without the outermost coarse knots, which reach no point inside
    np.testing.assert_allclose(refinement(coarse, rebuilt), uniform_refinement(coarse.size, 4), atol=1e-15)
    with pytest.raises(SettingsError, match="do not nest"):
        refinement(coarse, Knots.uniform(0.0, 1.0, 6, 4))
    with pytest.raises(SettingsError, match="do not nest"):
        refinement(coarse, Knots.uniform(0.0, 2.0, 8, 4))
    with pytest.raises(SettingsError, match="different order"):
        refinement(coarse, Knots.uniform(0.0, 1.0, 8, 3))


@pytest.mark.parametrize(
    ("t", "order", "words"),
    [
        ([0.0, 1.0, 1.0, 2.0], 2, "increase"),
        ([0.0, 2.0, 1.0, 3.0], 2, "2 before 1"),
        ([0.0, 1.0, 2.0], 2, "too few knots"),
        ([0.0, 1.0], 0, "order"),
    ],
)
def test_knots_that_cannot_be_are_refused(t, order, words):
    with pytest.raises(SettingsError, match=words):
        Knots(torch.tensor(t, dtype=torch.float64), order)


@pytest.mark.parametrize("intervals", [5, 320, 2000])
def test_equal_spacings_in_single_precision_are_equal_again(intervals):
    """Rounded knots are halved in closed form as well; those that differ by more than rounding stay as they are."""
    exact = Knots.uniform(-1.0, 1.0, intervals, 4)
    restored = Knots.restored(exact.t.float(), 4)
    assert restored.t.dtype == torch.float64
    np.testing.assert_allclose(restored.t, exact.t, rtol=0, atol=1e-15 * 4)
    assert restored.halves(restored.split())
    moved = exact.t.float()
    moved[3] += 1e-5
    np.testing.assert_array_equal(Knots.restored(moved, 4).t, moved.double())
