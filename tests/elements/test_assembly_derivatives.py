"""Jacobians against the derivatives of residuals, batches of parameters, and sparse matrices against dense ones."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from pinnml import Weak, curl, dot, grad
from pinnml.elements import Element, Form
from pinnml.elements.form import AT_ONCE
from pinnml.elements.sparse import Pattern
from tests.helpers.forms import SOLID, crooked, form_of, matrix, numbers, uniform, worst

#: Sums of some hundred terms of both signs, 1e-15 each, in another order.
ROUND_OFF = 1e-12


def heated(u, v, x):
    return (1 + u * u) * dot(grad(u), grad(v)) - torch.exp(x * u) * v


def p_laplacian(u, v):
    return (0.01 + dot(grad(u), grad(u))) ** 0.5 * dot(grad(u), grad(v)) - v


def wind(u, v, y):
    return u * (u.d("x") + y * u.d("y")) * v + dot(grad(u), grad(v))


def radiating(u, v):
    return u**4 * v


NONLINEAR = {
    "heated": (heated, False),
    "p_laplacian": (p_laplacian, True),
    "wind": (wind, False),
    "radiating": ((lambda u, v: dot(grad(u), grad(v)), Weak(radiating, on="east")), True),
}


def slope_of(form: Form, u: torch.Tensor) -> Any:
    """The derivative of the residual, a dense matrix."""
    return torch.autograd.functional.jacobian(form.residual, u)


@pytest.mark.parametrize("weak", NONLINEAR)
@pytest.mark.parametrize("name", SOLID)
def test_the_jacobian_is_the_derivative_of_the_residual(name: str, weak: str):
    integrand, symmetric = NONLINEAR[weak]
    form = form_of(crooked(name), integrand, 2)
    u = numbers(form.size)
    found = matrix(form, u)
    assert worst(found, slope_of(form, u)) < ROUND_OFF
    assert (worst(found, found.T) < ROUND_OFF) == symmetric
    assert worst(found, matrix(form, u * u)) > 1e-3


@pytest.mark.parametrize("weak", NONLINEAR)
def test_the_jacobian_is_the_limit_of_differences(weak: str):
    # two central differences, extrapolated: of order h^4 = 1e-12 with round-off 1e-15 / h = 1e-12
    form = form_of(crooked("triangle"), NONLINEAR[weak][0], 1)
    u, along, h = numbers(form.size), numbers(form.size, 1) - 1, 1e-3

    def difference(h: float) -> torch.Tensor:
        return (form.residual(u + h * along) - form.residual(u - h * along)) / (2 * h)

    extrapolated = (4 * difference(h) - difference(2 * h)) / 3
    assert worst(form.jacobian(u) @ along, extrapolated) < 1e-9
    assert worst(1.0001 * (form.jacobian(u) @ along), extrapolated) > 1e-5


def test_coupled_fields_and_edge_elements_have_the_derivative_of_the_residual():
    def weak(T, v_T, E, v_E):
        return (1 + T * T) * (dot(E, v_E) + curl(E) * curl(v_E)) + dot(grad(T), grad(v_T)) - T * dot(E, E) * v_T

    form = form_of(crooked("triangle"), weak, 2, Element("N1curl", 1), fields={"T": 1, "E": 2})
    u = numbers(form.size)
    assert worst(matrix(form, u), slope_of(form, u)) < ROUND_OFF


CONSTANT = {
    "stiffness": (lambda u, v: dot(grad(u), grad(v)), lambda u, v, x: dot(grad(u), grad(v)) + 0 * x * v),
    "advection": (lambda u, v: 3 * u.d("x") * v + u * v, lambda u, v, x: (3 + 0 * x) * u.d("x") * v + u * v),
    "source": (lambda u, v: u * v - 7.0 * v, lambda u, v, x: u * v - (7.0 + 0 * x) * v),
}


@pytest.mark.parametrize("weak", CONSTANT)
@pytest.mark.parametrize("name", SOLID)
@pytest.mark.parametrize("degree", [1, 2])
def test_the_way_of_constant_coefficients_is_the_general_one(name: str, weak: str, degree: int):
    short, general = (form_of(crooked(name), each, degree) for each in CONSTANT[weak])
    assert all(patch.integrand.constant_slopes({}) is not None for patch in short.patches)
    assert all(patch.integrand.constant_slopes({}) is None for patch in general.patches)
    assert worst(matrix(short), matrix(general)) < 1e-14
    assert worst(matrix(short) * 1.0001, matrix(general)) > 1e-5


def test_numbers_may_stand_in_constant_coefficients():
    short = form_of(crooked("tetra"), lambda u, v, k: k * u * v, 1, parameters={"k": 1.0})
    given = {"k": torch.tensor(2.5, dtype=torch.float64)}
    assert short.patches[0].integrand.constant_slopes(given) is not None
    expected = 2.5 * matrix(form_of(crooked("tetra"), lambda u, v: u * v, 1))
    assert worst(matrix(short, None, {"k": 2.5}), expected) < 1e-15


NOT_CONSTANT = {
    "place": lambda u, v, x: x * u * v,
    "nonlinear": lambda u, v: u * u * v,
    "hidden in a slope": lambda u, v: u.d("x") ** 3 * v,
    "switch": lambda u, v: torch.where(u > 0, 2 * u, u) * v,
    "a narrow switch": lambda u, v: torch.where((u > 3.21) & (u < 3.22), 2 * u, u) * v,
    "a switch by a factor": lambda u, v: (u.value > 3.21) * (u.value < 3.22) * u * v + u * v,
    "nodal": lambda u, v, k: k * u * v,
}


@pytest.mark.parametrize("weak", NOT_CONSTANT)
def test_other_coefficients_go_the_general_way(weak: str):
    parameters = {"k": 1.0} if weak == "nodal" else {}
    form = form_of(crooked("triangle"), NOT_CONSTANT[weak], 1, parameters=parameters)
    given = {"k": torch.ones(1, 9, dtype=torch.float64)} if parameters else {}
    assert form.patches[0].integrand.constant_slopes(given) is None


@pytest.mark.parametrize("threshold", [0.5, 5.0, 100.0, 1e6])
def test_a_switch_far_from_zero_goes_the_general_way_too(threshold: float):
    def weak(u, v):
        return torch.where(u > threshold, 2 * (u - threshold) + u, u) * v

    form = form_of(crooked("triangle"), weak, 1)
    u = 2 * threshold * numbers(form.size)
    assert worst(matrix(form, u), slope_of(form, u)) < ROUND_OFF


def conducting(u, v, k, x):
    return k * (1 + u * u) * dot(grad(u), grad(v)) - k * x * v


def conducting_linearly(u, v, k):
    return k * dot(grad(u), grad(v)) - k * k * v


def nodal(form: Form, corners: int, count: int = 3) -> torch.Tensor:
    return torch.stack([numbers(corners, seed) for seed in range(7, 7 + count)])


@pytest.mark.parametrize("weak", [conducting, conducting_linearly])
@pytest.mark.parametrize("name", SOLID)
def test_a_batch_of_nodal_fields_is_as_many_single_calls(name: str, weak: Any):
    mesh = crooked(name)
    form = form_of(mesh, weak, 2, parameters={"k": 1.0})
    k, u = nodal(form, len(mesh.cells.points)), numbers(form.size)
    residuals, jacobians = form.residual(u, {"k": k}), form.jacobian(u, {"k": k})
    assert residuals.shape == (3, form.size)
    for each, residual, values in zip(k, residuals, jacobians.values, strict=True):
        assert worst(residual, form.residual(u, {"k": each})) < 1e-13
        assert worst(values, form.jacobian(u, {"k": each}).values) < 1e-13
    assert worst(residuals[0], form.residual(u, {"k": k[1]})) > 1e-2
    along = numbers(form.size, 3)
    assert worst((jacobians @ along)[2], form.jacobian(u, {"k": k[2]}) @ along) < 1e-13


@pytest.mark.parametrize("name", SOLID)
def test_nodal_values_are_those_at_the_corners_of_the_mesh(name: str):
    # a linear function is met exactly by its values at the corners of any of these cells
    mesh = crooked(name)
    place = torch.from_numpy(mesh.cells.points)
    value = 1 + place[:, 0] + 2 * place[:, 1]
    form = form_of(mesh, conducting_linearly, 1, parameters={"k": 1.0})
    known = form_of(mesh, lambda u, v, x, y: conducting_linearly(u, v, 1 + x + 2 * y), 1)
    assert worst(matrix(form, None, {"k": value}), matrix(known)) < 1e-13


def test_a_batch_that_is_cut_in_pieces_keeps_its_order():
    # 512 cells with 3 points: 42 fields at a time, so that 100 go in three pieces
    def weak(u, v, a):
        return a * dot(grad(u), grad(v)) + a**2 * u * v

    form = form_of(uniform("triangle", 16), weak, 1, parameters={"a": 1.0})
    assert AT_ONCE["cpu"] // max(patch.weight.numel() for patch in form.patches) < 50
    batch = 1 + torch.rand(100, form.corners, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u = numbers(form.size)
    residuals, matrices = form.residual(u, {"a": batch}), form.jacobian(u, {"a": batch}).values
    for row in (0, 41, 42, 83, 84, 99):
        torch.testing.assert_close(residuals[row], form.residual(u, {"a": batch[row]}), rtol=1e-12, atol=1e-12)
        alone = form.jacobian(u, {"a": batch[row]}).values
        torch.testing.assert_close(matrices[row], alone, rtol=1e-12, atol=1e-12)


def test_numbers_are_constant_nodal_fields():
    mesh = crooked("quad")
    form = form_of(mesh, conducting, 1, parameters={"k": 1.0})
    u, one = numbers(form.size), torch.ones(len(mesh.cells.points), dtype=torch.float64)
    assert worst(form.residual(u, {"k": 2.0}), form.residual(u, {"k": 2 * one})) < 1e-14
    assert worst(matrix(form, u, {"k": 2.0}), matrix(form, u, {"k": 2 * one})) < 1e-14


def test_a_batch_may_stand_beside_a_single_field_and_a_number():
    mesh = crooked("triangle")
    form = form_of(mesh, lambda u, v, a, b, c: a * b * c * u * v, 1, parameters={"a": 1.0, "b": 1.0, "c": 1.0})
    corners = len(mesh.cells.points)
    a, b = nodal(form, corners), numbers(corners, 3)
    u = numbers(form.size)
    found = form.residual(u, {"a": a, "b": b, "c": 2.0})
    expected = torch.stack([form.residual(u, {"a": each, "b": b, "c": 2.0}) for each in a])
    assert worst(found, expected) < 1e-13


@pytest.mark.parametrize("weak", [conducting, conducting_linearly])
@pytest.mark.parametrize("batch", [None, 2])
def test_residuals_and_jacobians_are_differentiable(weak: Any, batch: int | None):
    mesh = crooked("triangle", 1)
    form = form_of(mesh, weak, 1, parameters={"k": 1.0})
    k = nodal(form, len(mesh.cells.points), batch or 1)
    u, k = numbers(form.size).requires_grad_(), (k if batch else k[0]).requires_grad_()
    assert torch.autograd.gradcheck(lambda u, k: form.residual(u, {"k": k}), (u, k))
    assert torch.autograd.gradcheck(lambda u, k: form.jacobian(u, {"k": k}).values, (u, k))


def test_jacobians_are_differentiable_by_a_number():
    form = form_of(crooked("quad", 1), lambda u, v, k: k * k * u * v, 1, parameters={"k": 1.0})
    u, k = numbers(form.size), torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda k: form.jacobian(u, {"k": k}).values, (k,))


def test_a_pattern_sums_repeated_entries_in_any_order():
    generator = np.random.default_rng(0)
    rows, columns = generator.integers(0, 7, (2, 200))
    entries = torch.from_numpy(generator.standard_normal((3, 200)))
    dense = np.zeros((3, 7, 7))
    for each, values in zip(dense, entries.numpy(), strict=True):
        np.add.at(each, (rows, columns), values)
    pattern = Pattern.of(torch.from_numpy(rows), torch.from_numpy(columns), 7)
    batch, x = pattern.summed(entries), torch.from_numpy(generator.standard_normal(7))
    # sums of some ten terms
    assert np.abs((batch @ x).numpy() - dense @ x.numpy()).max() < 1e-13
    for each, expected in zip(entries, dense, strict=True):
        single = pattern.summed(each)
        assert np.abs(single.to_scipy().toarray() - expected).max() < 1e-14
        assert np.abs((single @ x).numpy() - expected @ x.numpy()).max() < 1e-13
        assert single.to_scipy().has_canonical_format
    assert len(pattern.columns) == len({*zip(rows.tolist(), columns.tolist(), strict=True)})


def test_a_pattern_keeps_rows_without_entries():
    pattern = Pattern.of(torch.tensor([3, 3, 1]), torch.tensor([0, 0, 2]), 5)
    found = pattern.summed(torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))
    expected = np.zeros((5, 5))
    expected[3, 0], expected[1, 2] = 3, 4
    assert np.array_equal(found.to_scipy().toarray(), expected)
    assert (found @ torch.arange(5.0, dtype=torch.float64)).tolist() == [0, 8, 0, 0, 0]


def test_a_pattern_is_found_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Pattern.of(torch.tensor([0]), torch.tensor([0]), 1)
    assert isinstance(found, Pattern)
