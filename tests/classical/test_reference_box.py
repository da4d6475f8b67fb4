"""The classical solve on boxes: whose mesh it is, and what lies on which face."""

from __future__ import annotations

import numpy as np
import pytest

from pinnml import Box, Equation, Mesh, Problem, dot, grad, reference
from pinnml.elements import Discretisation, Element
from pinnml.errors import SettingsError
from tests.helpers.forms import heated, uniform
from tests.helpers.made_meshes import unit_box


def test_a_mesh_may_be_given_for_a_problem_on_a_box():
    box = Box(x=(0, 1), y=(0, 1))
    solution = reference(heated(box), mesh=uniform("quad", 6), degree=2)
    assert solution.error()["u"] == pytest.approx(reference(heated(uniform("quad", 6))).error()["u"], rel=0.1)
    assert solution.domain is box


@pytest.mark.parametrize(("factor", "fits"), [(1 + 2e-6, False), (0.5, False), (1 + 1e-9, True)])
@pytest.mark.parametrize(("low", "length"), [(0.0, 1.0), (0.0, 1e-9), (1e3, 1.0)])  # wherever it is, however small
def test_the_mesh_fills_the_box_that_the_problem_is_on(factor: float, fits: bool, low: float, length: float):
    box, mesh = Box(x=(0, length), y=(low, low + length)), uniform("quad", 2)
    other = Mesh(
        [0, low] + length * mesh.cells.points * [1, factor], mesh.cells.nodes[:, mesh.cells.kind.to_file], "quad"
    )
    if fits:
        assert reference(heated(box), mesh=other).verdict.converged
    else:
        with pytest.raises(SettingsError, match="another domain") as caught:
            reference(heated(box), mesh=other)
        assert f"y from {low:g} to {low + length:g}" in str(caught.value.expected)
        assert f"y from {low:g} to {low + length * factor:g}" in str(caught.value.got)


def test_the_mesh_has_the_axes_of_the_problem():
    points, cells = unit_box("quad", 2)
    with pytest.raises(SettingsError, match="another domain"):
        reference(heated(Box(x=(0, 1), y=(0, 1))), mesh=Mesh(points, cells, "quad", axes=("x", "z")))


@pytest.mark.parametrize("side", ["x=0", "x=1", "y=0", "y=1"])
def test_facets_beside_a_face_of_a_box_do_not_belong_to_it(side: str):
    # the facets of the other sides end on it, and their other corners are as near as 1/64
    n, (axis, end) = 8, (side[0], float(side[-1]))
    points, cells = unit_box("quad", n)
    graded = points**2 if end == 0 else 1 - (1 - points) ** 2
    mesh = Mesh(graded * [1, 1, 0], cells, "quad")
    wall = Equation(lambda u: u, on=side, name="wall")
    problem = Problem(domain=Box(x=(0, 1), y=(0, 1)), fields="u", equations=(wall,), weak=lambda u, v: u * v)
    pieces = Discretisation.build(problem, mesh, {"u": Element("P", 1)}).pieces(problem.canonical(side))
    assert len(pieces) == n
    assert np.abs(mesh.cells.points[pieces.corners][..., "xy".index(axis)] - end).max() < 1e-15


def test_conditions_may_lie_on_faces_of_a_box():
    walls = tuple(Equation(lambda u, end=end: u - end, on=f"x={end}", name=f"end {end}") for end in (0, 1))
    problem = Problem(
        domain=Box(x=(0, 1), y=(0, 1)),
        fields="u",
        equations=walls,
        weak=lambda u, v: dot(grad(u), grad(v)),
        exact=lambda x: x,
    )
    assert (reference(problem, mesh=uniform("triangle", 3)).error()["u"] or 0.0) < 1e-13
