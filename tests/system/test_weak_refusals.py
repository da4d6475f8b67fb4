"""Networks trained by the weak form: what is refused, what the verdict and the check of a problem say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from pinnml import (
    KAN,
    LSGD,
    Box,
    Element,
    Equation,
    Features,
    LevenbergMarquardt,
    Mesh,
    Multilevel,
    Periodic,
    Problem,
    Recipe,
    TestSpace,
    Weak,
    dot,
    grad,
    reference,
)
from pinnml.cli.findings import check
from pinnml.cli.script import load_script
from pinnml.errors import MissingDerivativeError, PinnmlError, ProblemError, SettingsError
from pinnml.run import prepared
from tests.helpers.forms import crooked, uniform
from tests.helpers.places import PROBLEMS
from tests.helpers.solving import solve_once
from tests.helpers.weak import posed, wave


def with_ansatz(mesh: Mesh) -> Problem:
    return posed(mesh, ansatz=lambda u, x, y: wave(x, y) + (1 - x) * u)


MESH = uniform("triangle", 3)
REFUSED: dict[str, tuple[Any, dict[str, Any], type[PinnmlError], str]] = {
    "no weak form": (posed(MESH, weak=()), {"tests": TestSpace()}, ProblemError, "weak form"),
    "ansatz": (with_ansatz(MESH), {"tests": TestSpace()}, ProblemError, "ansatz"),
    "box without a mesh": (
        Problem(
            domain=Box(x=(0, 1), y=(0, 1)),
            fields="u",
            equations=(Equation(lambda u: u, on="boundary", name="wall"),),
            weak=lambda u, v: dot(grad(u), grad(v)) - v,
        ),
        {"tests": TestSpace()},
        SettingsError,
        "mesh",
    ),
    "weak form alone": (posed(MESH), {}, ProblemError, "TestSpace"),
    "of another kind": (posed(MESH), {"tests": 2}, SettingsError, "TestSpace"),
    "too few": (
        Problem(
            domain=uniform("triangle", 1),
            fields="u",
            equations=(Equation(lambda u: u, on="boundary", name="wall"),),
            weak=lambda u, v: dot(grad(u), grad(v)) - v,
        ),
        {"tests": TestSpace(1)},
        SettingsError,
        "finer mesh",
    ),
    "too many": (posed(uniform("triangle", 32)), {"tests": TestSpace(3)}, SettingsError, "coarser"),
    "parts left out": (
        replace(
            load_script(PROBLEMS / "two_materials.py").problem(),
            weak=(Weak(lambda u, v: dot(grad(u), grad(v)), on="left"), lambda v: -v),
        ),
        {"tests": TestSpace(1)},
        ProblemError,
        "all parts",
    ),
    "faces alone": (
        posed(MESH, weak=Weak(lambda u, v: u * v, on="west")),
        {"tests": TestSpace(1)},
        ProblemError,
        "parts",
    ),
    "a part that is a face of the mesh": (
        load_script(PROBLEMS / "two_materials.py").problem(),
        {"tests": TestSpace(1, mesh=PROBLEMS.parent / "meshes" / "square_quads.msh")},
        SettingsError,
        "'left'",
    ),
    "another shape": (
        load_script(PROBLEMS / "poisson_lshape.py").problem(),
        {"tests": TestSpace(1, mesh=Mesh(2 * MESH.cells.points - 1, MESH.cells.nodes, "triangle"))},
        SettingsError,
        "measure of 3",
    ),
    "periodic": (
        Problem(
            domain=Box(x=Periodic(0, 1), y=(0, 1)),
            fields="u",
            equations=(Equation(lambda u: u, on="boundary", name="wall"),),
            weak=lambda u, v: dot(grad(u), grad(v)) - v,
        ),
        {"tests": TestSpace(mesh=MESH)},
        ProblemError,
        "periodic",
    ),
    "another field": (posed(MESH), {"tests": TestSpace(elements={"E": Element()})}, PinnmlError, "E"),
    "not linear in v": (
        posed(MESH, weak=lambda u, v: dot(grad(u), grad(v)) - v**2),
        {"tests": TestSpace()},
        ProblemError,
        "linear in the test function",
    ),
    "second derivative of v": (
        posed(MESH, weak=lambda u, v: u * v.d("xx")),
        {"tests": TestSpace()},
        MissingDerivativeError,
        "by parts",
    ),
    "local refinement": (
        posed(MESH),
        {
            "tests": TestSpace(),
            "network": KAN(3, intervals=3),
            "solver": Multilevel(levels=2, inner=LevenbergMarquardt(steps=2), adaptive=0.5),
        },
        SettingsError,
        "adaptive",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_tested_is_refused_with_a_cure(case: str):
    problem, options, kind, word = REFUSED[case]
    seen: list[int] = []
    with pytest.raises(kind) as raised:
        solve_once(
            problem,
            **{"network": Features(10, bandwidth=2.0), "points": 60, **options},
            callback=lambda p: seen.append(p.step),
        )
    assert not seen
    assert word in str(raised.value)
    assert raised.value.cure or raised.value.expected


@pytest.mark.parametrize(
    "options",
    [
        {"degree": 0},
        {"degree": 4},
        {"degree": 1.5},
        {"mesh": 3},
        {"elements": Element()},
        {"weight": 0.0},
        {"elements": {"u": Element("P", 4)}},
    ],
)
def test_options_of_test_functions_are_looked_over(options: dict[str, Any]):
    with pytest.raises(SettingsError):
        TestSpace(**options)


@pytest.mark.parametrize("wrong", [lambda x, y: 14.5 * wave(x, y), lambda x, y: -13 * wave(x, y)])
def test_check_puts_the_exact_solution_through_the_weak_form(wrong: Any):
    mesh = uniform("triangle", 6)
    inside = Equation(lambda u, x, y: -u.d("xx") - u.d("yy") - 13 * wave(x, y), name="balance")
    problem = posed(mesh, equations=(inside, *posed(mesh).equations))
    findings = check(problem, Recipe(network=Features(20)))
    assert findings.good
    assert findings.equations[-1].name == "weak form"
    assert findings.equations[-1].region == "interior, west"
    assert findings.equations[-1].trial.relative < 1e-8
    mistaken = replace(problem, weak=(lambda u, v, x, y: dot(grad(u), grad(v)) - wrong(x, y) * v, problem.weak[1]))
    complaints = check(mistaken, Recipe(network=Features(20))).complaints
    assert len(complaints) == 1
    assert "'weak form'" in complaints[0]


def coupled(size: float) -> tuple[Problem, Any]:
    """Two fields, one of which is as large as `size`, as is its weak form."""

    def first(x, y):
        return torch.sin(torch.pi * x) * torch.sin(torch.pi * y)

    def second(x, y):
        return size * x * (1 - x) * torch.sin(torch.pi * y)

    def forcing(x, y):
        return (2 * torch.pi**2 + 1) * first(x, y) - second(x, y) / size

    def other(x, y):
        return size * (2 + torch.pi**2 * x * (1 - x)) * torch.sin(torch.pi * y)

    def weak(a, b, v_a, v_b, x, y):
        heat = dot(grad(a), grad(v_a)) + (a - b / size - forcing(x, y)) * v_a
        return heat + dot(grad(b), grad(v_b)) - other(x, y) * v_b

    walls = tuple(Equation(wall, on="boundary", name=f"wall of {name}") for name, wall in WALLS.items())
    exact = {"a": first, "b": second}
    problem = Problem(
        domain=uniform("triangle", 6),
        fields=("a", "b"),
        equations=walls,
        weak=weak,
        exact=lambda x, y: {name: function(x, y) for name, function in exact.items()},
    )
    return problem, forcing


WALLS = {"a": lambda a: a, "b": lambda b: b}


@pytest.mark.slow
@pytest.mark.parametrize("size", [1.0, 1e-8])
def test_every_field_has_rows_of_its_own(size: float):
    # of one set of rows for both, a field of size 1e-8 would be no part at all
    problem, _ = coupled(size)
    solution = solve_once(problem, Features(60, bandwidth=5.0), LSGD(hidden="fixed"), tests=TestSpace(2), points=200)
    assert {"weak form of a", "weak form of b"} < set(solution.verdict.held_out)
    assert solution.settings["tests"]["functions"] == 2 * 11 * 11
    assert max(solution.verdict.relative_l2.values()) < 1e-3
    wrong = replace(problem, exact=lambda x, y: {"a": problem.exact(x, y)["a"], "b": 1.2 * problem.exact(x, y)["b"]})
    assert check(problem).good
    assert any("weak form of b" in complaint for complaint in check(wrong).complaints)


@pytest.mark.slow
def test_a_condition_that_the_weak_form_forgets_is_told():
    mesh = uniform("quad", 4)
    robin = Equation(lambda u, normal: dot(grad(u), normal) + u - 1, on="east", name="robin")
    walls = (Equation(lambda u: u, on="west", name="wall"), robin)
    face = Weak(lambda u, v: (u - 1) * v, on="east")
    inside = Weak(lambda u, v: dot(grad(u), grad(v)) - v)
    network = Features(40, bandwidth=2.0)
    for weak, said in (((inside, face), False), ((inside,), True)):
        problem = Problem(domain=mesh, fields="u", equations=walls, weak=weak)
        for verdict in (
            solve_once(problem, network, LSGD(hidden="fixed"), tests=TestSpace(2), points=100).verdict,
            reference(problem, degree=2).verdict,
        ):
            assert any("'robin'" in complaint and "face" in complaint for complaint in verdict.complaints) == said
            assert set(verdict.unmet) == {"robin"}
            assert (verdict.unmet["robin"] > 0.2) == said
            assert any("nothing flows through" in warning for warning in verdict.warnings)


def test_functions_of_one_degree_more_may_be_too_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pinnml.system.weak.residual.MOST", 100)
    system = prepared(posed(uniform("triangle", 6)), Recipe(Features(20), points=100, tests=TestSpace(1)))
    assert system.held_out is not None
    sizes = [len(s.residual(s.initial())[s.rows["weak form"]]) for s in (system, system.held_out)]
    assert sizes == [30, 30]
    assert len(system.held_out.blocks[-2]) > len(system.blocks[-2])  # by a better quadrature


def test_a_weight_multiplies_the_squares_of_the_rows():
    problem = posed(uniform("triangle", 4))
    light, heavy = (
        prepared(problem, Recipe(Features(10), points=60, tests=TestSpace(1, weight=w))) for w in (1.0, 4.0)
    )
    rows, theta = light.rows["weak form"], light.initial() + 0.1
    assert torch.allclose(2 * light.residual(theta)[rows], heavy.residual(theta)[rows], rtol=1e-14)


def test_a_recipe_tests_with_its_own_elements():
    recipe = Recipe(elements={"E": Element("N1curl", 4)}, tests=TestSpace(1))
    assert recipe.tests == TestSpace(1, elements={"E": Element("N1curl", 3)})


def test_check_says_why_a_weak_form_was_not_tried():
    mesh = uniform("triangle", 3)
    inside = Equation(lambda u, x, y: -u.d("xx") - u.d("yy") - 13 * wave(x, y), name="balance")
    problem = posed(mesh, equations=(inside, *posed(mesh).equations))
    recipe = Recipe(network=Features(10))
    assert check(replace(problem, exact=None), recipe).equations[-1].trial.reason == "no exact solution"
    coarse = posed(uniform("triangle", 1), weak=problem.weak)
    everywhere = Equation(lambda u, x, y: u - wave(x, y), on="boundary", name="wall")
    found = check(replace(coarse, equations=(inside, everywhere)), recipe)
    assert found.good
    assert "test functions of the field 'u'" in found.equations[-1].trial.reason


def test_small_misfits_of_a_weak_form_are_notes():
    problem = load_script(PROBLEMS / "advection_unstructured.py").problem()
    found = check(problem, Recipe(network=Features(10)))
    assert found.good
    assert any("weak form" in warning and "stabilise" in warning for warning in found.warnings)


def test_equations_do_not_bear_the_name_of_weak_forms():
    with pytest.raises(ProblemError, match="'weak form of x'"):
        posed(MESH, equations=(Equation(lambda u: u, on="boundary", name="weak form of x"),))


def test_a_coefficient_may_begin_at_zero():
    problem = posed(MESH, weak=lambda u, v, k: k * dot(grad(u), grad(v)) - v, parameters={"k": 0.0})
    system = prepared(problem, Recipe(Features(10), points=60, tests=TestSpace(1)))
    assert "weak form" in system.rows


def test_rows_of_several_fields_and_regions_follow_one_another():
    problem, _ = coupled(1.0)
    faces = (Weak(lambda a, v_a: a * v_a, on="east"), Weak(lambda b, v_b: b * v_b, on="some"))
    mesh = crooked("triangle", 3)
    walls = tuple(Equation(wall, on="unnamed boundary", name=f"wall of {name}") for name, wall in WALLS.items())
    weak = (faces[0], problem.weak[0], faces[1])  # a field before the other, and once more
    system = prepared(
        replace(problem, domain=mesh, equations=walls, weak=weak), Recipe(Features(5), points=40, tests=TestSpace(1))
    )
    places = [place for rows in system.rows.values() for place in range(rows.start, rows.stop)]
    assert places == list(range(system.n_residuals))
    assert sum(block.pairing is not None for block in system.blocks) == 4
    theta = system.initial() + 0.1
    r, j = system.linearise(theta)
    assert torch.allclose(r, system.residual(theta), rtol=1e-12, atol=1e-13)
    assert torch.allclose(j, torch.autograd.functional.jacobian(system.residual, theta), rtol=1e-11, atol=1e-12)
