"""Weak forms, elements and conditions that cannot be are refused by name, with what was expected, what came, a cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pinnml import Box, Equation, Problem, Weak, dot, grad, laplacian, normal_derivative, reference
from pinnml.elements import Element
from pinnml.errors import MissingDerivativeError, PinnmlError, ProblemError, SettingsError, ShapeError, UnknownNameError
from tests.helpers.forms import crooked, form_of, numbers, posed, uniform

MESH = uniform("triangle", 2)


def slopes(u, v):
    return dot(grad(u), grad(v))


def solved(weak: Any, fields: Any = "u", **options: Any) -> Any:
    return reference(posed(MESH, weak, fields), **options)


def conditioned(*conditions: Any, weak: Any = slopes, fields: Any = "u", **more: Any) -> Problem:
    """A problem with these conditions on the boundary."""
    walls = tuple(Equation(each, on="boundary", name=f"condition {i}") for i, each in enumerate(conditions))
    return Problem(domain=MESH, fields=fields, equations=walls, weak=weak, **more)


def both(u, p, v_u, v_p):
    return dot(grad(u), grad(v_u)) + p * v_p


def inside(u):
    return laplacian(u)


def bent_by_the_network(u, x):
    return x * u


BAD: dict[str, tuple[Callable[[], Any], type[PinnmlError], str]] = {
    "quadratic in v": (lambda: solved(lambda u, v: u * v * v), ProblemError, "not linear in the test function"),
    "a term without v": (lambda: solved(lambda u, v: slopes(u, v) - 1.0), ProblemError, "not linear in the test"),
    "a vector": (lambda: solved(lambda u, v: grad(v)), ShapeError, "not an integrand"),
    "a number": (lambda: solved(lambda u, v: 1.0), ShapeError, "not an integrand"),
    "nothing": (lambda: solved(lambda u, v: None), ShapeError, "not an integrand"),
    "a pair": (lambda: solved(lambda u, v: (u * v, u * v)), ShapeError, "not an integrand"),
    "a complex integrand": (lambda: solved(lambda u, v: 1j * u * v), ShapeError, "not an integrand"),
    "second derivatives": (lambda: solved(lambda u, v: laplacian(u) * v), MissingDerivativeError, "lack"),
    "slopes of edge elements": (
        lambda: solved(lambda E, v: slopes(E[0], v[0]), {"E": 2}, elements={"E": Element("N1curl")}),
        MissingDerivativeError,
        "lack",
    ),
    "a complex field": (lambda: solved(slopes, {"u": complex}), ProblemError, "is complex"),
    "an ansatz": (
        lambda: reference(conditioned(lambda u: u, ansatz=bent_by_the_network)),
        ProblemError,
        "no ansatz",
    ),
    "no weak form": (lambda: solved(()), ProblemError, "there is no weak form"),
    "no mesh": (lambda: reference(posed(Box(x=(0, 1), y=(0, 1)), slopes)), SettingsError, "need a mesh"),
    "the name of a mesh": (lambda: solved(slopes, mesh="plate.msh"), SettingsError, "need a mesh"),
    "other axes": (lambda: solved(slopes, mesh=crooked("tetra")), SettingsError, "another domain"),
    "an unknown region": (lambda: solved(Weak(slopes, on="wset")), UnknownNameError, "unknown region 'wset'"),
    "no test function": (lambda: solved(lambda u, x: u * x), ProblemError, "no test function"),
    "a test function of another field": (
        lambda: solved(lambda u, p, v: u * v, ("u", "p")),
        ProblemError,
        "no test function",
    ),
    "a field that is never tested": (lambda: solved(lambda u, p, v_u: u * v_u, ("u", "p")), ProblemError, "'v_p'"),
    "an unknown argument": (lambda: solved(lambda u, v, z: u * v * z), UnknownNameError, "unknown argument 'z'"),
    "a scalar of edge elements": (
        lambda: solved(slopes, elements={"u": Element("N1curl")}),
        SettingsError,
        "the field 'u'",
    ),
    "elements of no field": (lambda: solved(slopes, elements={"w": Element("P", 1)}), UnknownNameError, "'w'"),
    "a degree too high": (lambda: solved(slopes, degree=7), SettingsError, "degree"),
    "a condition that is not affine": (
        lambda: reference(conditioned(lambda u: u**2 - 1)),
        ProblemError,
        "not affine",
    ),
    "a condition on two fields": (
        lambda: reference(conditioned(lambda u, p: u - p, weak=both, fields=("u", "p"))),
        ProblemError,
        "ties values of several fields",
    ),
    "nothing that determines a field": (lambda: solved(lambda u, v: 0 * u * v), ProblemError, "not determine"),
    "batches of two sizes": (
        lambda: two_parameters({"a": torch.ones(2, 9), "b": torch.ones(3, 9)}),
        ShapeError,
        "numbers of a form",
    ),
}


def two_parameters(given: dict[str, torch.Tensor]) -> torch.Tensor:
    form = form_of(MESH, lambda u, v, a, b: a * b * u * v, 1, parameters={"a": 1.0, "b": 1.0})
    return form.residual(numbers(form.size), given)


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_refused_by_name(what: str):
    attempt, kind, words = BAD[what]
    with pytest.raises(kind, match=words) as caught:
        attempt()
    assert type(caught.value) is kind


@pytest.mark.parametrize("what", BAD)
def test_refusals_say_what_was_expected_and_what_to_do(what: str):
    with pytest.raises(PinnmlError) as caught:
        BAD[what][0]()
    error = caught.value
    assert error.expected
    assert error.cure
    assert f"expected: {error.expected}" in str(error)
    assert str(error.cure) in str(error)


def test_a_mesh_that_is_none_is_named_as_it_was_given():
    with pytest.raises(SettingsError, match=r"plate\.msh") as caught:
        solved(slopes, mesh="plate.msh")
    assert "plate.msh" in str(caught.value.got)


FREE = {"without a load": lambda u, v: slopes(u, v), "with a load": lambda u, v: slopes(u, v) - v}


@pytest.mark.parametrize("kind", ["triangle", "quad", "tetra"])
@pytest.mark.parametrize("load", FREE)
def test_fields_that_are_free_by_a_constant_are_refused(load: str, kind: str):
    mesh = uniform(kind, 2)
    free = Equation(lambda u, normal: normal_derivative(u, normal), on="boundary", name="free")
    with pytest.raises(ProblemError, match="not determine"):
        reference(Problem(domain=mesh, fields="u", equations=(free,), weak=FREE[load]), degree=1)


def test_a_little_of_the_field_itself_determines_it():
    free = Equation(lambda u, normal: normal_derivative(u, normal), on="boundary", name="free")
    weak = lambda u, v: slopes(u, v) + 1e-3 * (u - 2) * v  # noqa: E731
    found = reference(Problem(domain=MESH, fields="u", equations=(free,), weak=weak, exact=lambda x: 2 + 0 * x))
    # conditioned by 1e3 times that of the mesh
    assert (found.verdict.error or 0.0) < 1e-10


@pytest.mark.parametrize("count", [7, 12])
def test_nodal_parameters_of_another_length_are_refused(count: int):
    form = form_of(MESH, lambda u, v, a: a * u * v, 1, parameters={"a": 1.0})
    with pytest.raises(ShapeError):
        form.residual(numbers(form.size), {"a": torch.ones(count)})


def test_a_coefficient_that_is_not_a_number_is_not_called_good():
    found = solved(lambda u, v, x: slopes(u, v) - torch.log(x - 2) * v)
    assert not found.verdict.good
    assert found.verdict.status.name == "NOT_FINITE"
