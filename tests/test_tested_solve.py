"""Networks trained by the weak form: where equations at points fail, with every solver, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forms import uniform

from pinnml import (
    KAN,
    LBFGS,
    LSGD,
    MLP,
    Adam,
    Box,
    Element,
    Equation,
    Features,
    LevenbergMarquardt,
    Mesh,
    Multilevel,
    Periodic,
    Points,
    Problem,
    Recipe,
    TestSpace,
    Weak,
    dot,
    grad,
    load,
    reference,
    solve,
)
from pinnml.check import check
from pinnml.errors import MissingDerivativeError, PinnmlError, ProblemError, SettingsError
from pinnml.script import load_script
from pinnml.solve import prepared

PROBLEMS = Path(__file__).parents[1] / "problems"


def wave(x, y):
    return torch.sin(2 * x + 1) * torch.cos(3 * y)


def flux(x, y):
    """The slope of the wave along x."""
    return 2 * torch.cos(2 * x + 1) * torch.cos(3 * y)


def posed(mesh: Mesh, **more: Any) -> Problem:
    """-laplacian(u) = 13 wave: values on three sides, the flux on the west."""
    walls = Equation(lambda u, x, y: u - wave(x, y), on=("south", "north", "east"), name="wall")
    west = Weak(lambda v, x, y: flux(x, y) * v, on="west")
    inside = Weak(lambda u, v, x, y: dot(grad(u), grad(v)) - 13 * wave(x, y) * v)
    given = {"equations": (walls,), "weak": (inside, west), "exact": wave} | more
    return Problem(domain=mesh, fields="u", **given)


SOLVERS = [
    (LSGD(), Features(60, bandwidth=4.0), 1e-6),
    (LevenbergMarquardt(steps=40), MLP(10, 2, "tanh"), 1e-3),
    (Adam(steps=400, rate=1e-2), MLP(16, 1, "tanh"), 0.3),
    (LBFGS(steps=30), MLP(10, 1, "tanh"), 0.2),
    (Multilevel(levels=2, inner=LevenbergMarquardt(steps=20)), KAN(width=4, depth=1, order=4, intervals=3), 1e-3),
]


@pytest.mark.parametrize(("solver", "network", "bound"), SOLVERS, ids=lambda value: type(value).__name__)
def test_every_solver_trains_by_the_weak_form(solver: Any, network: Any, bound: float):
    solution = solve(posed(uniform("triangle", 6)), network, solver, tests=TestSpace(2), points=200)
    assert solution.verdict.error < bound
    assert set(solution.verdict.held_out) == {"wall@south", "wall@north", "wall@east", "weak form"}
    assert solution.settings["tests"]["functions"] == solution.verdict.residuals - sum(
        solution.settings["points"].values()
    )


def test_a_flux_with_the_wrong_sign_is_another_problem():
    mesh = uniform("triangle", 6)
    right = posed(mesh)
    wrong = replace(right, weak=(right.weak[0], Weak(lambda v, x, y: -flux(x, y) * v, on="west")))
    errors = [solve(p, SOLVERS[0][1], tests=TestSpace(2), points=200).verdict.error for p in (right, wrong)]
    assert errors[0] < 1e-6
    assert errors[1] > 0.1


def test_where_a_coefficient_jumps_points_mislead_and_the_weak_form_does_not():
    # smooth functions know nothing of the continuity of the flux, which no equation at points says
    problem = load_script(PROBLEMS / "two_materials.py").problem()
    at_points, weakly = (
        solve(problem, Features(100), points=600, tests=tests).verdict for tests in (None, TestSpace(2))
    )
    assert at_points.error > 0.5
    assert weakly.error < 0.1


def test_a_source_on_a_line_of_the_plane_is_met_to_ten_digits():
    script = load_script(PROBLEMS / "heated_sheet.py")
    verdict = script.recipe().solve(script.problem(), seed=5).verdict
    assert verdict.good, verdict.complaints
    assert verdict.error < 1e-10


def test_a_source_at_a_point_of_a_rod():
    # -u'' = delta(x - 1/2) between zeros: u = min(x, 1 - x) / 2, which one further function holds
    x = np.linspace(0, 1, 11)
    mesh = Mesh(x[:, None], np.stack([np.arange(10), np.arange(1, 11)], axis=1), "line", faces={"middle": [[5]]})
    problem = Problem(
        domain=mesh,
        fields="u",
        equations=(Equation(lambda u: u, on="boundary", name="wall"),),
        weak=(lambda u, v: u.d("x") * v.d("x"), Weak(lambda v: -v, on="middle")),
        exact=lambda x: torch.minimum(x, 1 - x) / 2,
    )
    kinked = Features(20, extra=lambda x: (torch.abs(x - 0.5),))
    assert solve(problem, kinked, tests=TestSpace(3)).verdict.error < 1e-12


def test_edge_elements_test_a_network_for_maxwell():
    script = load_script(PROBLEMS / "maxwell_cavity.py")
    tests = TestSpace(elements={"E": Element("N1curl", 1)})
    network = Features(100, bandwidth=4.0)
    solution = solve(script.problem(), network, LSGD(steps=1), tests=tests, points={"boundary": 300})
    assert solution.verdict.error < 5e-2
    assert solution.settings["tests"]["elements"] == {"E": ["N1curl", 1]}


def test_elasticity_with_natural_and_rolling_boundaries_is_that_of_finite_elements():
    script = load_script(PROBLEMS / "plate_with_hole.py")
    problem = replace(script.problem(), reference=None)
    network = replace(script.recipe().network, count=150)
    weakly = solve(problem, network, LSGD(steps=2), tests=TestSpace(2), points={"left": 60, "right": 60, "bottom": 60})
    classical = reference(problem, degree=3)
    x = problem.domain.sample("interior", 500, torch.Generator().manual_seed(0), "random").x.numpy()
    found, expected = (solution(x)["u"] for solution in (weakly, classical))
    assert np.abs(found - expected).max() < 5e-3 * np.abs(expected).max()


def test_numbers_are_found_with_the_weak_form_and_measurements():
    # k in -k laplacian(u) = 26 wave from values of u at ten points: 2
    mesh = uniform("triangle", 6)
    x = torch.rand((10, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    columns = dict(zip("xy", x.unbind(1), strict=True))
    problem = posed(
        mesh,
        equations=(
            Equation(lambda u, x, y: u - wave(x, y), on="boundary", name="wall"),
            Equation(lambda u, measured: u - measured, on="sensors", name="sensors"),
        ),
        weak=lambda u, v, k, x, y: k * dot(grad(u), grad(v)) - 26 * wave(x, y) * v,
        parameters={"k": 1.0},
        data={"sensors": Points(columns, {"measured": wave(*x.unbind(1))})},
    )
    solution = solve(problem, MLP(12, 1, "tanh"), LevenbergMarquardt(steps=60), tests=TestSpace(2), points=200)
    assert solution.parameters["k"] == pytest.approx(2.0, rel=1e-2)
    assert {"wall", "sensors", "weak form"} == set(solution.verdict.held_out)


def test_integrals_stay_beside_the_weak_form():
    # -laplacian(u) = 13 wave - mean, no flux anywhere: u up to a constant, which the integral gives
    mesh = uniform("triangle", 6)
    mean = Equation(lambda u: u - 0.25, name="mean", integral=True)
    problem = Problem(
        domain=mesh,
        fields="u",
        equations=(mean, Equation(lambda u, normal: dot(grad(u), normal), on="boundary", name="no flux")),
        weak=lambda u, v, x, y: (
            dot(grad(u), grad(v)) - 2 * torch.pi**2 * torch.cos(torch.pi * x) * torch.cos(torch.pi * y) * v
        ),
        exact=lambda x, y: torch.cos(torch.pi * x) * torch.cos(torch.pi * y) + 0.25,
    )
    verdict = solve(problem, Features(60, bandwidth=4.0), tests=TestSpace(2), points=200).verdict
    assert set(verdict.held_out) == {"mean", "weak form"}
    assert verdict.error < 1e-4
    assert not any("No condition" in warning for warning in verdict.warnings)


def test_a_run_is_kept_with_its_test_functions_and_gone_on_from(tmp_path: Path):
    problem, tests = posed(uniform("triangle", 4)), TestSpace(2)
    network = MLP(8, 1, "tanh")
    solution = solve(problem, network, LevenbergMarquardt(steps=5), tests=tests, points=100, out=tmp_path / "run")
    again = load(tmp_path / "run" / "checkpoint.pt", problem)
    assert again.settings["tests"] == {"elements": {"u": ["P", 2]}, "functions": 56, "mesh": None}
    further = solve(problem, solver=LevenbergMarquardt(steps=20), tests=tests, points=100, start=again)
    assert further.verdict.error < 0.5 * solution.verdict.error


def test_the_mesh_of_the_test_functions_may_be_another(tmp_path: Path):
    fine, coarse = uniform("triangle", 8), uniform("quad", 4)
    network = Features(20, bandwidth=3.0)
    solution = solve(posed(fine), network, LSGD(steps=1), tests=TestSpace(2, mesh=coarse), points=100)
    assert solution.settings["tests"]["functions"] == 9 * 9 - 3 * 9 + 2
    box = replace(
        posed(fine),
        domain=Box(x=(0, 1), y=(0, 1)),
        equations=(Equation(lambda u, x, y: u - wave(x, y), on=("x=1", "y=0", "y=1"), name="wall"),),
        weak=(posed(fine).weak[0], Weak(lambda v, x, y: flux(x, y) * v, on="x=0")),
    )
    on_box = solve(box, network, LSGD(steps=1), tests=TestSpace(2, mesh=coarse), points=100)
    assert on_box.settings["tests"]["functions"] == solution.settings["tests"]["functions"]
    assert on_box.verdict.error < 10 * solution.verdict.error < 0.1


def test_a_search_of_the_bandwidth_leaves_the_weak_form_whole():
    system = prepared(posed(uniform("triangle", 6)), Features(20), points=200, tests=TestSpace(2))
    small = system.subset(10)
    theta = system.initial()
    weak = system.rows["weak form"]
    assert small.rows["weak form"].stop - small.rows["weak form"].start == weak.stop - weak.start
    assert torch.equal(small.residual(theta)[small.rows["weak form"]], system.residual(theta)[weak])
    assert len(small.blocks[0]) == 10


def test_held_out_functions_are_of_one_degree_more():
    system = prepared(posed(uniform("triangle", 6)), Features(20), points=200, tests=TestSpace(1))
    assert system.held_out is not None
    sizes = [s.rows["weak form"].stop - s.rows["weak form"].start for s in (system, system.held_out)]
    assert sizes == [7 * 7 - 3 * 7 + 2, 13 * 13 - 3 * 13 + 2]


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
    with pytest.raises(kind) as raised:
        solve(problem, **{"network": Features(10, bandwidth=2.0), "points": 60, **options})
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


@pytest.mark.parametrize("size", [1.0, 1e-8])
def test_every_field_has_rows_of_its_own(size: float):
    # of one set of rows for both, a field of size 1e-8 would be no part at all
    problem, _ = coupled(size)
    solution = solve(problem, Features(60, bandwidth=5.0), tests=TestSpace(2), points=200)
    assert {"weak form of a", "weak form of b"} < set(solution.verdict.held_out)
    assert solution.settings["tests"]["functions"] == 2 * 11 * 11
    assert max(solution.verdict.relative_l2.values()) < 1e-3
    wrong = replace(problem, exact=lambda x, y: {"a": problem.exact(x, y)["a"], "b": 1.2 * problem.exact(x, y)["b"]})
    assert check(problem).good
    assert any("weak form of b" in complaint for complaint in check(wrong).complaints)


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
            solve(problem, network, tests=TestSpace(2), points=100).verdict,
            reference(problem, degree=2).verdict,
        ):
            assert any("'robin'" in complaint and "face" in complaint for complaint in verdict.complaints) == said
            assert set(verdict.unmet) == {"robin"}
            assert (verdict.unmet["robin"] > 0.2) == said
            assert any("nothing flows through" in warning for warning in verdict.warnings)


def test_functions_of_one_degree_more_may_be_too_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pinnml.weak_residual.residual.MOST", 100)
    system = prepared(posed(uniform("triangle", 6)), Features(20), points=100, tests=TestSpace(1))
    assert system.held_out is not None
    sizes = [len(s.residual(s.initial())[s.rows["weak form"]]) for s in (system, system.held_out)]
    assert sizes == [30, 30]
    assert len(system.held_out.blocks[-2]) > len(system.blocks[-2])  # by a better quadrature


def test_a_weight_multiplies_the_squares_of_the_rows():
    problem = posed(uniform("triangle", 4))
    light, heavy = (prepared(problem, Features(10), points=60, tests=TestSpace(1, weight=w)) for w in (1.0, 4.0))
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
