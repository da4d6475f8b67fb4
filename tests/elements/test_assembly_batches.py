"""Batches of nodal fields that give matrices by one sparse product: where that may be done, and that it is right."""

# pyright: reportArgumentType=false
# scikit-fem declares its operators for values that its forms hold only at run time.

from __future__ import annotations

import pytest
import torch
from skfem.helpers import dot as their_dot
from skfem.helpers import grad as their_grad

from pinnml import curl, dot, grad
from pinnml.elements import Element, SparseMatrix
from tests.helpers.batches import (
    COUNT,
    OTHER,
    PLANE,
    ROUND_OFF,
    Case,
    affine,
    fields,
    singles,
)
from tests.helpers.forms import CPU, SOLID, crooked, discretised, form_of, numbers, posed, worst
from tests.helpers.scikit_fem import DEGREE, dense, lagrange

#: Those in which every part of the matrix is proportional to a nodal field.
NO_CONSTANT = ("no constant part", "two fields", "a source that is not linear", "a vector")


@pytest.mark.parametrize("case", PLANE)
@pytest.mark.parametrize("name", ["triangle", "quad", "triangle6"])
def test_a_batch_is_as_many_single_calls(name: str, case: str):
    form = PLANE[case].form(name)
    given, u = PLANE[case].given(form.corners), numbers(form.size)
    expected, found = singles(form, u, given), affine(form, given)
    assert found is not None
    assert (found.constant is None) == (case in NO_CONSTANT)
    # found.numbers are those that are checked against a single call, which would put right what is wrong in them
    for values in (found.numbers(given, COUNT), form.jacobian(u, given).values, form.jacobian(u, given).values):
        assert values.shape == (COUNT, len(form.pattern.columns))
        for one, other in zip(values, expected, strict=True):
            assert worst(one, other) < ROUND_OFF
    if case != "a source alone":
        assert worst(expected[0], expected[1]) > 1e-3


def test_a_matrix_of_no_fields_is_zero():
    form = Case(lambda u, v, k: k * k * v).form()
    assert not form.jacobian(numbers(form.size), {"k": fields(form.corners)}).values.any()


def test_parts_of_matrices_that_are_zero_take_no_memory():
    form = Case(lambda u, v, k: k * u[0] * v[1], fields={"u": 2}).form()
    single = Case(lambda u, v, k: k * u * v).form()
    found, alone = (affine(each, {"k": fields(each.corners)}) for each in (form, single))
    assert found is not None
    assert alone is not None
    assert len(found.slopes["k"].numbers) == len(alone.slopes["k"].numbers)


@pytest.mark.parametrize("name", ["tetra", "hexahedron"])
def test_a_batch_on_turned_edge_elements_is_as_many_single_calls(name: str):
    case = Case(lambda E, v, k, x: k * dot(curl(E), curl(v)) + x * dot(E, v), (Element("N1curl", 2),), {"E": 3})
    form = case.form(name)
    given, u = case.given(form.corners), numbers(form.size)
    found = affine(form, given)
    assert found is not None
    assert worst(found.numbers(given, COUNT), singles(form, u, given)) < ROUND_OFF


@pytest.mark.parametrize("name", SOLID)
def test_a_batch_of_linear_fields_gives_the_matrices_of_scikit_fem(name: str):
    # linear functions of the place are met exactly by their values at the corners of any of these cells
    def weak(u, v, k, c):
        return k * dot(grad(u), grad(v)) + c * u * v

    mesh = crooked(name)
    parts = discretised(posed(mesh, weak, parameters={"k": 1.0, "c": 1.0}), 2)
    form, (basis, order) = parts.form(CPU, DEGREE), lagrange(parts, 2)
    slopes = numbers(COUNT * 3).view(COUNT, 3)
    place = torch.from_numpy(mesh.cells.points)[:, :2]
    k = slopes[:, :1] + slopes[:, 1:] @ place.T
    found = affine(form, {"k": k, "c": 2 * k})
    assert found is not None
    for values, (a, b, c) in zip(found.numbers({"k": k, "c": 2 * k}, COUNT), slopes.tolist(), strict=True):

        def theirs(u, v, w, a=a, b=b, c=c):
            return (a + b * w.x[0] + c * w.x[1]) * (their_dot(their_grad(u), their_grad(v)) + 2 * u * v)

        ours = SparseMatrix(form.pattern, values).to_scipy().toarray()
        assert worst(ours, dense(theirs, basis, order)) < 1e-12


@pytest.mark.parametrize("case", OTHER)
def test_what_is_not_affine_goes_the_general_way(case: str):
    form = OTHER[case].form()
    given, u = OTHER[case].given(form.corners), numbers(form.size)
    assert affine(form, given) is None
    assert worst(form.jacobian(u, given).values, singles(form, u, given)) < ROUND_OFF


def test_other_numbers_and_other_nodal_names_are_other_matrices():
    form = Case(lambda u, v, k, a: (a + k) * a * u * v, nodal=("k", "a")).form()
    k, u = fields(form.corners), numbers(form.size)
    for a in (1.0, 3.0, k[0], 1.0):
        assert worst(form.jacobian(u, {"k": k, "a": a}).values, singles(form, u, {"k": k, "a": a})) < ROUND_OFF
        assert worst(form.jacobian(u, {"k": 2.0, "a": k}).values, singles(form, u, {"k": 2.0, "a": k})) < ROUND_OFF


def test_another_number_is_told_by_itself():
    # fields of the mean zero, exactly: the one matrix by which a batch is checked is zero whatever the number is
    form = Case(lambda u, v, k, a: k * a * u * v, nodal=("k", "a")).form()
    some, u = (8 * fields(form.corners)).round()[: COUNT // 2], numbers(form.size)
    k = torch.cat([some, -some, torch.zeros_like(some[: COUNT % 2])])
    for a in (1.0, 3.0):
        assert worst(form.jacobian(u, {"k": k, "a": a}).values, singles(form, u, {"k": k, "a": a})) < ROUND_OFF


def test_a_batch_may_stand_beside_one_field():
    case = PLANE["two fields"]
    form = case.form()
    given, u = {"k": fields(form.corners), "c": fields(form.corners, 1)[0]}, numbers(form.size)
    assert worst(form.jacobian(u, given).values, singles(form, u, given)) < ROUND_OFF
    alone = form.jacobian(u, {"k": given["c"], "c": given["k"]}).values
    assert worst(alone, singles(form, u, {"k": given["c"], "c": given["k"]})) < ROUND_OFF


def test_matrices_that_do_not_depend_on_a_batch_are_apart_in_memory():
    case = PLANE["a source alone"]
    form = case.form()
    values = form.jacobian(numbers(form.size), case.given(form.corners)).values
    values[0] *= 2
    assert worst(values[0], 2 * values[1]) == 0


@pytest.mark.parametrize("magnitude", [1e-12, 1e12])
def test_a_small_slope_beside_a_large_part_keeps_its_digits(magnitude: float):
    # the slope by k is no difference of two matrices: at fields of 1 / magnitude both parts are alike
    def weak(u, v, k):
        return (1 + magnitude * k) * dot(grad(u), grad(v))

    form = form_of(crooked("triangle"), weak, 2, parameters={"k": 1.0})
    given, u = {"k": fields(form.corners) / magnitude}, numbers(form.size)
    found = affine(form, given)
    assert found is not None
    assert worst(found.numbers(given, COUNT), singles(form, u, given)) < ROUND_OFF
