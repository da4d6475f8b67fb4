"""Splines against SciPy and Cox-de Boor, the power-ReLU basis, and refinement that changes nothing."""

from __future__ import annotations

from math import comb, factorial

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import Tensor

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
from pinnml.networks.splines import dense, interval_of, pieces, series, windows

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


def cox_de_boor(t: np.ndarray, x: np.ndarray, order: int) -> np.ndarray:
    """The recursion as it stands in books, slow and for all functions, (n, N)."""
    values = ((x[:, None] >= t[:-1]) & (x[:, None] < t[1:])).astype(float)
    for r in range(2, order + 1):
        left = (x[:, None] - t[:-r]) / (t[r - 1 : -1] - t[:-r])
        right = (t[r:] - x[:, None]) / (t[r:] - t[1 : len(t) - r + 1])
        values = left * values[:, :-1] + right * values[:, 1:]
    return values


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
@pytest.mark.parametrize("order", range(2, 6))
def test_derivatives_are_those_of_scipy(order, kind):
    knots = some_knots(kind, order)
    x = inside(knots)
    for m in range(order - 1):
        elements = (BSpline.basis_element(knots.t[i : i + order + 1].numpy(), False) for i in range(knots.size))
        known = np.stack([np.nan_to_num((e.derivative(m) if m else e)(x.numpy())) for e in elements], axis=1)
        # 1e-14 of the largest entry: differences of nearly equal polynomials lose a digit or two
        np.testing.assert_allclose(functions(knots, x, m), known, atol=1e-14 * max(np.abs(known).max(), 1))


def test_a_spline_goes_on_as_a_polynomial_beyond_its_ends():
    knots = some_knots("uneven", 4)
    weights = torch.randn(knots.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    low, width = float(knots.inner[0]), float(knots.inner[1] - knots.inner[0])
    x = low + width * torch.linspace(-1.0, 0.99, 40, dtype=torch.float64)
    values = functions(knots, x) @ weights
    cubic = np.polynomial.Polynomial.fit(x[20:].numpy(), values[20:].numpy(), 3)
    np.testing.assert_allclose(values, cubic(x.numpy()), atol=1e-9)


@pytest.mark.parametrize("order", range(2, 5))
def test_single_precision_keeps_its_digits_with_many_knots(order):
    fine = Knots.uniform(-1.0, 1.0, 160, order)
    single = Knots.uniform(-1.0, 1.0, 160, order, dtype=torch.float32)
    x = torch.linspace(-0.99, 0.99, 500, dtype=torch.float32)
    exact = functions(fine, x.double())
    # one rounding of x moves it by 6e-8, a slope of up to 160 makes 1e-5 of that
    np.testing.assert_allclose(functions(single, x), exact, atol=3e-5)
    by_relu = relu_basis(single, x) @ change_of_basis(single).mT
    if order == 4:  # what the local form is for
        assert float((by_relu - exact).abs().max()) > 0.1


def test_values_can_be_differentiated_in_the_knots():
    t = some_knots("uneven", 4).t
    x = torch.linspace(float(t[4]) + 0.01, float(t[-5]) - 0.02, 5, dtype=torch.float64)  # away from knots
    assert torch.autograd.gradcheck(lambda t: local_series(Knots(t, 4), x, 2)[1], t.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda t: pieces(windows(t, 4)), t.clone().requires_grad_())


# The power-ReLU basis

#: Largest error of a B-spline made of power-ReLU functions: cancellation grows like n^(r - 1).
CANCELLATION = {2: (2e-14, 1e-13), 3: (2e-13, 3e-12), 4: (2e-12, 2e-10), 5: (1e-11, 5e-9)}


@pytest.mark.parametrize("order", range(2, 6))
def test_the_relu_functions_span_the_same_space(order):
    for intervals, bound in zip((5, 40), CANCELLATION[order], strict=True):
        for kind in ("uniform", "uneven"):
            knots = some_knots(kind, order, intervals)
            x = inside(knots)
            made = relu_basis(knots, x) @ change_of_basis(knots).mT
            np.testing.assert_allclose(made, functions(knots, x), atol=20 * bound)


@pytest.mark.parametrize("order", ORDERS)
def test_the_closed_form_of_the_change_of_basis_is_the_recursion(order):
    knots = Knots.uniform(0.0, 1.0, 9, order)
    closed = uniform_change_of_basis(knots.size, order, 1 / 9)
    limit = 1e-13 * float(closed.abs().max())
    np.testing.assert_allclose(recursive_change_of_basis(knots), closed, rtol=1e-12, atol=limit)
    np.testing.assert_allclose(change_of_basis(knots), closed, rtol=1e-13)


#: Largest over smallest eigenvalue of A^T A without spacing, 50 functions.
SPREAD = {1: 4.13e3, 2: 8.74e6, 3: 9.8e9, 4: 6.7e12}


@pytest.mark.parametrize("order", SPREAD)
def test_the_change_of_basis_is_a_difference_operator(order):
    a = uniform_change_of_basis(50, order, 1.0) * factorial(order - 1)
    values, vectors = torch.linalg.eigh(a.mT @ a)
    smallest = torch.linalg.svdvals(a)[-1] ** 2  # to more digits than the product holds
    assert float(values[-1] / smallest) == pytest.approx(SPREAD[order], rel=0.01)
    if order == 1:
        changes = (vectors[1:].sign() != vectors[:-1].sign()).sum(dim=0)
        np.testing.assert_array_equal(changes, np.arange(50))


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


def test_gradients_go_back_by_the_transposed_matrix():
    coarse = some_knots("uneven", 4)
    fine, x = coarse.split(), inside(coarse)
    p = refinement(coarse, fine)
    weights = torch.randn(coarse.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def loss(knots: Knots, w: Tensor) -> Tensor:
        return (functions(knots, x) @ w - torch.sin(x)).square().sum()

    on_coarse = torch.func.grad(lambda w: loss(coarse, w))(weights)
    on_fine = torch.func.grad(lambda w: loss(fine, w))(weights @ p)
    np.testing.assert_allclose(p @ on_fine, on_coarse, rtol=1e-12, atol=1e-12)


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
