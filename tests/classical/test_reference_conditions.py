"""The classical solve under conditions of all sorts: corners, rollers, slip on slanted and round walls, Stokes flow."""

from __future__ import annotations

from math import cos, pi, sin
from typing import Any

import numpy as np
import pytest
import torch

from pinnml import Equation, Mesh, Points, Problem, Weak, div, dot, grad, reference
from pinnml.elements import Element, constraint, essential
from pinnml.errors import ProblemError
from tests.helpers.forms import SOLID, crooked, discretised, uniform
from tests.helpers.places import MESHES

LAMBDA, SHEAR = 1.5, 0.8


def slopes(u, v):
    return dot(grad(u), grad(v))


def error(problem: Problem, **options: Any) -> float:
    """The worst relative error of a field."""
    found = reference(problem, **options).verdict.error
    assert found is not None
    return found


def test_values_that_disagree_at_a_corner_are_met_halfway():
    # four such squares, each with another warm side, add up to 1 everywhere: the middle is a quarter, to round-off
    mesh = uniform("quad", 8)
    walls = (
        Equation(lambda u: u - 1, on="north", name="warm"),
        Equation(lambda u: u, on=("south", "east", "west"), name="cold"),
    )
    solution = reference(Problem(domain=mesh, fields="u", equations=walls, weak=slopes), degree=2)
    middle, corner, along = solution([[0.5, 0.5], [0, 1], [0.5, 1]])["u"]
    assert middle == pytest.approx(0.25, abs=1e-12)
    assert corner == pytest.approx(0.5, abs=1e-12)
    assert along == pytest.approx(1, abs=1e-12)


def test_one_value_may_be_said_twice():
    mesh = uniform("triangle", 4)
    walls = (
        Equation(lambda u, x: u - x, on=("north", "east"), name="some"),
        Equation(lambda u, x: u - x, on="boundary", name="all"),
    )
    assert error(Problem(domain=mesh, fields="u", equations=walls, weak=slopes, exact=lambda x: x)) < 1e-13


@pytest.mark.parametrize("factor", [1e-4, -3.0, 1e5])
def test_a_condition_may_be_multiplied_by_any_number(factor: float):
    # beside others that are not: the corners have both, and both say the same
    walls = (
        Equation(lambda u, x: factor * (u - x), on=("north", "east"), name="one"),
        Equation(lambda u, x: u - x, on="west", name="other"),
    )
    problem = Problem(domain=uniform("triangle", 4), fields="u", equations=walls, weak=slopes, exact=lambda x: x)
    verdict = reference(problem).verdict
    assert verdict.error is not None
    assert verdict.error < 1e-13
    assert not any("disagree" in warning for warning in verdict.warnings)


def test_weak_forms_and_conditions_know_the_parameters():
    def weak(u, v, x, a, b):
        return slopes(u, v) + b * (u - a * x) * v

    wall = Equation(lambda u, x, a: u - a * x, on=("west", "east"), name="wall")
    given = {"a": 3.0, "b": 0.25}
    mesh = uniform("triangle", 4)
    problem = Problem(domain=mesh, fields="u", equations=(wall,), weak=weak, parameters=given, exact=lambda x, a: a * x)
    solution = reference(problem, degree=1)
    assert (solution.verdict.error or 0.0) < 1e-13
    assert solution.verdict.parameters_found == given
    through = solution.integrate(lambda u, normal, a: dot(grad(u), normal) - a * normal[0], "east")
    assert through == pytest.approx(0, abs=1e-12)


def elastic(u, v):
    """The plane or solid body's virtual work, without loads."""
    axes = "xyz"[: len(u)]
    e, t = ([[0.5 * (w[i].d(axes[j]) + w[j].d(axes[i])) for j in range(len(w))] for i in range(len(w))] for w in (u, v))
    pairs = (a * b for rows in zip(e, t, strict=True) for a, b in zip(*rows, strict=True))
    return LAMBDA * div(u) * div(v) + 2 * SHEAR * sum(pairs)


@pytest.mark.parametrize("kind", SOLID)
def test_constant_stress_is_met_on_crooked_cells(kind: str):
    # u = G x has the stress lambda tr(e) + 2 mu e everywhere; a traction says so in the east, values elsewhere
    mesh = crooked(kind, 3)
    s = len(mesh.axes.names)
    gradient = 0.01 * np.arange(1, 1 + s * s).reshape(s, s)[::-1]
    strain = (gradient + gradient.T) / 2
    stress = LAMBDA * np.trace(strain) * np.eye(s) + 2 * SHEAR * strain

    def exact(x, y, z=0.0):
        return tuple(sum(g * a for g, a in zip(row, (x, y, z), strict=False)) for row in gradient.tolist())

    def exact_in_space(x, y, z):
        return exact(x, y, z)

    def traction(v, normal):
        return -sum(stress[i, j] * normal[j] * v[i] for i in range(s) for j in range(s))

    known = exact if s == 2 else exact_in_space
    wall = held(known, s)
    weak = (elastic, Weak(traction, on="east", name="traction"))
    problem = Problem(domain=mesh, fields={"u": s}, equations=(wall,), weak=weak, exact=known)
    for degree in (1, 2):
        assert error(problem, degree=degree) < 1e-12
    loose = Problem(domain=mesh, fields={"u": s}, equations=(wall,), weak=elastic, exact=known)
    assert error(loose, degree=1) > 1e-3


def held(known: Any, s: int) -> Equation:
    """The values of a known field everywhere on the boundary but in the east."""
    if s == 2:
        return Equation(lambda u, x, y: u - known(x, y), on="unnamed boundary", name="held")
    return Equation(lambda u, x, y, z: u - known(x, y, z), on="unnamed boundary", name="held")


YOUNG = 4 * SHEAR * (LAMBDA + SHEAR) / (LAMBDA + 2 * SHEAR)
POISSON = LAMBDA / (LAMBDA + 2 * SHEAR)


def pulled(mesh: Mesh, walls: tuple[Equation, ...], angle: float = 0.0) -> Problem:
    """A square turned by an angle, pulled by 1 at its east, free in the north: e1 = 1 / E and e2 = -nu / E."""
    c, s = cos(angle), sin(angle)

    def exact(x, y):
        along, across = (c * x + s * y) / YOUNG, -POISSON * (c * y - s * x) / YOUNG
        return c * along - s * across, s * along + c * across

    pull = Weak(lambda v, normal: -dot(v, normal), on="east", name="pull")
    return Problem(domain=mesh, fields={"u": 2}, equations=walls, weak=(elastic, pull), exact=exact)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_rollers_let_a_body_slide(kind: str, degree: int):
    west = Equation(lambda u: u[0], on="west", name="west")
    south = Equation(lambda u: u[1], on="south", name="south")
    assert error(pulled(uniform(kind, 3), (west, south)), degree=degree) < 1e-13
    stuck = Equation(lambda u: u, on="south", name="stuck")
    assert error(pulled(uniform(kind, 3), (west, stuck)), degree=degree) > 1e-2


def turned(mesh: Mesh, kind: str, angle: float) -> Mesh:
    """The mesh turned about the origin, with the sides of the unit square by their names."""
    turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    faces = {name: mesh.facets.corners[on_side(mesh, name)] for name in ("west", "east", "south", "north")}
    nodes = mesh.cells.nodes[:, mesh.cells.kind.to_file]
    return Mesh(mesh.cells.points @ turn, nodes, kind, faces=faces)


def on_side(mesh: Mesh, name: str) -> np.ndarray:
    """Which facets lie on a side of the unit square."""
    axis, at = {"west": (0, 0), "east": (0, 1), "south": (1, 0), "north": (1, 1)}[name]
    return np.abs(mesh.cells.points[mesh.facets.corners][..., axis] - at).max(axis=1) < 1e-12


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_bodies_slide_on_slanted_walls(kind: str, degree: int):
    # the normals of a straight side agree to round-off, and the corner of two sides is held altogether
    slip = Equation(lambda u, normal: dot(u, normal), on=("west", "south"), name="slip")
    mesh = turned(uniform(kind, 3), kind, pi / 6)
    assert error(pulled(mesh, (slip,), pi / 6), degree=degree) < 1e-12
    assert error(pulled(mesh, (slip,), pi / 5), degree=degree) > 1e-2


def test_a_slip_leaves_one_direction_at_every_node():
    mesh = turned(uniform("triangle", 4), "triangle", pi / 6)
    slip = Equation(lambda u, normal: dot(u, normal), on="south", name="slip")
    parts = discretised(Problem(domain=mesh, fields={"u": 2}, equations=(slip,), weak=elastic), 2)
    held = constraint(parts, essential(parts, parts.problem.terms))
    assert held.free.shape == (parts.size, parts.size - 9)
    product = (held.free.T @ held.free).toarray()
    assert np.abs(product - np.eye(len(product))).max() < 1e-14


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("is_curved", [True, False])
def test_a_liquid_turns_in_a_round_wall(is_curved: bool, degree: int):
    # u = (-y, x) runs along the rim, and u - laplacian(u) = u, with du/dn = (-n_y, n_x)
    mesh = Mesh.read(MESHES / "disc.msh")
    if not is_curved:
        mesh = Mesh(mesh.cells.points, mesh.cells.corners, "triangle")
    slip = Equation(lambda u, normal: dot(u, normal), on="boundary", name="slip")
    weak = (
        Weak(lambda u, v, x, y: dot(u, v) + slopes(u[0], v[0]) + slopes(u[1], v[1]) + y * v[0] - x * v[1]),
        Weak(lambda v, normal: normal[1] * v[0] - normal[0] * v[1], on="boundary", name="drag"),
    )
    problem = Problem(domain=mesh, fields={"u": 2}, equations=(slip,), weak=weak, exact=lambda x, y: (-y, x))
    # a mean of the normals on both sides gives 1e-3 in degree 1 on curved cells, round-off otherwise
    assert error(problem, degree=degree) < 2e-3


def channel(mesh: Mesh) -> Problem:
    """Poiseuille flow in the unit square from west to east: u = 4 y (1 - y), p = 8 (1 - x)."""

    def flow(u, p, v_u, v_p):
        return sum(slopes(a, b) for a, b in zip(u, v_u, strict=True)) - p * div(v_u) - v_p * div(u)

    conditions = (
        Equation(lambda u, y: (u[0] - 4 * y * (1 - y), u[1]), on="west", name="inflow"),
        Equation(lambda u: u, on=("north", "south"), name="walls"),
        Equation(lambda u: u[1], on="east", name="straight"),
        Equation(lambda p: p, on="east", name="outlet"),
    )
    return Problem(
        domain=mesh,
        fields={"u": 2, "p": 1},
        equations=conditions,
        weak=flow,
        exact=lambda x, y: {"u": (4 * y * (1 - y), 0 * x), "p": 8 * (1 - x)},
    )


@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_poiseuille_flow_is_met_to_round_off(kind: str):
    solution = reference(channel(uniform(kind, 4)), elements={"u": Element("P", 2), "p": Element("P", 1)})
    # ten digits of an indefinite system, conditioned by about 1e4
    assert solution.verdict.error is not None
    assert solution.verdict.error < 1e-11
    assert solution.verdict.network == "P2, P1"
    through = solution.integrate(lambda u, normal: dot(u, normal), "east")
    assert through == pytest.approx(2 / 3, rel=1e-11)


def test_a_pair_of_elements_that_leaves_pressures_free_is_refused():
    with pytest.raises(ProblemError, match="not determine"):
        reference(channel(uniform("triangle", 4)), degree=1)


def test_flux_and_robin_conditions_are_the_weak_forms():
    # u = exp(x) sin y on the unit square: du/dn in the north, du/dn + u in the east, values elsewhere
    def exact(x, y):
        return torch.exp(x) * torch.sin(y)

    weak = (
        Weak(slopes),
        Weak(lambda v, x, y: -torch.exp(x) * torch.cos(y) * v, on="north", name="flux"),
        Weak(lambda u, v, x, y: (u - 2 * exact(x, y)) * v, on="east", name="robin"),
    )
    wall = Equation(lambda u, x, y: u - exact(x, y), on=("west", "south"), name="wall")
    problems = [
        Problem(domain=uniform("triangle", n), fields="u", equations=(wall,), weak=weak, exact=exact) for n in (4, 8)
    ]
    coarse, fine = (error(problem, degree=2) for problem in problems)
    assert np.log2(coarse / fine) == pytest.approx(3, abs=0.15)
    short = Problem(domain=uniform("triangle", 8), fields="u", equations=(wall,), weak=weak[:2], exact=exact)
    assert error(short, degree=2) > 1e-2


def test_equations_with_derivatives_on_the_boundary_are_left_to_the_weak_form():
    mesh = uniform("triangle", 3)
    wall = Equation(lambda u: u, on="west", name="wall")
    flux = Equation(lambda u, normal: dot(grad(u), normal) - 1, on="east", name="flux")
    weak = (Weak(slopes), Weak(lambda v: -1.0 * v, on="east", name="pull"))
    problem = Problem(domain=mesh, fields="u", equations=(wall, flux), weak=weak, exact=lambda x: x)
    assert error(problem, degree=1) < 1e-13


def test_values_inside_are_refused():
    mesh = crooked("triangle", 3)
    inside = Equation(lambda u: u - 1, on="some", name="inside")
    wall = Equation(lambda u: u, on="boundary", name="wall")
    problem = Problem(domain=mesh, fields="u", equations=(inside, wall), weak=slopes)
    with pytest.raises(ProblemError, match="'inside' holds values inside"):
        reference(problem)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (lambda u, x: u - torch.log(x - 0.5), "not finite"),
        (lambda u, x: u - 1 / (x - x), "not finite"),
        (lambda u: 0 * u - 1, "no field"),
    ],
)
def test_conditions_that_say_nothing_are_refused(condition, told: str):
    wall = Equation(condition, on="boundary", name="wall")
    with pytest.raises(ProblemError, match=told) as caught:
        reference(Problem(domain=uniform("triangle", 2), fields="u", equations=(wall,), weak=slopes))
    assert caught.value.cure
    assert "wall" in str(caught.value)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_conditions_that_contradict_each_other_are_told(size: float):
    def warnings(*values: float) -> tuple[str, ...]:
        # the first of two fields is in doubt
        p = Equation(lambda p: p, on="boundary", name="p")
        u = [Equation(lambda u, c=c: u - c * size, on="boundary", name=f"u is {c}") for c in values]
        weak = lambda u, p, v_u, v_p: slopes(u, v_u) + slopes(p, v_p)  # noqa: E731
        problem = Problem(domain=uniform("triangle", 2), fields=("u", "p"), equations=(*u, p), weak=weak)
        return reference(problem, degree=1).verdict.warnings

    assert any("disagree at 8 nodes" in warning for warning in warnings(1.0, 2.0))
    assert any("disagree at 8 nodes" in warning for warning in warnings(1.0, 1.001))
    for agreeing in ((1.0,), (0.3, 0.1 * 3)):
        assert not any("disagree" in warning for warning in warnings(*agreeing))


def test_measured_values_are_left_out_and_told():
    sensors = Points({"x": [0.25, 0.5], "y": [0.5, 0.5]}, {"seen": [7.0, 8.0]})
    wall = Equation(lambda u, x: u - x, on="boundary", name="wall")
    fit = Equation(lambda u, seen: u - seen, on="sensors", name="fit")
    given = {"domain": uniform("triangle", 4), "fields": "u", "weak": slopes, "exact": lambda x: x}
    told = [
        reference(Problem(equations=equations, data=data, **given)).verdict
        for equations, data in (((wall, fit), {"sensors": sensors}), ((wall,), {}))
    ]
    assert all((verdict.error or 0.0) < 1e-13 for verdict in told)
    assert [any("(sensors)" in warning for warning in verdict.warnings) for verdict in told] == [True, False]


def test_time_is_for_networks():
    mesh = uniform("triangle", 2).times(t=(0, 1))
    wall = Equation(lambda u: u, on="boundary", name="wall")
    with pytest.raises(ProblemError, match="steady"):
        reference(Problem(domain=mesh, fields="u", equations=(wall,), weak=slopes))
