"""The names `v` and `normal`: free for fields, axes and parameters where functions know which is meant."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinnml import (
    LSGD,
    Box,
    Equation,
    Features,
    Mesh,
    Parameter,
    Problem,
    TestSpace,
    Weak,
    dot,
    grad,
    reference,
    solve,
)
from pinnml.errors import ProblemError
from tests.helpers.forms import uniform
from tests.helpers.made_meshes import unit_box

SQUARE = Box(x=(0, 1), y=(0, 1))
FAST = {"network": Features(120, bandwidth=3.0), "solver": LSGD(hidden="fixed"), "points": 300, "verify": False}


def test_velocities_are_called_u_and_v():
    def flow(u, v):
        return u.d("x") + v.d("y"), u.d("y") - v.d("x")

    def stream(u, v, x, y):
        return u - torch.exp(x) * torch.cos(y), v + torch.exp(x) * torch.sin(y)

    laws = (Equation(flow), Equation(stream, on="boundary"))
    solution = solve(Problem(domain=SQUARE, fields=("u", "v"), equations=laws), **FAST)
    found = solution(np.array([[0.3, 0.6]]))
    assert found["u"] == pytest.approx(np.exp(0.3) * np.cos(0.6), rel=1e-9)
    assert found["v"] == pytest.approx(-np.exp(0.3) * np.sin(0.6), rel=1e-9)


def test_an_axis_may_be_the_velocity_v():
    streaming = Equation(lambda f, v: f.d("t") + v * f.d("x"), name="streaming")
    start = Equation(lambda f, x, v: f - torch.sin(x) * v, on="initial", name="start")
    inflow = Equation(lambda f, x, v, t: f - torch.sin(x - v * t) * v, on="x=0", name="inflow")
    domain = Box(x=(0, 1), v=Parameter(0.5, 1), t=(0, 1))
    solution = solve(
        Problem(domain=domain, fields="f", equations=(streaming, start, inflow)),
        **(FAST | {"network": Features(300, bandwidth=2.0), "points": 900}),
    )
    assert solution(np.array([[0.2, 0.7, 0.5]]))["f"] == pytest.approx(0.7 * np.sin(0.2 - 0.35), rel=1e-5)


def test_a_field_named_normal_is_itself_wherever_no_boundary_asks_for_a_normal():
    growth = Equation(lambda normal, w: (normal.d("t") - 2, w), name="growth")
    start = Equation(lambda normal, x: normal - x, on="initial", name="start")
    wall = Equation(lambda w: w, on="boundary", name="wall")
    problem = Problem(domain=Box(x=(0, 1), t=(0, 1)), fields=("normal", "w"), equations=(growth, start, wall))
    assert solve(problem, **FAST)(np.array([[0.25, 0.5]]))["normal"] == pytest.approx(1.25, rel=1e-9)


@pytest.mark.parametrize(
    "changes",
    [{"fields": ("u", "normal")}, {"parameters": {"normal": 1.0}}, {"domain": Box(x=(0, 1), normal=(0, 1))}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_normal_that_could_be_two_things_is_refused_with_the_reason_and_the_cure(changes):
    flux = Equation(lambda u, normal: u * normal, on="boundary", name="flux")
    laws = (Equation(lambda u: u - 1, name="balance"), flux)
    with pytest.raises(ProblemError) as caught:
        Problem(**({"domain": SQUARE, "fields": ("u",), "equations": laws} | changes))
    text = str(caught.value)
    assert "equation 'flux' asks for 'normal' on 'boundary'" in text
    assert "and the outward normal" in text
    assert "cure:     rename the" in text


def test_an_integrand_on_a_face_is_told_too():
    laws = (Equation(lambda normal, u: normal + u, name="balance"), Equation(lambda u: u, on="boundary", name="wall"))
    problem = Problem(domain=SQUARE, fields=("u", "normal"), equations=laws)
    solution = solve(problem, **FAST)
    assert abs(solution.integrate(lambda normal: normal)) < 1e-6
    with pytest.raises(ProblemError, match="the integrand asks for 'normal' on 'x=min', which is both the field and"):
        solution.integrate(lambda normal: normal, "x=0")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fields": "v"}, "the field 'v' has the name of the test function of the field 'v'"),
        ({"parameters": {"v": 1.0}}, "the parameter 'v' has the name of the test function of the field 'u'"),
        ({"domain": Box(x=(0, 1), v=(0, 1))}, "the axis 'v' has the name of the test function of the field 'u'"),
    ],
)
def test_the_name_of_a_test_function_is_taken_in_a_weak_form_alone(changes, told):
    field = changes.get("fields", "u")
    wall = Equation(eval(f"lambda {field}: {field}"), on="boundary", name="wall")
    asked = ", ".join((field, *changes.get("parameters", ())))
    balance = Equation(eval(f"lambda {asked}: {field}"), name="balance")
    given = {"domain": SQUARE, "fields": field, "equations": (balance, wall)} | changes
    Problem(**given)
    with pytest.raises(ProblemError) as caught:
        Problem(**given, weak=eval(f"lambda {field}, {'w' if field == 'v' else 'v'}: 0"))
    for words in (told, "rename the", "leave weak= out"):
        assert words in str(caught.value)


def test_with_several_fields_v_stays_free_and_v_u_is_the_test_function():
    def form(u, v, v_u, v_v, x):
        return dot(grad(u), grad(v_u)) - x * v_u + dot(grad(v), grad(v_v)) - v_v

    def same(a, b, v_a, v_b, x):
        return dot(grad(a), grad(v_a)) - x * v_a + dot(grad(b), grad(v_b)) - v_b

    mesh = uniform("triangle", 4)
    flow = Problem(
        domain=mesh,
        fields=("u", "v"),
        equations=Equation(lambda u, v: (u, v), on="boundary", name="wall"),
        weak=Weak(form),
    )
    other = Problem(
        domain=mesh,
        fields=("a", "b"),
        equations=Equation(lambda a, b: (a, b), on="boundary", name="wall"),
        weak=Weak(same),
    )
    points = np.array([[0.4, 0.5], [0.7, 0.2]])
    found, expected = reference(flow)(points), reference(other)(points)
    assert np.array_equal(found["u"], expected["a"])
    assert np.array_equal(found["v"], expected["b"])
    network = solve(flow, **(FAST | {"tests": TestSpace(2)}))(points)
    assert network["v"] == pytest.approx(found["v"], rel=0.2)


def test_with_several_fields_a_field_may_not_be_called_as_the_test_function_of_another():
    laws = Equation(lambda u, v_u: (u, v_u), on="boundary", name="wall")
    with pytest.raises(ProblemError, match="the field 'v_u' has the name of the test function of the field 'u'"):
        Problem(domain=SQUARE, fields=("u", "v_u"), equations=laws, weak=lambda u, v_u, v_v_u: u * v_u * v_v_u)


def test_axes_of_a_mesh_may_have_these_names():
    assert Mesh(*unit_box("quad", 2), "quad", axes=("v", "normal")).axes.names == ("v", "normal")
