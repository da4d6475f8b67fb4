"""Finite-element fields in the place of a network: found in their cells, shown on cells of their degree, and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvista

from pinnml import Equation, Features, Mesh, Problem, TestSpace, dot, grad, load, reference, solve
from pinnml.cli.script import load_script
from pinnml.domains.cells import KINDS, Cells
from pinnml.domains.geometry import located
from pinnml.domains.meshes.lagrange import lagrange_cells, vtk_nodes
from pinnml.domains.reference_cells import corners
from pinnml.elements import Element, point_location
from pinnml.elements.point_location import Locator
from pinnml.errors import CheckpointError, MissingDerivativeError, ProblemError, SettingsError
from tests.helpers.forms import crooked, posed, uniform
from tests.helpers.places import MESHES
from tests.helpers.shuffled import shuffled

pytestmark = pytest.mark.usefixtures("unpictured")
SOLID = [name for name in KINDS if not name.startswith("line")]


def poisson(mesh: Mesh) -> Problem:
    """-Laplace u = 0 for a linear field, which every element holds."""

    def wall(u, x, y):
        return u - (1 + 2 * x - 3 * y)

    equations = (Equation(wall, on="boundary"),)
    exact = {"exact": lambda x, y: 1 + 2 * x - 3 * y}
    return Problem(domain=mesh, fields=("u",), equations=equations, weak=lambda u, v: dot(grad(u), grad(v)), **exact)


@pytest.mark.parametrize("name", SOLID)
def test_points_are_found_in_their_cells(name: str):
    cells = shuffled(KINDS[name], 3, 0.03)
    rng, count = np.random.default_rng(0), 200
    number = rng.integers(len(cells), size=count)
    share = 0.05 + rng.dirichlet(np.ones(KINDS[name].corners), size=count)  # well inside
    reference_points = share / share.sum(axis=1, keepdims=True) @ corners(KINDS[name].reference)
    x = located(cells, number, reference_points)[0].numpy()
    found, places = Locator(cells)(x)
    assert np.array_equal(found, number)
    np.testing.assert_allclose(places, reference_points, atol=1e-11)  # Newton ends at 1e-14 times the distortion


@pytest.mark.parametrize("offset", [0.0, 5.0, 1e3])
def test_newton_ends_at_the_rounding_of_the_coordinates(offset: float, monkeypatch: pytest.MonkeyPatch):
    # straight squares are met by the first step; the second, from there, is rounding and the last wherever they lie
    square, calls = uniform("quad", 16).cells, []
    cells = Cells(square.points + offset, square.nodes, square.kind)
    monkeypatch.setattr(point_location, "located", lambda *given: (calls.append(0), located(*given))[1])
    x = offset + np.random.default_rng(0).random((500, 2))
    number, places = Locator(cells)(x)
    assert len(calls) == 2
    np.testing.assert_allclose(located(cells, number, places)[0].numpy(), x, rtol=1e-15, atol=1e-15)


def test_a_point_beside_the_mesh_belongs_to_the_nearest_cell():
    cells = uniform("triangle", 4).cells
    x = np.array([[1.001, 0.3], [-0.002, 0.7]])
    number, places = Locator(cells)(x)
    np.testing.assert_allclose(located(cells, number, places)[0].numpy(), x, atol=1e-14)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("name", SOLID)
def test_cells_of_a_degree_fill_the_same_space(name: str, degree: int):
    kind = KINDS[name]
    if degree < kind.degree:
        pytest.skip("straight cells cannot follow curved ones")
    cells = shuffled(kind, 2, 0.03)
    nodes, corners_of, _ = lagrange_cells(cells, degree)
    # VTK's own functions at its own middle of a cell give the place that ours give
    points = np.pad(nodes, ((0, 0), (0, 3 - kind.dimension)))
    types = {"triangle": 69, "quadrilateral": 70, "tetrahedron": 71, "hexahedron": 72}
    connectivity = np.insert(corners_of, 0, corners_of.shape[1], axis=1).ravel()
    mesh = pyvista.UnstructuredGrid(connectivity, np.full(len(corners_of), types[kind.reference]), points)
    middle = vtk_nodes(kind.reference, 1).mean(axis=0)
    expected = located(cells, np.arange(len(cells)), np.tile(middle, (len(cells), 1)))[0].numpy()
    found = _at(mesh, np.pad(middle, (0, 3 - kind.dimension)))[:, : kind.dimension]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert len(nodes) < corners_of.size  # neighbours share nodes


def _at(mesh: pyvista.UnstructuredGrid, place: np.ndarray) -> np.ndarray:
    """Where VTK has a parametric place of every cell."""
    import vtk

    found = []
    for number in range(mesh.n_cells):
        cell, x, weights = mesh.GetCell(number), [0.0] * 3, [0.0] * 200
        cell.EvaluateLocation(vtk.mutable(0), place.tolist(), x, weights)
        found.append(x)
    return np.array(found)


def test_a_curved_mesh_stays_round_in_the_file(tmp_path: Path):
    solution = reference(poisson(Mesh.read(MESHES / "disc.msh")), degree=3, out=tmp_path)
    assert solution.verdict.error < 1e-12
    mesh = pyvista.read(tmp_path / "fields.vtu")
    assert set(mesh.celltypes) == {69}
    radius = np.linalg.norm(mesh.points, axis=1).max()
    assert abs(radius - 1) < 1e-4
    np.testing.assert_allclose(mesh.point_data["u"], solution(mesh.points[:, :2])["u"], atol=1e-12)


@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_the_field_of_the_highest_degree_has_all_its_nodes_in_the_file(kind: str, tmp_path: Path):
    def weak(p, v_p, u, v_u, x, y):
        return (p - x) * v_p + (u - x * y * y) * v_u

    wall = Equation(lambda p, x: p - x, on="boundary", name="wall")
    problem = Problem(domain=uniform(kind, 2), fields=("p", "u"), equations=(wall,), weak=weak)
    reference(problem, elements={"p": Element("P", 1), "u": Element("P", 3)}, out=tmp_path)
    mesh = pyvista.read(tmp_path / "fields.vtu")
    x, y, _ = mesh.points.T
    assert len(x) == (3 * 2 + 1) ** 2
    np.testing.assert_allclose(mesh.point_data["u"], x * y * y, atol=1e-12)
    np.testing.assert_allclose(mesh.point_data["p"], x, atol=1e-12)


@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_fields_are_read_back(kind: str, tmp_path: Path):
    problem = poisson(uniform(kind, 3))
    solution = reference(problem, degree=3)
    again = load(solution.save(tmp_path / "fields.pt"), problem)
    x = np.random.default_rng(0).random((50, 2))
    assert np.array_equal(solution(x)["u"], again(x)["u"])
    assert again.verdict == solution.verdict
    with pytest.raises(CheckpointError, match="mesh"):
        load(tmp_path / "fields.pt")
    with pytest.raises(CheckpointError, match="another problem"):
        load(tmp_path / "fields.pt", poisson(uniform(kind, 4)))


def test_parts_are_marked_in_the_file(tmp_path: Path):
    problem = load_script(MESHES.parent / "problems" / "two_materials.py").problem()
    reference(problem, degree=1, out=tmp_path / "elements")
    solve(problem, Features(20, bandwidth=2), tests=TestSpace(1), verify=False, out=tmp_path / "network")
    for name in ("elements", "network"):
        mesh = pyvista.read(tmp_path / name / "fields.vtu")
        right = mesh.cell_centers().points[:, 0] > 0.5
        assert np.array_equal(mesh.cell_data["part_right"].astype(bool), right)
        assert np.array_equal(mesh.cell_data["part_left"].astype(bool), ~right)


def test_second_derivatives_are_refused():
    problem = poisson(crooked("triangle"))
    solution = reference(problem, degree=2)
    x = np.full((1, 2), 0.4)
    np.testing.assert_allclose(solution(x, derivatives="x")["u_x"], 2, atol=1e-12)
    with pytest.raises(MissingDerivativeError, match="xx"):
        solution(x, derivatives="xx")


@pytest.mark.parametrize(("element", "seen"), [(Element("P", 2), {"law", "sum"}), (Element("RT", 2), {"sum"})])
def test_residuals_are_those_whose_derivatives_all_fields_have(element: Element, seen: set[str], tmp_path: Path):
    def squares(q, v_q, p, v_p):
        return dot(q + grad(p), v_q + grad(v_p)) + dot(q, v_q) - v_p

    equations = (
        Equation(lambda q, p: q + grad(p), name="law"),
        Equation(lambda q, p: q[0] + q[1] - p, name="sum"),
        Equation(lambda p: p, on="boundary", name="wall"),
    )
    problem = Problem(domain=uniform("triangle", 3), fields={"q": 2, "p": 1}, equations=equations, weak=squares)
    solution = reference(problem, elements={"q": element, "p": Element("P", 2)}, out=tmp_path)
    x = np.random.default_rng(0).random((20, 2))
    found, fields = solution.residual(x), solution(x)
    assert {*found} == seen
    np.testing.assert_allclose(found["sum"], fields["q"].sum(axis=1) - fields["p"], atol=1e-14)


def test_a_weak_form_has_a_test_function_and_known_names():
    mesh = uniform("triangle", 2)
    with pytest.raises(ProblemError, match="no test function"):
        posed(mesh, lambda u: u)
    with pytest.raises(ProblemError, match="unknown argument 'w'"):
        posed(mesh, lambda u, v, w: u * v * w)
    with pytest.raises(SettingsError, match="mesh"):
        reference(posed(mesh, lambda u, v: u * v), mesh="plate.msh")  # pyright: ignore[reportArgumentType]
