"""Eigenvalues of cavities and membranes against closed forms, and what is no eigenvalue problem."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
import pytest

from pinnml import Equation, Mesh, Problem, Weak, cross, curl, dot, grad
from pinnml.classical import Eigenmodes, eigenmodes, modes
from pinnml.elements import Element, constraint, essential
from pinnml.errors import PinnmlError, ProblemError
from tests.helpers.forms import CPU, discretised, form_of, matrix, uniform

#: Resonances of the unit cube and the unit square by k^2 / pi^2: sums of squares of whole numbers, in space of three
#: of which one at most is 0.
CUBE, SQUARE = np.array([2.0, 2, 2, 3, 3]), np.array([1.0, 1, 2, 4, 4])


def cavity(mesh: Mesh) -> Problem:
    """Curl curl E = k2 E in a box of perfect conductors."""

    def weak(E, v, k2):
        both = dot(curl(E), curl(v)) if len(E) == 3 else curl(E) * curl(v)
        return both - k2 * dot(E, v)

    wall = Equation(lambda E, normal: cross(E, normal), on="boundary", name="conductor")
    fields = {"E": len(mesh.axes.names)}
    return Problem(domain=mesh, fields=fields, equations=(wall,), weak=weak, parameters={"k2": 1.0})


def plain(u, v, k2):
    return dot(grad(u), grad(v)) - k2 * u * v


def membrane(mesh: Mesh, weak: Any = plain, wall: Any = lambda u: u) -> Problem:
    conditions = (Equation(wall, on="boundary", name="wall"),)
    return Problem(domain=mesh, fields="u", equations=conditions, weak=weak, parameters={"k2": 1.0})


def found(problem: Problem, element: Element | int, count: int, near: float) -> Eigenmodes:
    return eigenmodes(discretised(problem, element), "k2", count, near * pi**2)


def eigenvalues(problem: Problem, element: Element | int, count: int, near: float) -> np.ndarray:
    """In units of pi^2."""
    return found(problem, element, count, near).values / pi**2


def orders(values: list[np.ndarray], exact: np.ndarray) -> np.ndarray:
    """Of errors on meshes of which the second has twice as many cells a side."""
    return np.log2((values[0] - exact) / (values[1] - exact))


@pytest.mark.parametrize(("kind", "degree", "n"), [("tetra", 2, 3), ("hexahedron", 1, 4), ("hexahedron", 2, 2)])
def test_resonances_of_a_cube_converge_with_twice_the_degree(kind: str, degree: int, n: int):
    # nothing false stands among the first five, nor below them
    values = [eigenvalues(cavity(uniform(kind, m)), Element("N1curl", degree), 5, 1.8) for m in (n, 2 * n)]
    assert orders(values, CUBE) == pytest.approx(2 * degree, abs=0.35)


def test_resonances_of_a_cube_in_tetrahedra_of_lowest_degree_come_near():
    # errors of both signs on such coarse meshes: the order is still below 2 for some
    values = [eigenvalues(cavity(uniform("tetra", n)), Element("N1curl", 1), 5, 1.8) for n in (4, 8)]
    assert (orders(values, CUBE) > 1.4).all()
    assert np.abs(values[1] - CUBE).max() < 0.025


@pytest.mark.parametrize(("degree", "n"), [(1, 8), (2, 8), (3, 5)])
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_resonances_of_a_square_converge_with_twice_the_degree(kind: str, degree: int, n: int):
    values = [eigenvalues(cavity(uniform(kind, m)), Element("N1curl", degree), 5, 2.6) for m in (n, 2 * n)]
    assert orders(values, SQUARE) == pytest.approx(2 * degree, abs=0.3)


def test_resonances_of_nodal_elements_are_false():
    # gradients that nodal vectors cannot make vanish fill the gap between 0 and 1 with values that are none
    values = eigenvalues(cavity(uniform("triangle", 8)), 1, 6, 0.8)
    assert np.abs(values - np.round(values)).min() > 0.01
    assert ((values > 0.5) & (values < 0.99)).sum() > 3
    true = eigenvalues(cavity(uniform("triangle", 8)), Element("N1curl", 1), 2, 0.8)
    assert np.abs(true - 1).max() < 0.01


def test_gradients_stand_at_zero_and_nowhere_else():
    # one for every inner corner of the mesh: 9 of 4 x 4 squares
    values = eigenvalues(cavity(uniform("quad", 4)), Element("N1curl", 1), 11, 1e-3)
    assert np.abs(values[:9]).max() < 1e-12
    assert values[9] > 0.9


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_tones_of_a_square_membrane_converge_with_twice_the_degree(kind: str, degree: int):
    values = [eigenvalues(membrane(uniform(kind, n)), degree, 4, 1.9) for n in (6, 12)]
    assert orders(values, np.array([2.0, 5, 5, 8])) == pytest.approx(2 * degree, abs=0.3)
    assert (values[1] >= [2, 5, 5, 8]).all()  # Rayleigh's quotient is least for the true mode


def test_modes_solve_the_weak_form_and_are_of_length_one():
    problem = membrane(uniform("triangle", 8))
    parts, several = discretised(problem, 2), found(problem, 2, 5, 5.0)
    form, held = parts.form(CPU), constraint(parts, essential(parts, parts.problem.terms))
    mass, fields = matrix(form_of(parts.mesh, lambda u, v: u * v, 2)), several.fields.numpy()
    assert np.abs(fields @ mass @ fields.T - np.eye(5)).max() < 1e-10
    for value, field in zip(several.values, several.fields, strict=True):
        left = held.free.T @ form.residual(field, {"k2": value}).numpy()
        other = held.free.T @ form.residual(field, {"k2": value + 1}).numpy()
        assert np.linalg.norm(left) < 1e-9 * np.linalg.norm(other)
    assert (several.residuals < 1e-10).all()


def test_a_mode_is_a_solution_to_be_called():
    (first,) = modes(membrane(uniform("quad", 8)), near=20.0, count=1, degree=2)
    points = np.random.default_rng(0).random((50, 2))
    x, y = points.T
    values, shape = first(points)["u"], np.sin(pi * x) * np.sin(pi * y)
    # |u| = 1 makes the height 2; quadratic elements 1/8 wide are right to 1e-3
    assert np.abs(np.abs(values) - 2 * shape).max() < 2e-3
    assert first.parameters["k2"] == pytest.approx(2 * pi**2, rel=1e-4)


def test_a_parameter_may_stand_in_another_part():
    # a spring at the wall in the place of a wall: k2 where du/dn + 10 u = 0, by the roots of w tan(w / 2) = 10
    from scipy.optimize import brentq

    weak = (Weak(plain), Weak(lambda u, v: 10 * u * v, on=("west", "east"), name="spring"))
    flat = (Equation(lambda u: u.d("y"), on=("north", "south"), name="flat"),)
    problem = Problem(domain=uniform("quad", 8), fields="u", equations=flat, weak=weak, parameters={"k2": 1.0})
    root: Any = brentq(lambda w: w * np.tan(w / 2) - 10, 2, 3)
    assert eigenmodes(discretised(problem, 3), "k2", 1, 5.0).values[0] == pytest.approx(root**2, rel=1e-7)


REFUSED = {
    "squared": (lambda u, v, k2: dot(grad(u), grad(v)) - k2**2 * u * v, "not affine in 'k2'"),
    "stiffness": (lambda u, v, k2: plain(u, v, k2) + u.d("x") * v, "not symmetric"),
    "mass": (lambda u, v, k2: dot(grad(u), grad(v)) - k2 * u.d("x") * v, "not symmetric"),
    "source": (lambda u, v, k2: plain(u, v, k2) - v, "homogeneous"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_forms_of_another_kind_are_refused(what: str):
    weak, words = REFUSED[what]
    with pytest.raises(ProblemError, match=words) as caught:
        found(membrane(uniform("quad", 4), weak), 1, 2, 2.0)
    assert caught.value.expected


def test_a_nonlinear_form_is_refused():
    with pytest.raises(ProblemError):
        found(membrane(uniform("quad", 4), lambda u, v, k2: plain(u, v, k2) + u**3 * v), 1, 2, 2.0)


def test_prescribed_values_are_refused():
    with pytest.raises(ProblemError, match="homogeneous"):
        found(membrane(uniform("quad", 4), wall=lambda u: u - 1), 1, 2, 2.0)


@pytest.mark.parametrize("count", [9, 100])
def test_more_modes_than_there_are_numbers_are_refused(count: int):
    with pytest.raises(PinnmlError) as caught:
        found(membrane(uniform("quad", 4)), 1, count, 2.0)  # 9 inner corners
    assert caught.value.cure


def test_a_value_that_is_an_eigenvalue_may_be_asked_for():
    problem = membrane(uniform("quad", 4))
    value = found(problem, 1, 1, 2.0).values[0]
    assert found(problem, 1, 1, value / pi**2 * (1 + 1e-13)).values[0] == pytest.approx(value, rel=1e-6)


def test_modes_of_a_cavity_are_free_of_sources():
    # weakly: they are orthogonal to all gradients, of which there is one for every inner corner
    problem = cavity(uniform("hexahedron", 3))
    resonant = found(problem, Element("N1curl", 1), 3, 1.8)
    parts = discretised(problem, Element("N1curl", 1))
    form = parts.form(CPU)
    mass = matrix(form, None, {"k2": 0.0}) - matrix(form, None, {"k2": 1.0})
    gradients = found(problem, Element("N1curl", 1), 8, 1e-3)
    assert np.abs(gradients.values).max() < 1e-10
    assert np.abs(gradients.fields.numpy() @ mass @ resonant.fields.numpy().T).max() < 1e-10


def test_a_form_may_be_written_the_other_way_round():
    mesh = uniform("quad", 6)
    plain_way = modes(membrane(mesh), near=20.0, count=3)
    other_way = modes(membrane(mesh, lambda u, v, k2: k2 * u * v - dot(grad(u), grad(v))), near=20.0, count=3)
    for first, second in zip(plain_way, other_way, strict=True):
        assert first.parameters["k2"] == pytest.approx(second.parameters["k2"], rel=1e-9)


def test_a_mass_of_both_signs_is_refused():
    mesh = uniform("quad", 6)
    with pytest.raises(ProblemError, match="not positive"):
        modes(membrane(mesh, lambda u, v, k2, x: dot(grad(u), grad(v)) - k2 * (x - 0.5) * u * v), near=20.0, count=3)
