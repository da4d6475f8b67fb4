"""Batches of nodal fields that give matrices by one sparse product: where that may be done, and that it is right."""

# pyright: reportArgumentType=false
# scikit-fem declares its operators for values that its forms hold only at run time.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from forms import CPU, SOLID, crooked, discretised, form_of, numbers, posed, worst
from skfem.helpers import dot as their_dot
from skfem.helpers import grad as their_grad
from test_assembly import DEGREE, dense, lagrange

from pinnml import Weak, curl, div, dot, grad
from pinnml.elements import Element, Form, SparseMatrix
from pinnml.elements.coefficients import Affine
from pinnml.elements.form import FEWEST

#: Sums of some ten terms of both signs, 1e-16 each, in another order.
ROUND_OFF = 1e-13
COUNT = FEWEST + 3


def fields(corners: int, seed: int = 0, count: int = COUNT) -> torch.Tensor:
    """Positive nodal fields of two orders of magnitude, on both sides of 1, (count, corners)."""
    generator = torch.Generator().manual_seed(seed)
    return 10 ** (2 * torch.rand((count, corners), generator=generator, dtype=torch.float64) - 1)


@dataclass(frozen=True)
class Case:
    """A weak form, the fields it is of, and its parameters: nodal ones by name, and numbers."""

    weak: Any
    elements: tuple[Element | int, ...] = (2,)
    fields: Any = "u"
    nodal: tuple[str, ...] = ("k",)
    numbers: Mapping[str, float] = field(default_factory=dict)

    def form(self, name: str = "triangle") -> Form:
        declared = {**dict.fromkeys(self.nodal, 1.0), **self.numbers}
        return form_of(crooked(name), self.weak, *self.elements, fields=self.fields, parameters=declared)

    def given(self, corners: int) -> dict[str, Any]:
        return {name: fields(corners, seed) for seed, name in enumerate(self.nodal)} | dict(self.numbers)


def singles(form: Form, u: torch.Tensor, given: Mapping[str, Any]) -> torch.Tensor:
    """The numbers of as many matrices, found one by one."""
    batch = [{n: v[i] if torch.is_tensor(v) and v.ndim == 2 else v for n, v in given.items()} for i in range(COUNT)]
    return torch.stack([form.jacobian(u, each).values for each in batch])


def affine(form: Form, given: Mapping[str, Any]) -> Affine | None:
    known = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in given.items()}
    return Affine.of(form.patches, form.pattern, known)


def elastic(u, v, k, c, x):
    shear = sum(dot(grad(a), grad(b)) for a, b in zip(u, v, strict=True))
    return k * div(u) * div(v) + (1 + x) * c * shear - k * c * v[1]


def coupled(T, v_T, E, v_E, k, c):
    return k * (dot(E, v_E) + curl(E) * curl(v_E)) + c * dot(grad(T), grad(v_T)) + k * T * v_E[0] + T * v_T


PLANE: dict[str, Case] = {
    "a constant part": Case(lambda u, v, k, x: (1 + x * k) * dot(grad(u), grad(v)) + u * v),
    "no constant part": Case(lambda u, v, k: k * dot(grad(u), grad(v))),
    "two fields": Case(lambda u, v, k, c: k * dot(grad(u), grad(v)) - c * u.d("x") * v, nodal=("k", "c")),
    "a number": Case(lambda u, v, k, a: k * a**2 * u * v + torch.sin(a) * u.d("y") * v / 3, numbers={"a": 1.7}),
    "a source that is not linear": Case(lambda u, v, k: k * u * v - torch.exp(k) * k * v),
    "a source alone": Case(lambda u, v, k, x: x * u * v - k * v),
    "a switch in the place": Case(lambda u, v, k, x: torch.where(x < 0.5, k, 2 - k) * u * v),
    "zeros of a field": Case(lambda u, v, k, x: torch.where(x < 0.5, u, torch.zeros_like(u)) * k * v + u * v),
    "beside the place": Case(lambda u, v, k, x: torch.add(*torch.stack([k.value, x.value])) * u * v),
    "a face": Case(
        (
            lambda u, v: dot(grad(u), grad(v)),
            Weak(lambda u, v, k, y, normal: (y - k * normal[0]) * u * v - k * v, on="east", name="robin"),
        )
    ),
    "parts": Case(
        (
            Weak(lambda u, v, k, x: k * x * dot(grad(u), grad(v)), on="some", name="one"),
            Weak(lambda u, v, c: (1 - c) * u * v, on=("some", "others"), name="both"),
        ),
        nodal=("k", "c"),
    ),
    "a vector": Case(elastic, fields={"u": 2}, nodal=("k", "c")),
    "edges": Case(coupled, (1, Element("N1curl", 2)), {"T": 1, "E": 2}, ("k", "c")),
    "faces": Case(lambda u, v, k: k * dot(u, v) + div(u) * div(v), (Element("RT", 2),), {"u": 2}),
}


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


def squared_in_place(u, v, k):
    square = k.value.clone()
    square.mul_(square)
    return square * u * v


def without_gradient(u, v, k):
    with torch.no_grad():
        scaled = 3 * k.value
    return scaled * u * v


OTHER: dict[str, Case] = {
    "square": Case(lambda u, v, k: k**2 * u * v),
    "product with itself": Case(lambda u, v, k: k * (1 + k) * u * v),
    "product of two": Case(lambda u, v, k, c: k * u * v * c, nodal=("k", "c")),
    "quotient": Case(lambda u, v, k: u * v / k),
    "quotient of tensors": Case(lambda u, v, k: (1 / k.value) * u * v),
    "quotient of the place": Case(lambda u, v, k, x: (x.value / k.value) * u * v),
    "switch in the place": Case(lambda u, v, k, x: torch.where(x < 0.5, k, k * k) * u * v),
    "switch": Case(lambda u, v, k: torch.where(k > 1, k, 2 * k) * u * v),
    "switch in a narrow band": Case(lambda u, v, k: torch.where(abs(k - 1.0) < 1e-2, 2 * k, k) * u * v),
    "switch by another": Case(lambda u, v, k, c: torch.where(c > 1, k, 2 * k) * u * v, nodal=("k", "c")),
    "comparison": Case(lambda u, v, k: (k.value > 1).to(torch.float64) * u * v),
    "magnitude": Case(lambda u, v, k: abs(k - 1.0) * u * v),
    "exponential": Case(lambda u, v, k: torch.exp(k) * u * v),
    "limited": Case(lambda u, v, k: torch.clamp(k, max=1.0) * u * v),
    "nonlinear in u": Case(lambda u, v, k: k * (1 + u * u) * dot(grad(u), grad(v))),
    "nonlinear in u elsewhere": Case(lambda u, v, k: k * u * v + u**3 * v),
    "a switch in u": Case(lambda u, v, k: k * torch.where(u > 1, 2 * u, u) * v),
    "frozen u": Case(lambda u, v, k: k * u.value.detach() * u * v),
    "frozen k": Case(lambda u, v, k: k.value.detach() * u * v),
    "without derivatives": Case(without_gradient),
    "in place": Case(squared_in_place),
    "of few digits": Case(lambda u, v, k: k.value.float().double() * u * v),
    "out of reach": Case(lambda u, v, k: torch.tensor(k.value.detach().tolist(), dtype=torch.float64) * u * v),
    "a branch": Case(lambda u, v, k: k * u * v if bool((k.value > 0).all()) else u * v),
    "on a face": Case((lambda u, v, k: k * u * v, Weak(lambda u, v, k: k**4 * u * v, on="east", name="wall"))),
}


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
