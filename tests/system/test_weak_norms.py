"""What weak forms for networks promise beside rows: norms without units, refusals, notes, and the command line."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pinnml import (
    MLP,
    Box,
    Element,
    Equation,
    Features,
    LevenbergMarquardt,
    Mesh,
    Problem,
    Recipe,
    TestSpace,
    Weak,
    curl,
    div,
    dot,
    grad,
    reference,
    solve,
)
from pinnml.cli.elements_solve import test_space as space_from
from pinnml.cli.findings import check
from pinnml.elements import checked_mesh
from pinnml.errors import ProblemError, SettingsError
from pinnml.problem import bare_faces
from pinnml.results import Verdict
from pinnml.run import prepared
from pinnml.solvers.head import balancing_weights
from pinnml.system import Block, System
from pinnml.system.weak import weak_residuals
from pinnml.verification import unmet
from tests.helpers.forms import given, uniform
from tests.helpers.made_meshes import facet_corners, unit_box
from tests.helpers.verdicts import GOOD

SIDES = {"west": (0, 0), "east": (0, 1), "south": (1, 0), "north": (1, 1)}


def rectangle(kind: str, n: int, width: float, height: float) -> Mesh:
    """A rectangle in n by n cells, with its four sides."""
    points, cells = unit_box(kind, n)
    faces = {name: facet_corners(kind, points, cells, axis, at) for name, (axis, at) in SIDES.items()}
    return Mesh(points[:, :2] * np.array([width, height]), cells, kind, faces=faces)


def system_of(problem: Problem, space: TestSpace, function: Any) -> System:
    """The equations that stay, at random points, and the rows of the weak form, of a function."""
    weak, _ = weak_residuals(problem, space)
    network, generator = given(problem, function), torch.Generator().manual_seed(0)
    blocks = [
        Block.build(problem, network, (t,), problem.domain.sample(t.region, 400, generator, "gauss"))
        for t in weak.terms
    ]
    blocks += [Block.build(problem, network, (term,), sample, pairing) for term, sample, pairing in weak.parts]
    return System(problem, network, tuple(blocks))


def bubble(x, y):
    return x * (1 - x) * y * (1 - y)


def wave(x, y):
    return torch.sin(2 * x + 1) * torch.cos(3 * y)


def walled(mesh: Any, weak: Any, **more: Any) -> Problem:
    """Zero on the boundary, and a weak form of one field."""
    walls = (Equation(lambda u: u, on="boundary", name="wall"),)
    return Problem(**{"domain": mesh, "fields": "u", "equations": walls, "weak": weak} | more)


def slopes(u, v):
    return dot(grad(u), grad(v))


@pytest.mark.parametrize("components", [1, 2])
def test_lengths_are_measured_by_the_longest_side(components: int):
    # (u, v) / 4 + (grad u, grad v) is the inner product on a rectangle of 1 by 2: of the bubble, which is in the
    # space, |u|^2 is 2 / 900, and the squares of its slopes are 2 / 90 and 1 / 180
    mesh = rectangle("quad", 2, 1, 2)
    if components == 1:
        problem, parts = walled(mesh, lambda u, v: u * v / 4 + slopes(u, v)), [1.0]
    else:
        weak = lambda T, v: dot(T, v) / 4 + slopes(T[0], v[0]) + slopes(T[1], v[1])  # noqa: E731
        walls = (Equation(lambda T: T, on="boundary", name="wall"),)
        problem, parts = Problem(domain=mesh, fields={"T": 2}, equations=walls, weak=weak), [1.0, 2.0]
    system = system_of(problem, TestSpace(2), lambda x, y: tuple(part * bubble(x, y) for part in parts))
    square = sum(part**2 for part in parts) * (2 / 900 / 4 + 2 / 90 + 1 / 180)
    name = "weak form"
    assert system.rms(system.initial())[name] == pytest.approx(math.sqrt(square), rel=1e-12)  # round-off


@pytest.mark.parametrize("family", ["N1curl", "RT"])
def test_edge_and_face_elements_know_no_unit_of_length(family: str):
    # in the plane the integrals of dot(E, v) / length^2 and of curl(E) * curl(v) are pure numbers
    def tangential(E, normal):
        return E[0] * normal[1] - E[1] * normal[0]

    def through(E, normal):
        return dot(E, normal)

    def turning(x, y):
        return torch.sin(3 * x + y), torch.exp(x) * y**2

    derivative, condition = (curl, tangential) if family == "N1curl" else (div, through)
    found = []
    for length in (1.0, 1e3):
        problem = Problem(
            domain=rectangle("triangle", 3, length, length),
            fields={"E": 2},
            equations=(Equation(condition, on="boundary", name="wall"),),
            weak=lambda E, v, length=length: dot(E, v) / length**2 + derivative(E) * derivative(v),
        )
        system = system_of(problem, TestSpace(elements={"E": Element(family, 1)}), turning)
        theta = system.initial()
        found.append((system.rms(theta)["weak form"], system.relative(theta)["weak form"]))
    assert found[1] == pytest.approx(found[0], rel=1e-9)  # round-off of numbers of 1e3 and their squares


def test_what_faces_add_to_the_parts_knows_no_unit_of_length():
    # the flux through the east is tested by no free function there: of its size the floor alone is left
    found = []
    for length in (1.0, 1e3):
        mesh = rectangle("quad", 3, length, length)
        problem = walled(mesh, (slopes, Weak(lambda v: -50.0 * v, on="east")))
        system = system_of(problem, TestSpace(2), lambda x, y, length=length: (length * bubble(x, y),))
        found.append(system.relative(system.initial())["weak form"])
    without = system_of(walled(mesh, slopes), TestSpace(2), lambda x, y: (1e3 * bubble(x, y),))
    assert found[1] == pytest.approx(found[0], rel=1e-9)  # round-off
    assert found[1] < 0.9 * without.relative(without.initial())["weak form"]  # 50 thousandths beside 0.15


def test_where_nothing_flows_nothing_is_left():
    system = system_of(walled(uniform("quad", 2), slopes), TestSpace(1), lambda x, y: (0 * x * y,))
    assert system.relative(system.initial())["weak form"] == 0.0


def test_a_condition_is_measured_by_the_field_inside():
    # 1e-3 at the walls of a bubble of mean 1 / 36 and mean square 1 / 900
    system = system_of(walled(uniform("quad", 2), slopes), TestSpace(2), lambda x, y: (bubble(x, y) + 1e-3,))
    expected = 1e-3 / math.sqrt(1 / 900 + 2e-3 / 36 + 1e-6)
    assert system.relative(system.initial())["wall"] == pytest.approx(expected, rel=1e-9)  # quadrature is exact


@pytest.mark.parametrize("order", [1, -1])
def test_balanced_rows_are_equally_long_for_every_unit_of_measure(order: int):
    # of an equation for each component and of the weak form for both together, which is one functional
    weak = (lambda T, v: slopes(T[0], v[0]) + slopes(T[1], v[1]), Weak(lambda T, v: -3 * dot(T, v), on="south"))
    walls = (Equation(lambda T: T, on="west", name="wall"),)
    problem = Problem(domain=rectangle("triangle", 3, 1, 2), fields={"T": 2}, equations=walls, weak=weak[::order])
    system = prepared(problem, Recipe(Features(12, bandwidth=2.0), points=60, tests=TestSpace(1)))
    theta = system.initial()
    balanced = system.with_weights(balancing_weights(system, system.jacobian(theta, system.head)))
    j, rows = balanced.jacobian(theta, balanced.head), balanced.rows
    squares = {name: float(j[rows[name]].square().sum()) for name in rows}
    assert squares["weak form"] / 2 == pytest.approx(squares["wall"] / (2 * 2), rel=1e-10)  # area, and length twice


def test_every_field_has_its_own_conditions():
    # a is held on the boundary of 3 by 3 cells, b on the west alone
    walls = (Equation(lambda a: a, on="boundary", name="of a"), Equation(lambda b: b, on="west", name="of b"))
    weak = lambda a, b, v_a, v_b: slopes(a, v_a) + slopes(b, v_b)  # noqa: E731
    problem = Problem(domain=uniform("quad", 3), fields=("a", "b"), equations=walls, weak=weak)
    found, _ = weak_residuals(problem, TestSpace(1))
    assert {term.name: pairing.size for term, _, pairing in found.parts} == {
        "weak form of a": 2 * 2,
        "weak form of b": 3 * 4,
    }


def halves(n: int) -> Mesh:
    points, cells = unit_box("quad", n)
    left = points[cells].mean(axis=1)[:, 0] < 0.5
    west = {"west": facet_corners("quad", points, cells, 0, 0.0)}
    parts = {"left": np.flatnonzero(left), "right": np.flatnonzero(~left)}
    return Mesh(points[:, :2], cells, "quad", parts=parts, faces=west)


def test_a_face_does_not_stand_for_the_cells_behind_it():
    # of 2 by 2 cells the left ones are left out: the functions on the west see the field on that face alone
    wall = (Equation(lambda u: u, on="unnamed boundary", name="wall"),)
    robin = Weak(lambda u, v: (u - 1) * v, on="west")
    with pytest.raises(ProblemError, match="parts left out"):
        weak_residuals(walled(halves(2), (Weak(slopes, on="right"), robin), equations=wall), TestSpace(1))
    assert weak_residuals(walled(halves(2), (slopes, robin), equations=wall), TestSpace(1))


def test_a_field_that_others_see_is_not_seen_by_its_own_functions():
    # b stands in the rows of a everywhere, but its own functions see nothing of it on the right
    walls = (Equation(lambda a: a, on="boundary", name="of a"), Equation(lambda b: b, on="boundary", name="of b"))
    everywhere = lambda a, b, v_a, v_b: slopes(a, v_a) + b * v_a - v_b  # noqa: E731
    weak = (everywhere, Weak(lambda b, v_b: slopes(b, v_b), on="left"))
    problem = Problem(domain=halves(4), fields=("a", "b"), equations=walls, weak=weak)
    with pytest.raises(ProblemError, match="test functions of 'b'"):
        weak_residuals(problem, TestSpace(1))
    whole = replace(problem, weak=(*weak, Weak(lambda a, v_b: a * v_b, on="right")))
    assert len(weak_residuals(whole, TestSpace(1))[0].parts) == 4  # fields of others are seen as well


def test_one_test_function_that_sees_nothing_is_found_wherever_it_is():
    points, cells = unit_box("triangle", 4)
    inside = np.flatnonzero((np.abs(points[:, :2] - 0.5) < 0.4).all(axis=1))
    assert len(inside) == 9
    for node in inside:
        rest = np.flatnonzero((cells != node).all(axis=1))
        mesh = Mesh(points[:, :2], cells, "triangle", parts={"rest": rest})
        with pytest.raises(ProblemError, match="sees no field with 1 of 9 test functions of 'u'"):
            weak_residuals(walled(mesh, Weak(slopes, on="rest")), TestSpace(1))


def test_conditions_that_are_judged_know_the_parameters_that_were_found():
    # k du/dx + u = 1 at x = 1 for u = x / 3 where k = 2
    robin = Equation(lambda u, k, normal: k * dot(grad(u), normal) + u - 1, on="east", name="robin")
    wall = Equation(lambda u: u, on="west", name="wall")
    problem = Problem(
        domain=uniform("quad", 2), fields="u", equations=(wall, robin), weak=slopes, parameters={"k": 1.0}
    )
    network = given(problem, lambda x, y: (x / 3 + 0 * y,))
    terms = [term for term in problem.terms if term.name == "robin"]
    found, first = (unmet(problem, network, {"k": k}, terms)["robin"] for k in (2.0, 1.0))
    assert found < 1e-14
    assert first > 0.1


def test_a_flux_that_hardly_leaves_is_measured_by_the_slopes_inside():
    # du/dx = 1 - x + 1e-3: a thousandth at x = 1, where nothing should flow, beside a root mean square of 0.578
    mirror = Equation(lambda u, normal: dot(grad(u), normal), on="east", name="mirror")
    wall = Equation(lambda u: u, on="west", name="wall")
    problem = Problem(domain=uniform("quad", 2), fields="u", equations=(wall, mirror), weak=slopes)
    network = given(problem, lambda x, y: (1.001 * x - x**2 / 2 + 0 * y,))
    left = unmet(problem, network, {}, [term for term in problem.terms if term.name == "mirror"])
    assert left["mirror"] == pytest.approx(1e-3 / 0.578, rel=0.1)  # 500 random points tell a mean to some percent


def poisson(mesh: Any, source: float = 13.0, **more: Any) -> Problem:
    """-laplacian(u) = 13 wave with the wave on the boundary."""
    walls = (Equation(lambda u, x, y: u - wave(x, y), on="boundary", name="wall"),)
    weak = lambda u, v, x, y: slopes(u, v) - source * wave(x, y) * v  # noqa: E731
    return walled(mesh, **{"weak": weak, "equations": walls, "exact": wave} | more)


def test_a_number_that_the_exact_solution_does_not_know_is_named_whichever_region_asks_for_it():
    inside, west = Weak(lambda u, v, k: k * slopes(u, v)), Weak(lambda u, v: u * v, on="west")
    for weak in ((inside, west), (west, inside)):
        found = check(poisson(uniform("quad", 3), weak=weak, parameters={"k": 1.0}), Recipe(tests=TestSpace(1)))
        assert found.equations[-1].trial.reason == "k trainable"
        assert found.equations[-1].trial.relative is None


def test_the_weak_form_of_a_box_is_tried_on_the_mesh_of_the_test_functions():
    recipe = Recipe(network=Features(10), tests=TestSpace(1, mesh=uniform("triangle", 4)))
    found = check(poisson(Box(x=(0, 1), y=(0, 1))), recipe)
    assert found.equations[-1].trial.relative < 1e-8
    assert [region.name for region in found.regions] == ["boundary"]  # of points alone


def test_check_tries_the_weak_form_with_the_elements_of_the_test_functions():
    # edge elements have no divergence; div(q) = 2 of q = (x, y) is orthogonal to div(v) where nothing leaves
    def weak(q, v, x, y):
        return div(q) * div(v) + (q[0] - x) * v[0] + (q[1] - y) * v[1]

    wall = Equation(lambda q, x, y, normal: (q[0] - x) * normal[0] + (q[1] - y) * normal[1], on="boundary", name="wall")
    exact = lambda x, y: {"q": (x, y)}  # noqa: E731
    problem = Problem(domain=uniform("triangle", 3), fields={"q": 2}, equations=(wall,), weak=weak, exact=exact)
    tests = TestSpace(elements={"q": Element("RT", 1)})
    found = check(problem, Recipe(network=Features(10), elements={"q": Element("N1curl", 1)}, tests=tests))
    assert found.equations[-1].trial.reason == ""
    assert found.equations[-1].trial.relative < 1e-12  # round-off


@pytest.mark.parametrize(
    ("factor", "is_good", "is_noted"), [(1 + 1e-9, True, False), (1 + 1e-4, True, True), (1.5, False, False)]
)
def test_a_misfit_of_the_weak_form_is_nothing_or_a_note_or_a_complaint(factor: float, is_good: bool, is_noted: bool):
    found = check(poisson(uniform("triangle", 4), 13 * factor), Recipe(network=Features(10), tests=TestSpace(1)))
    assert found.good == is_good
    assert any("small mistakes" in warning for warning in found.warnings) == is_noted


@pytest.mark.parametrize(("tests", "words"), [(TestSpace(1), "nothing flows through it"), (None, "No condition on")])
def test_a_bare_face_is_told_by_what_it_means(tests: TestSpace | None, words: str):
    walls = (Equation(lambda u: u, on=("south", "north", "west"), name="wall"), Equation(lambda u: u, name="inside"))
    problem = walled(uniform("quad", 2), slopes, equations=walls)
    (warning,) = check(problem, Recipe(network=Features(10), tests=tests)).warnings
    assert "east" in warning
    assert words in warning


def test_a_face_with_a_weak_form_is_not_bare():
    walls = (Equation(lambda u: u, on=("south", "north"), name="wall"),)
    problem = walled(uniform("quad", 2), (slopes, Weak(lambda v: -v, on="west")), equations=walls)
    (sentence,) = bare_faces(problem, weakly=True)
    assert "east" in sentence


def round_mesh(corners: int) -> Mesh:
    """A polygon about the unit disc, in triangles from its middle."""
    angles = 2 * np.pi * np.arange(corners) / corners
    points = np.concatenate([[[0.0, 0.0]], np.stack([np.cos(angles), np.sin(angles)], axis=1)])
    ring = 1 + np.arange(corners)
    return Mesh(points, np.stack([0 * ring, ring, np.roll(ring, -1)], axis=1), "triangle")


def test_straight_cells_may_leave_some_of_a_round_domain_and_no_more():
    # polygons with corners on the axes: 0.90 of the disc with eight, 0.64 with four
    problem = walled(round_mesh(128), slopes)
    assert checked_mesh(problem, round_mesh(8)) is not None
    with pytest.raises(SettingsError, match="measure of 2"):
        checked_mesh(problem, round_mesh(4))
    with pytest.raises(SettingsError, match="measure of 3"):
        checked_mesh(replace(problem, domain=round_mesh(4)), round_mesh(128))


def verdict(**changes: Any) -> Verdict:
    """A good one of a weak form beside an equation."""
    figures = dict.fromkeys(("wall", "weak form"), 1e-6)
    good = replace(GOOD, held_out=figures, training=figures, relative=figures, shares=dict.fromkeys(figures, 0.5))
    return replace(good, **changes)


@pytest.mark.parametrize(
    ("ratio", "relative", "told"),
    [(29.0, 1e-3, False), (31.0, 1e-3, True), (31.0, 0.9e-5, False), (31.0, 1.1e-5, True), (math.nan, 1e-3, True)],
)
def test_more_functions_may_see_thirty_times_as_much_and_any_part_of_a_small_rest(
    ratio: float, relative: float, told: bool
):
    held_out, left = {"wall": 1e-6, "weak form": ratio * 1e-6}, {"wall": 1e-6, "weak form": relative}
    complaints = verdict(held_out=held_out, relative=left).complaints
    assert len(complaints) == told
    if told and ratio > 0:
        words = (
            "The weak form leaves 31.0 times as much with test functions of one degree more (3.1e-05 against 1.0e-06)"
        )
        assert complaints[0].startswith(words)


@pytest.mark.parametrize(("left", "told"), [(0.19, False), (0.21, True), (math.nan, True)])
def test_a_condition_that_is_left_by_a_fifth_is_a_complaint(left: float, told: bool):
    complaints = verdict(unmet={"robin": left}).complaints
    assert len(complaints) == told
    if told:
        assert "'robin'" in complaints[0]
        assert "integral over the face" in complaints[0]


@pytest.mark.parametrize(("name", "kind"), [("weak form", "TestSpace"), ("wall", "Equation")])
def test_what_is_neglected_is_cured_where_its_weight_is_written(name: str, kind: str):
    relative = {each: 1e-2 if each == name else 1e-6 for each in ("wall", "weak form")}
    shares = {each: 1e-5 if each == name else 1.0 for each in ("wall", "weak form")}
    (complaint,) = verdict(relative=relative, shares=shares).complaints
    assert f"Raise its weight: {kind}(..., weight=...)." in complaint


def vectors() -> Problem:
    walls = (Equation(lambda E: E, on="boundary", name="of E"), Equation(lambda u: u, on="boundary", name="of u"))
    weak = lambda E, u, v_E, v_u: dot(E, v_E) + u * v_u  # noqa: E731
    return Problem(domain=uniform("triangle", 2), fields={"E": 2, "u": 1}, equations=walls, weak=weak)


def test_the_command_line_replaces_what_it_names_of_a_recipe():
    recipe = Recipe(tests=TestSpace(1, mesh="own.msh", elements={"u": Element("P", 3)}, weight=3.0))
    said = space_from(vectors(), recipe, "degree=2")
    assert said == replace(recipe.tests, degree=2)
    assert space_from(vectors(), recipe, "mesh=other.msh") == replace(recipe.tests, mesh="other.msh")


def test_the_command_line_takes_the_elements_of_a_recipe_as_far_as_there_are_test_functions():
    elements = {"E": Element("N1curl", 4), "u": Element("P", 3)}
    lowered = {"E": Element("N1curl", 3), "u": Element("P", 3)}
    assert space_from(vectors(), Recipe(elements=elements), "degree=2") == TestSpace(2, elements=lowered)
    heavy = Recipe(elements=elements, tests=TestSpace(weight=5.0))
    turned = {"E": Element("RT", 3), "u": Element("P", 3)}
    assert space_from(vectors(), heavy, "family=RT") == TestSpace(elements=turned, weight=5.0)
    assert space_from(vectors(), Recipe(), "family=RT") == TestSpace(elements={"E": Element("RT")})


def test_conditions_whose_derivatives_fields_lack_are_left_out():
    # a curl is the flux of edge elements, but at points they know their values alone; networks of ReLUs bend nowhere
    wall = Equation(lambda E, normal: E[0] * normal[1] - E[1] * normal[0], on="west", name="wall")
    no_curl = Equation(lambda E: curl(E), on="east", name="no curl")
    magnetic = Problem(
        domain=uniform("triangle", 3),
        fields={"E": 2},
        equations=(wall, no_curl),
        weak=lambda E, v: curl(E) * curl(v) + dot(E, v) - v[0],
    )
    assert reference(magnetic, elements={"E": Element("N1curl", 1)}).verdict.unmet == {}
    held = Equation(lambda u: u, on="west", name="wall")
    bent = Equation(lambda u: u.d("xx"), on="east", name="bent")
    problem = Problem(
        domain=uniform("triangle", 3),
        fields="u",
        equations=(held, bent),
        weak=lambda u, v: dot(grad(u), grad(v)) - v,
    )
    assert reference(problem).verdict.unmet == {}
    network = MLP(4, 1, "relu")
    assert solve(problem, network, LevenbergMarquardt(steps=2), tests=TestSpace(1), points=30).verdict.unmet == {}
