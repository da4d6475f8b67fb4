"""The classical solve with edge and face elements: Maxwell's equations, and fluxes with a divergence."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
import pytest
import torch
from forms import crooked, uniform

from pinnml import Equation, Mesh, Problem, Weak, cross, curl, div, dot, reference
from pinnml.calculus import Vector
from pinnml.elements import Element
from pinnml.errors import MissingDerivativeError, ProblemError

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


def test_edge_elements_take_the_whole_vector_where_all_of_it_is_said():
    # E = swirl on the boundary says its tangential part too
    wall = Equation(lambda E, x, y: E - swirl(x, y), on="boundary", name="wall")

    def weak(E, v, x, y):
        return curl(E) * curl(v) + dot(E, v) - dot(v, swirl(x, y))

    problem = Problem(domain=crooked("triangle"), fields={"E": 2}, equations=(wall,), weak=weak, exact=swirl)
    assert (reference(problem, elements={"E": Element("N1curl", 1)}).error()["E"] or 0.0) < 1e-12


def test_the_difference_is_about_the_error_of_edge_elements():
    mesh = uniform("triangle", 6)
    known, whole = plane_waves(mesh), {"E": Element("N1curl", 2)}
    unknown = Problem(domain=mesh, fields={"E": 2}, equations=known.equations, weak=known.weak)
    told = reference(unknown, elements=whole).verdict.difference["E"]
    assert 0.1 < told / (reference(known, elements=whole).error()["E"] or 0.0) < 10


def test_slopes_of_edge_elements_are_not_to_be_had():
    solution = reference(plane_waves(uniform("triangle", 2)), elements={"E": Element("N1curl", 1)})
    with pytest.raises(MissingDerivativeError, match="no derivative"):
        solution([[0.3, 0.4]], derivatives=("x",))


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
