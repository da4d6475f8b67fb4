"""Networks trained by the weak form: where equations at points fail, and with every solver."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

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
    Points,
    Problem,
    TestSpace,
    Weak,
    dot,
    grad,
    load,
    reference,
)
from pinnml.cli.script import load_script
from pinnml.errors import ProblemError
from pinnml.run import Recipe, prepared
from tests.helpers.forms import uniform
from tests.helpers.places import PROBLEMS
from tests.helpers.solving import solve_once
from tests.helpers.weak import flux, posed, wave

SOLVERS = [
    (LSGD(), Features(60, bandwidth=4.0), 1e-6),
    (LevenbergMarquardt(steps=40), MLP(10, 2, "tanh"), 1e-3),
    (Adam(steps=200, rate=2e-2), MLP(10, 1, "tanh"), 0.3),
    (LBFGS(steps=8), MLP(10, 1, "tanh"), 0.2),
    (Multilevel(levels=2, inner=LevenbergMarquardt(steps=20)), KAN(width=4, depth=1, order=4, intervals=3), 1e-3),
]


@pytest.mark.slow
@pytest.mark.parametrize(("solver", "network", "bound"), SOLVERS, ids=lambda value: type(value).__name__)
def test_every_solver_trains_by_the_weak_form(solver: Any, network: Any, bound: float):
    solution = solve_once(posed(uniform("triangle", 4)), network, solver, tests=TestSpace(2), points=100)
    assert solution.verdict.error < bound
    assert set(solution.verdict.held_out) == {"wall@south", "wall@north", "wall@east", "weak form"}
    assert solution.settings["tests"]["functions"] == solution.verdict.residuals - sum(
        solution.settings["points"].values()
    )


def test_a_flux_with_the_wrong_sign_is_another_problem():
    mesh = uniform("triangle", 6)
    right = posed(mesh)
    wrong = replace(right, weak=(right.weak[0], Weak(lambda v, x, y: -flux(x, y) * v, on="west")))
    solver, network = LSGD(hidden="fixed"), Features(60, bandwidth=4.0)
    errors = [solve_once(p, network, solver, tests=TestSpace(2), points=200).verdict.error for p in (right, wrong)]
    assert errors[0] < 1e-6
    assert errors[1] > 0.1


@pytest.mark.slow
def test_where_a_coefficient_jumps_points_mislead_and_the_weak_form_does_not():
    # smooth functions know nothing of the continuity of the flux, which no equation at points says
    problem = load_script(PROBLEMS / "two_materials.py").problem()
    with pytest.raises(ProblemError, match="nothing says what holds where 'left' and 'right' meet"):
        prepared(problem, Recipe(Features(100), points=600))
    weakly = solve_once(problem, Features(100), LSGD(hidden="fixed"), points=600, tests=TestSpace(2))
    assert weakly.verdict.error < 0.1


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
    assert solve_once(problem, kinked, tests=TestSpace(3)).verdict.error < 1e-12


@pytest.mark.slow
def test_edge_elements_test_a_network_for_maxwell():
    script = load_script(PROBLEMS / "maxwell_cavity.py")
    tests = TestSpace(elements={"E": Element("N1curl", 1)})
    network = Features(100, bandwidth=4.0)
    solution = solve_once(script.problem(), network, LSGD(steps=1), tests=tests, points={"boundary": 300})
    assert solution.verdict.error < 5e-2
    assert solution.settings["tests"]["elements"] == {"E": ["N1curl", 1]}


@pytest.mark.slow
def test_elasticity_with_natural_and_rolling_boundaries_is_that_of_finite_elements():
    script = load_script(PROBLEMS / "plate_with_hole.py")
    problem = replace(script.problem(), reference=None)
    network = replace(script.recipe().network, count=150, bandwidth=2.0)
    weakly = solve_once(
        problem, network, LSGD(hidden="fixed"), tests=TestSpace(2), points={"left": 60, "right": 60, "bottom": 60}
    )
    classical = reference(problem, degree=3)
    x = problem.domain.sample("interior", 500, torch.Generator().manual_seed(0), "random").x.numpy()
    found, expected = (solution(x)["u"] for solution in (weakly, classical))
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.slow
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
    solution = solve_once(problem, MLP(12, 1, "tanh"), LevenbergMarquardt(steps=60), tests=TestSpace(2), points=200)
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
    verdict = solve_once(problem, Features(60, bandwidth=4.0), tests=TestSpace(2), points=200).verdict
    assert set(verdict.held_out) == {"mean", "weak form"}
    assert verdict.error < 1e-4
    assert not any("No condition" in warning for warning in verdict.warnings)


@pytest.mark.slow
def test_a_run_is_kept_with_its_test_functions_and_gone_on_from(tmp_path: Path):
    problem, tests = posed(uniform("triangle", 4)), TestSpace(2)
    network = MLP(8, 1, "tanh")
    solution = solve_once(problem, network, LevenbergMarquardt(steps=5), tests=tests, points=100, out=tmp_path / "run")
    again = load(tmp_path / "run" / "checkpoint.pt", problem)
    assert again.settings["tests"] == {"elements": {"u": ["P", 2]}, "functions": 56, "mesh": None}
    further = solve_once(problem, solver=LevenbergMarquardt(steps=20), tests=tests, points=100, start=again)
    assert further.verdict.error < 0.5 * solution.verdict.error


@pytest.mark.slow
def test_the_mesh_of_the_test_functions_may_be_another(tmp_path: Path):
    fine, coarse = uniform("triangle", 8), uniform("quad", 4)
    network = Features(20, bandwidth=3.0)
    solution = solve_once(posed(fine), network, LSGD(steps=1), tests=TestSpace(2, mesh=coarse), points=100)
    assert solution.settings["tests"]["functions"] == 9 * 9 - 3 * 9 + 2
    box = replace(
        posed(fine),
        domain=Box(x=(0, 1), y=(0, 1)),
        equations=(Equation(lambda u, x, y: u - wave(x, y), on=("x=1", "y=0", "y=1"), name="wall"),),
        weak=(posed(fine).weak[0], Weak(lambda v, x, y: flux(x, y) * v, on="x=0")),
    )
    on_box = solve_once(box, network, LSGD(steps=1), tests=TestSpace(2, mesh=coarse), points=100)
    assert on_box.settings["tests"]["functions"] == solution.settings["tests"]["functions"]
    assert on_box.verdict.error < 10 * solution.verdict.error < 0.1


def test_a_search_of_the_bandwidth_leaves_the_weak_form_whole():
    system = prepared(posed(uniform("triangle", 6)), Recipe(Features(20), points=200, tests=TestSpace(2)))
    small = system.subset(10)
    theta = system.initial()
    weak = system.rows["weak form"]
    assert small.rows["weak form"].stop - small.rows["weak form"].start == weak.stop - weak.start
    assert torch.equal(small.residual(theta)[small.rows["weak form"]], system.residual(theta)[weak])
    assert len(small.blocks[0]) == 10


def test_held_out_functions_are_of_one_degree_more():
    system = prepared(posed(uniform("triangle", 6)), Recipe(Features(20), points=200, tests=TestSpace(1)))
    assert system.held_out is not None
    sizes = [s.rows["weak form"].stop - s.rows["weak form"].start for s in (system, system.held_out)]
    assert sizes == [7 * 7 - 3 * 7 + 2, 13 * 13 - 3 * 13 + 2]
