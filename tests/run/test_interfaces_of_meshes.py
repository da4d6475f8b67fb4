"""Interfaces inside meshes: what must be said of fluxes between parts, and what the basis must be able to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import Equation, Features, Mesh, Problem, Recipe, TestSpace, div, grad, laplacian, solve
from pinnml import normal_derivative as slope
from pinnml.cli.script import load_script
from pinnml.errors import ProblemError
from pinnml.run import prepared
from tests.helpers.places import MESHES, PROBLEMS

SMOOTH = Features(60, bandwidth=4.0)
KINKED = Features(250, bandwidth=(6.0, 6.0, 6.0), inputs=lambda x, y: (x, y, abs(x - 0.5)))


def by_parts(flux: float | None) -> Problem:
    """The problem of two materials, with a condition on the flux; behind, its conductivity 10 is taken times `flux`."""
    problem = load_script(PROBLEMS / "two_materials.py").problem()

    def continuous(u, x, normal, jump):
        return jump(torch.where(x < 0.5, 1 + 0 * x, 10 * flux + 0 * x) * slope(u, normal))

    more = () if flux is None else (Equation(continuous, on="interface", name="flux"),)
    return replace(problem, equations=(*problem.equations, *more))


def test_with_the_flux_said_and_a_basis_that_kinks_the_solution_is_found():
    verdict = solve(by_parts(1.0), KINKED, points=1500, verify=False).verdict
    assert verdict.good, verdict.summary
    assert verdict.error < 1e-8


def test_a_wrong_flux_is_another_problem():
    assert solve(by_parts(0.5), KINKED, points=1500, verify=False).verdict.error > 1e-2


@pytest.mark.parametrize("network", [SMOOTH, KINKED], ids=["smooth", "kinked"])
def test_parts_with_other_fluxes_are_refused_where_nothing_is_said_between_them(network):
    with pytest.raises(ProblemError, match="nothing says what holds where 'left' and 'right' meet") as caught:
        prepared(by_parts(None), Recipe(network, points=200))
    assert "TestSpace" in caught.value.cure
    assert "(interface)" in caught.value.cure
    prepared(by_parts(None), Recipe(network, points=200, tests=TestSpace(2)))


def test_a_basis_that_is_smooth_at_the_interface_is_refused():
    with pytest.raises(ProblemError, match="makes fields jump or kink on 'interface', and the basis cannot"):
        prepared(by_parts(1.0), Recipe(SMOOTH, points=200))


def test_parts_with_the_same_flux_may_have_other_sources():
    def posed(second, *more):
        equations = (
            Equation(lambda u: -laplacian(u) - 1, on="left", name="left"),
            Equation(second, on="right", name="right"),
            Equation(lambda u: u, on="boundary", name="wall"),
        )
        return Problem(domain=Mesh.read(MESHES / "two_materials.msh"), fields="u", equations=(*equations, *more))

    prepared(posed(lambda u: laplacian(u) - 2), Recipe(SMOOTH, points=200))
    prepared(posed(lambda u, x: div((1 + x - x) * grad(u)) + u.d("x")), Recipe(SMOOTH, points=200))
    same = Equation(lambda u, normal, jump: jump(slope(u, normal)), on="interface", name="flux")
    prepared(posed(lambda u: laplacian(u) - 2, same), Recipe(SMOOTH, points=200))
    with pytest.raises(ProblemError, match="meet"):
        prepared(posed(lambda u: u.d("xx") + 2 * u.d("yy") + 2 * u.d("xx")), Recipe(SMOOTH, points=200))
    with pytest.raises(ProblemError, match="meet"):  # the mixed derivative carries a flux too
        prepared(posed(lambda u: laplacian(u) + u.d("xy")), Recipe(SMOOTH, points=200))


def test_facets_between_parts_are_those_that_nothing_is_said_on():
    mesh = Mesh.read(MESHES / "two_materials.msh")
    between = mesh.between("left", "right").middles(50)
    assert np.allclose(between.x[:, 0], 0.5)
    assert np.allclose(between.normal, [[1.0, 0.0]])
    assert np.allclose(mesh.between("right", "left").middles(50).normal, [[-1.0, 0.0]])
    assert mesh.between("left", "right").measure.sum() == pytest.approx(1)
    assert len(mesh.between("left", "right", ["interface"])) == 0


def test_over_time_as_well():
    mesh = Mesh.read(MESHES / "two_materials.msh").times(t=(0, 1))
    equations = (
        Equation(lambda u: u.d("t") - laplacian(u), on="left", name="left"),
        Equation(lambda u: u.d("t") - 3 * laplacian(u), on="right", name="right"),
        Equation(lambda u: u, on=("boundary", "initial"), name="wall"),
    )
    with pytest.raises(ProblemError, match="meet"):
        prepared(Problem(domain=mesh, fields="u", equations=equations), Recipe(SMOOTH, points=200))


def test_a_switch_on_an_interface_with_an_equation_is_left_alone():
    def k(x):
        return torch.where(x < 0.5, 1 + 0 * x, 10 + 0 * x)

    equations = (
        Equation(lambda u, x: div(k(x) * grad(u)), name="balance"),
        Equation(lambda u: u, on="boundary", name="wall"),
        Equation(lambda u, x, normal, jump: jump(k(x) * slope(u, normal)), on="interface", name="flux"),
    )
    mesh = Mesh.read(MESHES / "two_materials.msh")
    prepared(Problem(domain=mesh, fields="u", equations=equations), Recipe(KINKED, points=200))
    with pytest.raises(ProblemError, match="jumps"):
        prepared(Problem(domain=mesh, fields="u", equations=equations[:2]), Recipe(KINKED, points=200))
