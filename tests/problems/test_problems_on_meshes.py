"""Problem scripts on meshes against what is known of them: resonances, overshoots, orders, balances of forces."""

from __future__ import annotations

from dataclasses import replace
from math import pi
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import eigh

from pinnml import Element, Mesh, Problem, Solution, curl, dot, modes, reference
from pinnml.cli.script import load_script
from pinnml.errors import ProblemError
from tests.helpers.places import ROOT

SCRIPTS = {
    n: load_script(ROOT / "problems" / f"{n}.py") for n in ("maxwell_cavity", "advection_unstructured", "ice_shelf")
}
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


def slab(m: int, count: int, size: int = 160) -> np.ndarray:
    """The lowest k2 of -X'' + (m pi)^2 X = k2 eps X, X(0) = X(1) = 0: dense, in sines, by Gauss points of halves."""
    nodes, weight = np.polynomial.legendre.leggauss(400)
    x = np.concatenate([(nodes + 1) / 4, (nodes + 3) / 4])
    eps, weight = np.where(x < 0.5, 4.0, 1.0), np.concatenate([weight, weight]) / 4
    wave = np.arange(1, size + 1) * pi
    shape = np.sin(np.outer(wave, x))
    return eigh(np.diag(wave**2 + (m * pi) ** 2) / 2, (shape * weight * eps) @ shape.T, eigvals_only=True)[:count]


def test_modes_of_the_guide_are_those_of_its_layers():
    found = [mode.parameters["k2"] for mode in modes(guide(), near=20.0, count=5, degree=3)]
    known = np.sort(np.concatenate([slab(m, 5) for m in (1, 2, 3)]))[:5]
    # n sines meet the jump of X'' with an error of n^-3 in k2, 1e-7; cells a tenth wide, elements of sixth order
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


def streams(eps: float, upwind: float, degree: int) -> Solution:
    """The two streams without heating, by finite elements: the exact values are between 0 and 1."""
    return reference(SCRIPTS["advection_unstructured"].problem(eps=eps, heating=0.0, upwind=upwind), degree=degree)


def overshoot(solution: Solution) -> float:
    """How far the values leave the range from 0 to 1."""
    x, y = np.meshgrid(*2 * [np.linspace(-0.7, 0.7, 141)])
    u = solution(np.stack([x.ravel(), y.ravel()], axis=1))["u"]
    return float(max(u.max() - 1, -u.min()))


def test_streamline_upwinding_keeps_a_thin_layer_from_oscillating():
    # the layer is a sixth of a cell wide where it enters; what upwinding leaves is beside it, and no wave
    assert overshoot(streams(1e-3, 0.0, 1)) > 0.2
    assert overshoot(streams(1e-3, 1.0, 1)) < 0.1


def test_upwinding_leaves_heating_along_the_wind_as_it_is():
    # the balance b . grad u - q vanishes for u = q s: consistent, unlike diffusion along the wind added to the method
    script = SCRIPTS["advection_unstructured"]
    problems = [script.problem(eps=1e-3, heating=q) for q in (0.0, 1.0)]
    cold, warm = (reference(replace(each, domain=straight(each.domain)), degree=1) for each in problems)
    points = np.random.default_rng(0).random((100, 2)) - 0.5
    along = points @ np.array(script.module.WIND) + script.module.UPSTREAM
    np.testing.assert_allclose(warm(points)["u"] - cold(points)["u"], along, atol=1e-12)


def straight(mesh: Any) -> Mesh:
    """The mesh without the bends of its cells: there, lines are functions of degree 1."""
    used, corners = np.unique(mesh.cells.corners, return_inverse=True)
    return Mesh(mesh.cells.points[used], corners.reshape(-1, 3), "triangle")


def finer(mesh: Mesh) -> Mesh:
    """Every straight triangle in four, corners of round walls left where they are."""
    corners, points = mesh.cells.corners, mesh.cells.points
    edges, which = np.unique(
        np.sort(corners[:, [[1, 2], [0, 2], [0, 1]]], axis=2).reshape(-1, 2), axis=0, return_inverse=True
    )
    a, b, c = corners.T
    p, q, r = (len(points) + which.reshape(-1, 3)).T
    cells = np.concatenate([np.stack(each, axis=1) for each in ((a, r, q), (r, b, p), (q, p, c), (p, q, r))])
    return Mesh(np.concatenate([points, points[edges].mean(axis=1)]), cells, "triangle")


@pytest.mark.parametrize("degree", [1, 2])
def test_errors_of_the_streams_fall_with_the_order(degree: int):
    problem = SCRIPTS["advection_unstructured"].problem(eps=0.1, upwind=0.0)
    mesh, found = straight(problem.domain), []
    for _ in range(3):
        found.append(reference(replace(problem, domain=mesh), degree=degree).error()["u"] or 0.0)
        mesh = finer(mesh)
    assert np.log2(found[1] / found[2]) == pytest.approx(degree + 1, abs=0.3)


#: Where the ice is pushed about: the middle of a bump, in the ice and across the front, and its radius.
BUMPS = [((1.0, 3.5), 0.5), ((0.95, 2.2), 0.3), ((1.0, 0.8), 0.6), ((0.95, -0.05), 0.3)]


def energy(solution: Solution, push: float, bump: Any, weight: float = 9.0) -> float:
    """What the flow minimises, of the velocity with a push along y: creep and friction less the work of weight and sea.

    J(w) = int H B 3/2 (|e|^2 + tiny^2)^(2/3) + friction a |w|^2 / 2 + rho g H w . grad s
           - int_front (1 - rho / rho_w) rho g H^2 w . n / 2,      |e|^2 = u_x^2 + v_y^2 + u_x v_y + (u_y + v_x)^2 / 4.
    """
    module, (middle, radius) = SCRIPTS["ice_shelf"].module, bump

    def pushed(w, x, y):
        inside = torch.clamp(1 - ((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / radius**2, min=0.0)
        return w[0] + 0 * x, w[1] + push * inside**3

    def bulk(w, x, y):
        u, v = pushed(w, x, y)
        depth, above = module.thickness(y), module.grounded(y)
        strain = u.d("x") ** 2 + v.d("y") ** 2 + u.d("x") * v.d("y") + (u.d("y") + v.d("x")) ** 2 / 4
        creep = depth * 0.2 * 1.5 * (strain + module.TINY**2) ** (2 / 3)
        surface = module.surface(y)
        return creep + 0.2 * above * (u**2 + v**2) / 2 + weight * depth * v * surface.d("y")

    def sea(w, x, y, normal):
        u, v = pushed(w, x, y)
        return -0.108 * weight * module.thickness(y) ** 2 / 2 * (u * normal[0] + v * normal[1])

    return solution.integrate(bulk, "interior", 20_000) + solution.integrate(sea, "front", 2000)


@pytest.fixture(scope="module")
def ice() -> Solution:
    script = SCRIPTS["ice_shelf"]
    return reference(replace(script.problem(), reference=None), degree=2)


@pytest.mark.parametrize("bump", BUMPS)
def test_the_flow_of_ice_minimises_its_energy(ice: Solution, bump: Any):
    step = 1e-3

    def slope(weight: float) -> float:
        return (energy(ice, step, bump, weight) - energy(ice, -step, bump, weight)) / (2 * step)

    # the elements cannot follow a bump better than to a per cent or so; ice a tenth heavier flows otherwise
    force = slope(9.9) - slope(9.0)
    assert abs(slope(9.0)) < 0.1 * abs(force)
    energies = [energy(ice, push, bump) for push in (-0.05, 0.0, 0.05)]
    assert energies[1] < min(energies[0], energies[2])


def test_newton_finds_the_flow_from_ice_at_rest(ice: Solution):
    assert ice.verdict.converged
    assert ice.verdict.steps < 15
    assert (ice.verdict.worst_estimate or 1.0) < 1e-2
    # out of the outlet and along its axis: more comes in than the sides hold back
    inside = ice(np.array([[0.9, 4.0], [0.95, 2.2], [1.0, 0.5], [1.0, 0.0]]))["w"]
    assert (inside[:, 1] < -0.1).all()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("maxwell_cavity", {"k": 0.0}),
        ("maxwell_cavity", {"k": 4.5}),
        ("advection_unstructured", {"eps": 0.0}),
        ("advection_unstructured", {"upwind": -1.0}),
        ("ice_shelf", {"hardness": 0.0}),
        ("ice_shelf", {"friction": -1.0}),
        ("ice_shelf", {"inflow": -0.5}),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(name: str, values: dict[str, float]):
    with pytest.raises(ProblemError) as raised:
        SCRIPTS[name].problem(**values)
    (refused,) = values
    assert refused in str(raised.value)
    assert raised.value.got == values[refused]
    assert f"{refused}=" in (raised.value.cure or "")
