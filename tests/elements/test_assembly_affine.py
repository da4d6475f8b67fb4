"""How batches of nodal fields come to their matrices: which products are found, what is kept, and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, random_array

from pinnml import dot, grad
from pinnml.elements import coefficients
from pinnml.elements.coefficients import Rows
from pinnml.elements.form import FEWEST
from pinnml.elements.monomials import TEST, TRIAL, monomials
from tests.helpers.batches import COUNT, OTHER, PLANE, ROUND_OFF, Case, affine, fields, singles
from tests.helpers.forms import CPU, form_of, numbers, uniform, worst

MIXING = {
    "mean": lambda u, v, k: k.value.mean() * u * v,
    "one point": lambda u, v, k: k.value[0] * u * v,
    "some points": lambda u, v, k: torch.cat([k.value[:5], k.value[5:]]) * u * v,
    "backwards": lambda u, v, k: k.value.flip(0) * u * v,
    "shifted": lambda u, v, k: torch.roll(k.value, 1) * u * v,
    "summed": lambda u, v, k: torch.cumsum(k.value, 0) * u * v,
    "table": lambda u, v, k: (k.value[:, None] * k.value[None].detach()).sum(1) * u * v,
    "rows": lambda u, v, k: k.value.view(2, -1).T.reshape(-1) * u * v,
}


@pytest.mark.parametrize("weak", MIXING)
def test_integrands_that_mix_points_are_told(weak: str):
    case = Case(MIXING[weak])
    form = case.form()
    assert affine(form, case.given(form.corners)) is None


def products(weak: Any, *nodal: str) -> Any:
    form = Case(weak, nodal=nodal).form()
    return monomials(form.patches[0].integrand, {}, nodal)


def test_the_products_of_an_integrand_are_found():
    def weak(u, v, k, c, x):
        return (1 + x * k) * u * v - c * k * v + torch.sin(c) * u.d("x") * v

    u, v = TRIAL, TEST
    assert products(weak, "k", "c") - {()} == {
        tuple(sorted(factors)) for factors in [(u, v), ("k", u, v), ("c", "k", v), ("c", "c", u, v)]
    }
    assert products(lambda u, v: u * v) - {()} == {tuple(sorted((u, v)))}


def counted(seen: list[int]) -> Case:
    def weak(u, v, k):
        seen.append(len(k.value))
        return k * dot(grad(u), grad(v))

    return Case(weak)


def test_a_further_batch_asks_the_integrand_for_one_field_alone():
    case = counted(seen := [])
    form = case.form()
    given, u, points = case.given(form.corners), numbers(form.size), form.patches[0].weight.numel()
    form.jacobian(u, given)
    seen.clear()
    form.jacobian(u, {"k": 2 * given["k"]})
    assert seen == [points]
    seen.clear()
    form.jacobian(u, {"k": given["k"][: FEWEST - 1]})  # few are not worth it
    assert seen == [points * (FEWEST - 1)]
    form.jacobian(u, {"k": given["k"][:FEWEST]})
    assert seen[1:] == [points]


def test_an_integrand_that_changes_is_found_out():
    factor, seen = {"of k": 2.0}, []

    def weak(u, v, k):
        seen.append(len(k.value))
        return factor["of k"] * k * u * v

    case = Case(weak)
    form = case.form()
    given, u, points = case.given(form.corners), numbers(form.size), form.patches[0].weight.numel()
    given["k"][0] = 0.0  # a field that does not tell
    before = form.jacobian(u, given).values
    factor["of k"] = 2.0 + 1e-9
    expected = singles(form, u, given)
    for _ in range(3):  # the general way, what is found anew, and that known
        seen.clear()
        after = form.jacobian(u, given).values
        assert worst(after, expected) < ROUND_OFF
    assert seen == [points]
    assert worst(before, after) > 1e-10


def test_a_wrong_word_about_an_integrand_does_no_harm(monkeypatch: pytest.MonkeyPatch):
    claimed = frozenset({tuple(sorted(("k", TRIAL, TEST)))})
    monkeypatch.setattr(coefficients, "monomials", lambda *_: claimed)
    case = OTHER["square"]
    form = case.form()
    given, u = case.given(form.corners), numbers(form.size)
    assert affine(form, given) is not None
    assert worst(form.jacobian(u, given).values, singles(form, u, given)) < ROUND_OFF


def test_what_would_take_much_memory_goes_the_general_way(monkeypatch: pytest.MonkeyPatch):
    case = PLANE["two fields"]
    form = case.form()
    given, u = case.given(form.corners), numbers(form.size)
    needed = 2 * 3 * len(form.pattern.places)  # of two parameters at three corners
    monkeypatch.setattr(coefficients, "MOST", needed)
    assert affine(form, given) is not None
    monkeypatch.setattr(coefficients, "MOST", needed - 1)
    assert affine(form, given) is None
    assert worst(form.jacobian(u, given).values, singles(form, u, given)) < ROUND_OFF


DIFFERENTIATED = ["a constant part", "two fields", "a face"]


@pytest.mark.parametrize("case", DIFFERENTIATED)
def test_matrices_of_a_batch_are_differentiable(case: str):
    declared = dict.fromkeys(PLANE[case].nodal, 1.0)
    form = form_of(uniform("triangle", 1), PLANE[case].weak, 1, parameters=declared)
    u = numbers(form.size).requires_grad_()
    given = tuple(fields(form.corners, seed).requires_grad_() for seed in range(len(declared)))

    def values(u: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
        return form.jacobian(u, dict(zip(declared, given, strict=True))).values

    assert affine(form, dict(zip(declared, given, strict=True))) is not None
    assert torch.autograd.gradcheck(values, (u, *given))
    assert torch.autograd.gradgradcheck(lambda *given: values(u.detach(), *given).square(), given)


def test_derivatives_of_a_batch_are_those_of_single_calls():
    case = PLANE["a vector"]
    form = case.form()
    u, weight = numbers(form.size), numbers(COUNT * len(form.pattern.columns), 1).view(COUNT, -1)
    slopes = []
    for way in (lambda given: form.jacobian(u, given).values, lambda given: singles(form, u, given)):
        given = {name: value.requires_grad_() for name, value in case.given(form.corners).items()}
        slopes.append(torch.autograd.grad((weight * way(given)).sum(), list(given.values())))
    for found, expected in zip(*slopes, strict=True):
        assert worst(found, expected) < 1e-12


def test_a_number_that_is_differentiated_by_goes_the_general_way():
    form = Case(lambda u, v, k, a: k * a * a * u * v, nodal=("k", "a")).form()
    k, a = fields(form.corners), torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    u = numbers(form.size)
    form.jacobian(u, {"k": k, "a": 1.5})
    values = form.jacobian(u, {"k": k, "a": a}).values
    (slope,) = torch.autograd.grad(values.sum(), a)
    assert float(slope) == pytest.approx(2 / 1.5 * float(values.detach().sum()), rel=1e-12)


@pytest.mark.parametrize("at_once", [1, 12, 36, 10**6])
def test_products_in_pieces_are_those_of_a_dense_matrix(monkeypatch: pytest.MonkeyPatch, at_once: int):
    # 3 vectors and 12 rows: by 1, 4 and 12 rows, and all at once
    monkeypatch.setattr(coefficients, "AT_ONCE", {"cpu": at_once})
    matrix = csr_array(random_array((12, 5), density=0.3, rng=np.random.default_rng(0)))
    assert 0 in np.diff(matrix.indptr)
    rows, x = Rows.of(matrix, 5, CPU), numbers(15).view(3, 5)
    truth = torch.from_numpy(matrix.toarray())
    torch.testing.assert_close(rows.times(x), x @ truth.T, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(rows.transposed.times(x @ truth.T), x @ truth.T @ truth, rtol=1e-14, atol=1e-14)


def test_a_matrix_without_numbers_gives_zeros():
    rows = Rows.of(csr_array((4, 5)), 5, CPU)
    assert rows.times(numbers(15).view(3, 5)).tolist() == [[0.0] * 4] * 3
    assert rows.transposed.times(numbers(12).view(3, 4)).tolist() == [[0.0] * 5] * 3
