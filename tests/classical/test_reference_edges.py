"""The classical solve with edge and face elements: Maxwell's equations, and fluxes with a divergence."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
import pytest
import torch

from pinnml import Equation, Mesh, Problem, Weak, cross, curl, div, dot, grad, reference
from pinnml.calculus import Vector
from pinnml.elements import Element
from pinnml.errors import MissingDerivativeError, ProblemError, SettingsError
from tests.helpers.forms import CPU, crooked, discretised, posed, uniform
from tests.helpers.tabulation import interpolate

WAVE = 3.0


def around(x, y):
    """A field without sources: curl curl E = pi^2 E."""
    return Vector((torch.sin(pi * y), torch.sin(pi * x)))


def slope(x, y):
    """A gradient, so that components vary along themselves as well: elements on squares need no more for the others."""
    return Vector((2 * torch.cos(2 * x) * torch.cos(y), -torch.sin(2 * x) * torch.sin(y)))


def in_plane(x, y):
    return around(x, y) + slope(x, y)


def in_space(x, y, z):
    first, second = slope(x, y)
    return Vector((torch.sin(pi * y) + first, torch.sin(pi * z) + second, torch.sin(pi * x) + torch.exp(z)))


def plane_waves(mesh: Mesh) -> Problem:
    """Curl curl E - k2 E = f in the plane, with tangential values on the boundary."""

    def weak(E, v, x, y):
        load = pi**2 * around(x, y) - WAVE * in_plane(x, y)
        return curl(E) * curl(v) - WAVE * dot(E, v) - dot(v, load)

    wall = Equation(
        lambda E, normal, x, y: cross(E, normal) - cross(in_plane(x, y), normal), on="boundary", name="wall"
    )
    return Problem(domain=mesh, fields={"E": 2}, equations=(wall,), weak=weak, exact=in_plane)


def waves(mesh: Mesh) -> Problem:
    """The same in space."""

    def weak(E, v, x, y, z):
        turning = Vector((torch.sin(pi * y), torch.sin(pi * z), torch.sin(pi * x)))
        load = pi**2 * turning - WAVE * in_space(x, y, z)
        return dot(curl(E), curl(v)) - WAVE * dot(E, v) - dot(v, load)

    wall = Equation(
        lambda E, normal, x, y, z: cross(E, normal) - cross(in_space(x, y, z), normal), on="boundary", name="wall"
    )
    return Problem(domain=mesh, fields={"E": 3}, equations=(wall,), weak=weak, exact=in_space)


def distance(solution: Any, points: int) -> float:
    """The L2 norm of the error, by Gauss points on every cell."""

    def square(E, x, y):
        difference = E - in_plane(x, y)
        return dot(difference, difference)

    def square_in_space(E, x, y, z):
        difference = E - in_space(x, y, z)
        return dot(difference, difference)

    function = square if len(solution.domain.axes.names) == 2 else square_in_space
    return float(np.sqrt(solution.integrate(function, "interior", points)))


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_plane_waves_converge_with_the_degree(kind: str, degree: int):
    found = []
    for n in (6, 12):
        solution = reference(plane_waves(uniform(kind, n)), elements={"E": Element("N1curl", degree)})
        assert solution.verdict.converged
        found.append(distance(solution, 60 * n * n))
    assert np.log2(found[0] / found[1]) == pytest.approx(degree, abs=0.1)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", ["tetra", "hexahedron"])
def test_waves_in_space_converge_with_the_degree(kind: str, degree: int):
    found = []
    for n in (3, 6) if degree == 1 else (2, 4):
        solution = reference(waves(uniform(kind, n)), elements={"E": Element("N1curl", degree)})
        found.append(distance(solution, 200 * n**3))
    # the coarser mesh has two or three cells for half a wave
    assert np.log2(found[0] / found[1]) == pytest.approx(degree, abs=0.2)


def swirl(x, y):
    return Vector((1 - 2 * y, 3 + 2 * x))


@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_a_field_of_the_space_is_met_to_round_off(kind: str):
    # (1, 3) + 2 (-y, x) has the curl 4 and is in the lowest space of triangles, of crooked squares in the next
    def weak(E, v):
        return curl(E) * curl(v) + dot(E, v)

    load = Weak(lambda v, x, y: -dot(v, swirl(x, y)), name="load")
    wall = Equation(lambda E, normal, x, y: cross(E, normal) - cross(swirl(x, y), normal), on="boundary", name="wall")
    problem = Problem(domain=crooked(kind, 3), fields={"E": 2}, equations=(wall,), weak=(Weak(weak), load), exact=swirl)
    degree = 1 if kind == "triangle" else 2
    assert (reference(problem, elements={"E": Element("N1curl", degree)}).error()["E"] or 0.0) < 1e-12


@pytest.mark.parametrize("factor", [1e-4, -3.0, 1e5])
def test_a_tangential_condition_may_be_multiplied_by_any_number(factor: float):
    def weak(E, v, x, y):
        return curl(E) * curl(v) + dot(E - swirl(x, y), v)

    wall = Equation(lambda E, normal, x, y: factor * cross(E - swirl(x, y), normal), on="boundary", name="wall")
    problem = Problem(domain=crooked("triangle"), fields={"E": 2}, equations=(wall,), weak=weak, exact=swirl)
    assert (reference(problem, elements={"E": Element("N1curl", 1)}).error()["E"] or 0.0) < 1e-12


def source(x, y):
    return torch.cos(pi * x) * torch.sin(pi * y), torch.sin(pi * x) * torch.cos(pi * y)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_fluxes_converge_with_the_degree(kind: str, degree: int):
    # q - grad div q = f for a gradient q, with its normal component on the boundary; grad div q = -2 pi^2 q
    def weak(q, v, x, y):
        return div(q) * div(v) + dot(q, v) - (1 + 2 * pi**2) * dot(v, source(x, y))

    wall = Equation(
        lambda q, normal, x, y: dot(q, normal) - dot(Vector(source(x, y)), normal), on="boundary", name="wall"
    )

    def square(q, x, y):
        difference = q - source(x, y)
        return dot(difference, difference)

    found = []
    for n in (6, 12):
        problem = Problem(domain=uniform(kind, n), fields={"q": 2}, equations=(wall,), weak=weak, exact=source)
        solution = reference(problem, elements={"q": Element("RT", degree)})
        found.append(np.sqrt(solution.integrate(square, "interior", 60 * n * n)))
    assert np.log2(found[0] / found[1]) == pytest.approx(degree, abs=0.1)


def hollow(x, y):
    return x * x - x * y + 3 * y * y


@pytest.mark.parametrize("kind", ["triangle", "tetra"])
def test_least_squares_find_a_flux_and_its_potential(kind: str):
    # q = -grad p and div q = -8 for a p of degree 2: both are in their spaces, so that nothing is left of the squares
    s = 2 if kind == "triangle" else 3

    def exact(x, y):
        return {"q": (y - 2 * x, x - 6 * y, 0 * x)[:s], "p": hollow(x, y)}

    def error(source: float) -> float:
        def squares(q, v_q, p, v_p):
            return dot(q + grad(p), v_q + grad(v_p)) + (div(q) - source) * div(v_q)

        wall = Equation(lambda p, x, y: p - hollow(x, y), on="boundary", name="wall")
        mesh, fields = crooked(kind, 3), {"q": s, "p": 1}
        problem = Problem(domain=mesh, fields=fields, equations=(wall,), weak=squares, exact=exact)
        return reference(problem, elements={"q": Element("RT", 2), "p": Element("P", 2)}).verdict.error or 0.0

    # twelve digits of normal equations, whose condition is the square of that of either law
    assert error(-8.0) < 1e-12
    assert error(8.0) > 0.1


#: A linear field of each family, and the derivative that it has.
LINEAR = {
    ("RT", 2): (lambda x: (2 * x[0] + x[1], 3 * x[1] - x[0]), lambda v: div(v), 5.0),
    ("RT", 3): (lambda x: (2 * x[0] + x[2], 3 * x[1] - x[0], x[2] - x[1]), lambda v: div(v), 6.0),
    ("N1curl", 2): (lambda x: (x[0] - 2 * x[1], 3 * x[0] + x[1]), lambda v: curl(v), 5.0),
    ("N1curl", 3): (
        lambda x: (x[0] - 2 * x[1], 3 * x[0] + x[2], 4 * x[0]),
        lambda v: dot(curl(v), (1, 10, 100)),
        459.0,
    ),
}


@pytest.mark.parametrize("name", ["triangle", "quad", "tetra", "hexahedron"])
@pytest.mark.parametrize("family", ["N1curl", "RT"])
def test_weak_forms_see_the_sign_of_a_divergence_and_of_a_curl(family: str, name: str):
    # the integral of x^2 times a constant derivative over the unit square or cube
    mesh = crooked(name)
    s = len(mesh.axes.names)
    field, derivative, constant = LINEAR[family, s]
    parts = discretised(posed(mesh, lambda E, v, x: x * x * derivative(v), {"E": s}), Element(family, 2))
    degrees = interpolate(parts.spaces["E"], lambda x: torch.stack(field(x.unbind(1)), dim=1))
    form = parts.form(CPU, 8)
    found = float(form.residual(torch.zeros(form.size, dtype=torch.float64)) @ degrees)
    assert found == pytest.approx(constant / 3, rel=1e-13)  # sums of some hundred terms


def test_edge_elements_take_the_whole_vector_where_all_of_it_is_said():
    # E = swirl on the boundary says its tangential part too
    wall = Equation(lambda E, x, y: E - swirl(x, y), on="boundary", name="wall")

    def weak(E, v, x, y):
        return curl(E) * curl(v) + dot(E, v) - dot(v, swirl(x, y))

    problem = Problem(domain=crooked("triangle"), fields={"E": 2}, equations=(wall,), weak=weak, exact=swirl)
    assert (reference(problem, elements={"E": Element("N1curl", 1)}).error()["E"] or 0.0) < 1e-12


def test_the_estimate_is_about_the_error_of_edge_elements():
    mesh = uniform("triangle", 6)
    known, whole = plane_waves(mesh), {"E": Element("N1curl", 2)}
    unknown = Problem(domain=mesh, fields={"E": 2}, equations=known.equations, weak=known.weak)
    told = reference(unknown, elements=whole).verdict.estimate["E"]
    assert 0.1 < told / (reference(known, elements=whole).error()["E"] or 0.0) < 10


def test_slopes_of_edge_elements_are_not_to_be_had():
    solution = reference(plane_waves(uniform("triangle", 2)), elements={"E": Element("N1curl", 1)})
    with pytest.raises(MissingDerivativeError, match="no derivative"):
        solution([[0.3, 0.4]], derivatives=("x",))


@pytest.mark.parametrize(("kind", "components"), [("triangle", 3), ("tetra", 2)])
@pytest.mark.parametrize("family", ["N1curl", "RT"])
def test_fields_of_these_elements_have_a_component_for_each_axis(family: str, kind: str, components: int):
    problem = posed(uniform(kind, 2), lambda E, v: dot(E, v), {"E": components})
    with pytest.raises(SettingsError, match="the field 'E'") as caught:
        reference(problem, elements={"E": Element(family, 1)})
    assert f"a vector of {5 - components} components" in str(caught.value.expected)


UNSAID = {
    "the normal part of edge elements": ("N1curl", lambda E, normal: dot(E, normal)),
    "a component of edge elements": ("N1curl", lambda E: E[0]),
    "the tangential part of face elements": ("RT", lambda E, normal: cross(E, normal)),
}


@pytest.mark.parametrize("what", UNSAID)
def test_values_that_an_element_does_not_share_are_not_prescribed(what: str):
    family, condition = UNSAID[what]
    wall = Equation(condition, on="boundary", name="wall")

    def weak(E, v):
        return dot(E, v) - v[0]

    problem = Problem(domain=uniform("triangle", 2), fields={"E": 2}, equations=(wall,), weak=weak)
    with pytest.raises(ProblemError, match="wall"):
        reference(problem, elements={"E": Element(family, 1)})
