"""Problem scripts on meshes against what is known of them: resonances, overshoots, orders, balances of forces."""

from __future__ import annotations

from dataclasses import replace
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forms import uniform
from scipy.linalg import eigh

from pinnml import Element, Mesh, Problem, Solution, curl, dot, modes, reference
from pinnml.errors import ProblemError
from pinnml.script import load_script

FOLDER = Path(__file__).parents[1]
SCRIPTS = {n: load_script(FOLDER / "problems" / f"{n}.py") for n in ("maxwell_cavity", "advection_unstructured", "ice_shelf")}
#: Resonances of the unit cube by k^2 / pi^2.
CUBE = np.array([2.0, 2, 2, 3, 3])


def resonant(**domain: Any) -> Problem:
    """The cavity of case=source without its source, and k^2 unknown."""
    driven = SCRIPTS["maxwell_cavity"].problem(case="source")
    wall = tuple(equation for equation in driven.equations if equation.name == "conductor")

    def weak(E, v, k2):
        return dot(curl(E), curl(v)) - k2 * dot(E, v)

    return replace(driven, equations=wall, weak=weak, exact=None, parameters={"k2": 1.0}, **domain)


def test_resonances_of_the_cavity_are_met_and_none_is_false():
    found = modes(resonant(), near=2.4 * pi**2, count=5, elements={"E": Element("N1curl", 2)})
    values = np.array([mode.parameters["k2"] for mode in found]) / pi**2
    # cells a quarter wide: the error of degree 2 is of fourth order; the five nearest to 2.4 are the five there are
    np.testing.assert_allclose(values, CUBE, rtol=1e-3)
    assert (np.abs(values - CUBE) > 1e-6).all()


def slab(m: int, count: int, size: int = 40) -> np.ndarray:
    """The lowest k2 of -X'' + (m pi)^2 X = k2 eps X, X(0) = X(1) = 0: dense, in sines, on Gauss points of both halves."""
    nodes, weight = np.polynomial.legendre.leggauss(200)
    x = np.concatenate([(nodes + 1) / 4, (nodes + 3) / 4])
    eps, weight = np.where(x < 0.5, 4.0, 1.0), np.concatenate([weight, weight]) / 4
    wave = np.arange(1, size + 1) * pi
    shape = np.sin(np.outer(wave, x))
    return eigh(np.diag(wave**2 + (m * pi) ** 2) / 2, (shape * weight * eps) @ shape.T, eigvals_only=True)[:count]


def test_modes_of_the_guide_are_those_of_its_layers():
    found = [mode.parameters["k2"] for mode in modes(guide(), near=20.0, count=5, degree=3)]
    known = np.sort(np.concatenate([slab(m, 5) for m in (1, 2, 3)]))[:5]
    # sines meet the jump of X'' with an error in k2 of the fifth power of their number, 1e-7; the elements are right
    # to 1e-5 or better, as error goes with the sixth power of a tenth of a wave
    np.testing.assert_allclose(found, known, rtol=1e-4)


def guide() -> Problem:
    return SCRIPTS["maxwell_cavity"].problem(case="guide")


def test_the_lowest_mode_of_the_guide_is_the_root_of_its_dispersion_relation():
    from scipy.optimize import brentq

    def mismatch(k2: float) -> float:
        a, b = np.sqrt(4 * k2 - pi**2 + 0j), np.sqrt(k2 - pi**2 + 0j)
        return float((np.tan(a / 2) / a + np.tan(b / 2) / b).real)

    root: Any = brentq(mismatch, 5, 9, xtol=1e-13)
    (mode,) = modes(guide(), near=6.5, count=1)
    assert mode.parameters["k2"] == pytest.approx(root, rel=1e-4)
    assert slab(1, 1)[0] == pytest.approx(root, rel=1e-6)
    # the mode of the elements has the shape of the exact one, which the script knows
    points = np.random.default_rng(0).random((200, 2))
    exact: Any = guide().exact
    known = exact(*torch.from_numpy(points).T).numpy()
    u = mode(points)["u"]
    factor = (u @ known) / (known @ known)
    assert np.abs(u / factor - known).max() < 5e-3 * known.max()


def test_the_network_finds_the_number_of_the_guide():
    script = SCRIPTS["maxwell_cavity"]
    solution = script.recipe(case="guide").solve(script.problem(case="guide"), seed=3)
    assert solution.verdict.good, solution.verdict.complaints
    assert solution.parameters["k2"] == pytest.approx(slab(1, 1)[0], rel=1e-6)


@pytest.mark.parametrize(("degree", "bound"), [(1, 0.3), (2, 0.03)])
def test_the_driven_cavity_is_met_by_edge_elements(degree: int, bound: float):
    # a quarter of half a wave a cell: (pi h)^k / (2k)! and some
    problem = SCRIPTS["maxwell_cavity"].problem(case="source", k=1.0)
    solution = reference(problem, elements={"E": Element("N1curl", degree)})
    assert (solution.error()["E"] or 1.0) < bound


def streams(eps: float, upwind: float, degree: int, **more: Any) -> Solution:
    """The two streams without heating, by finite elements: the exact values are between 0 and 1."""
    problem = SCRIPTS["advection_unstructured"].problem(eps=eps, heating=0.0, upwind=upwind)
    return reference(problem, degree=degree, **more)


def overshoot(solution: Solution) -> float:
    """How far the values leave the range from 0 to 1."""
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, 141), np.linspace(-0.7, 0.7, 141))
    u = solution(np.stack([x.ravel(), y.ravel()], axis=1))["u"]
    return float(max(u.max() - 1, -u.min()))


def test_streamline_upwinding_keeps_a_thin_layer_from_oscillating():
    without, upwinded = (overshoot(streams(1e-3, upwind, 1)) for upwind in (0.0, 1.0))
    assert without > 0.1
    assert upwinded < without / 3


def test_upwinding_leaves_heating_along_the_wind_as_it_is():
    # the balance b . grad u - q vanishes for u = q s: consistent, unlike diffusion along the wind added to the method
    script = SCRIPTS["advection_unstructured"]
    cold, warm = (reference(script.problem(eps=1e-3, heating=q), degree=1) for q in (0.0, 1.0))
    points = np.random.default_rng(0).random((100, 2)) - 0.5
    along = points @ np.array(script.module.WIND) + script.module.UPSTREAM
    np.testing.assert_allclose(warm(points)["u"] - cold(points)["u"], along, atol=1e-3)


@pytest.mark.parametrize(("upwind", "order"), [(0.0, 3.0), (1.0, 2.0)])
def test_degree_two_converges_for_streams_on_any_mesh(upwind: float, order: float):
    def error(n: int) -> float:
        unit = uniform("triangle", n)
        square = Mesh(unit.cells.points - 0.5, unit.cells.corners, "triangle", faces={"rim": unit.facets("boundary")})
        return streams(0.05, upwind, 2, mesh=square).error()["u"] or 0.0

    found = [error(n) for n in (8, 16)]
    assert np.log2(found[0] / found[1]) == pytest.approx(order, abs=0.3)


def test_the_ice_is_in_balance_with_the_sea_and_its_sides():
    pass


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("maxwell_cavity", {"k": 0.0}),
        ("maxwell_cavity", {"k": 4.5}),
        ("advection_unstructured", {"eps": 0.0}),
        ("advection_unstructured", {"upwind": -1.0}),
        ("ice_shelf", {"hardness": 0.0}),
        ("ice_shelf", {"friction": -1.0}),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(name: str, values: dict[str, float]):
    with pytest.raises(ProblemError) as raised:
        SCRIPTS[name].problem(**values)
    (refused,) = values
    assert refused in str(raised.value)
    assert raised.value.got == values[refused]
    assert f"{refused}=" in raised.value.cure
