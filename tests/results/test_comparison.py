"""Runs side by side: distances against closed forms, and folders that cannot be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pinnml import Equation, Features, Mesh, Problem, Weak, dot, grad, laplacian, reference, solve
from pinnml.errors import ProblemError, SettingsError
from pinnml.results import compare
from tests.helpers.forms import uniform
from tests.helpers.made_meshes import DIMENSION, unit_box

pytestmark = pytest.mark.usefixtures("unpictured")


def scaled(factor: float, mesh, name: str = "u") -> Problem:
    """A field that is `factor` times 1 + x + 2 y."""

    def wall(u, x, y):
        return u - factor * (1 + x + 2 * y)

    fields = {"u": ("u",), "w": ("w",)}[name]
    rename = {"u": wall, "w": lambda w, x, y: wall(w, x, y)}[name]
    weak = {"u": lambda u, v: dot(grad(u), grad(v)), "w": lambda w, v: dot(grad(w), grad(v))}[name]
    return Problem(domain=mesh, fields=fields, equations=(Equation(rename, on="boundary", name="wall"),), weak=weak)


def test_the_distance_is_that_of_the_fields(tmp_path: Path):
    coarse, fine = uniform("triangle", 3), uniform("quad", 4)
    reference(scaled(1.02, coarse), degree=1, out=tmp_path / "a")
    reference(scaled(0.97, coarse), degree=3, out=tmp_path / "b")
    reference(scaled(1.0, fine), degree=2, out=tmp_path / "c")
    found = compare([tmp_path / name for name in "abc"], tmp_path / "both.png")
    # linear fields are sampled exactly, so that the factor is all there is
    assert [comparison.distance["u"] for comparison in found] == pytest.approx([0.02, 0.03], rel=1e-9)
    # the run with fewer points keeps them: 16 of the first beside 81 of the last, and these beside 100 of the second
    assert [len(comparison.snapshot.points) for comparison in found] == [16, 81]
    assert (tmp_path / "both.png").stat().st_size > 10_000
    assert compare([tmp_path / "a", tmp_path / "a"])[0].distance == {"u": 0.0}


def leaning(mesh: Mesh, slope: float) -> Problem:
    """1 + slope x."""
    wall = Equation(lambda u, x: u - 1 - slope * x, on="boundary", name="wall")
    return Problem(domain=mesh, fields="u", equations=(wall,), weak=lambda u, v: dot(grad(u), grad(v)))


@pytest.mark.parametrize("kind", DIMENSION)
def test_points_count_by_the_cells_around_them(kind: str, tmp_path: Path):
    points, cells = unit_box(kind, 4)
    mesh = Mesh(points**2, cells, kind)
    reference(leaning(mesh, 0.3), degree=1, out=tmp_path / "a")
    reference(leaning(mesh, 0.0), degree=1, out=tmp_path / "b")
    found = compare([tmp_path / "a", tmp_path / "b"])[0].distance["u"]
    # |0.3 x| / |1|, where the trapezoidal rule of x^2 is over by h^3 / 6 on each layer of cells
    widths = np.diff(np.linspace(0, 1, 5) ** 2)
    assert found == pytest.approx(0.3 * np.sqrt(1 / 3 + (widths**3).sum() / 6), rel=1e-9)
    alike = 0.3 * np.sqrt((points[:, 0] ** 4).mean())
    assert abs(found / alike - 1) > 0.05  # points that count alike say something else


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_the_distance_does_not_know_the_units(size: float, tmp_path: Path):
    mesh = uniform("quad", 2)
    for name, factor in (("a", 1.02), ("b", 1.0)):
        reference(scaled(factor * size, mesh), degree=1, out=tmp_path / name)
    assert compare([tmp_path / "a", tmp_path / "b"])[0].distance["u"] == pytest.approx(0.02, rel=1e-9)


def test_a_reference_of_zero_gives_the_distance_itself(tmp_path: Path):
    mesh = uniform("quad", 2)
    reference(scaled(0.5, mesh), degree=1, out=tmp_path / "a")
    reference(scaled(0.0, mesh), degree=1, out=tmp_path / "zero")
    # the trapezoidal rule of (1 + x + 2 y)^2 / 4 on four squares
    once = np.array([0.25, 0.5, 0.25])
    x, y = np.meshgrid([0, 0.5, 1], [0, 0.5, 1])
    expected = np.sqrt(once @ (1 + x + 2 * y) ** 2 @ once) / 2
    assert compare([tmp_path / "a", tmp_path / "zero"])[0].distance["u"] == pytest.approx(expected, rel=1e-9)


def test_what_is_derived_from_a_field_is_no_field(tmp_path: Path):
    mesh = uniform("quad", 2)
    known = replace(scaled(1.0, mesh), exact=lambda x, y: 1 + x + 2 * y)
    for name in "ab":
        reference(known, degree=1, out=tmp_path / name)
    (found,) = compare([tmp_path / "a", tmp_path / "b"])
    assert {"u", "u_exact"} <= {*found.run.mesh.point_data}
    assert {*found.distance} == {"u"}


@pytest.mark.parametrize(("n", "is_near"), [(16, True), (8, False)])
def test_points_that_one_of_two_runs_leaves_uncovered_do_not_count(n: int, is_near: bool, tmp_path: Path):
    # the points at x = 1, which stand for 1 / (2 n) of the square: below 5 % they are left out, more are another domain
    points, cells = unit_box("quad", n)
    reference(scaled(1.02, uniform("quad", n)), degree=1, out=tmp_path / "a")
    reference(scaled(1.0, Mesh(points * [0.999, 1, 1], cells, "quad")), degree=2, out=tmp_path / "b")
    if is_near:
        assert compare([tmp_path / "a", tmp_path / "b"])[0].distance["u"] == pytest.approx(0.02, rel=1e-9)
    else:
        with pytest.raises(ProblemError, match="another domain"):
            compare([tmp_path / "a", tmp_path / "b"])


def test_a_network_lies_beside_elements(tmp_path: Path):
    mesh = uniform("triangle", 4)
    problem = scaled(1.0, mesh)
    strong = Problem(
        domain=mesh,
        fields=("u",),
        equations=(*problem.equations, Equation(lambda u: laplacian(u), name="balance")),
        weak=problem.weak,
    )
    solve(strong, Features(60, bandwidth=2), points=200, verify=False, out=tmp_path / "network")
    reference(strong, degree=1, out=tmp_path / "elements")
    assert compare([tmp_path / "network", tmp_path / "elements"])[0].distance["u"] < 1e-6


def test_vectors_of_the_plane_have_two_components(tmp_path: Path):
    mesh = uniform("triangle", 2)
    for name, factor in (("a", 1.1), ("b", 1.0)):

        def wall(u, x, y, factor=factor):
            return u[0] - factor * x, u[1] - factor * y

        weak = (Weak(lambda u, v: dot(grad(u[0]), grad(v[0])) + dot(grad(u[1]), grad(v[1]))),)
        plane = Problem(domain=mesh, fields={"u": 2}, equations=(Equation(wall, on="boundary"),), weak=weak)
        reference(plane, degree=1, out=tmp_path / name)
    (found,) = compare([tmp_path / "a", tmp_path / "b"])
    assert found.distance["u"] == pytest.approx(0.1, rel=1e-9)
    assert found.snapshot.point_data["u"].shape[1] == 2


def test_a_vector_in_space_may_lie_in_the_plane_in_one_of_two_runs(tmp_path: Path):
    mesh = uniform("tetra", 2)
    for name, height in (("a", 1.0), ("b", 0.0)):

        def wall(u, height=height):
            return u[0] - 2, u[1] + 1, u[2] - height

        weak = Weak(lambda u, v: sum(dot(grad(a), grad(b)) for a, b in zip(u, v, strict=True)))
        problem = Problem(domain=mesh, fields={"u": 3}, equations=(Equation(wall, on="boundary"),), weak=weak)
        reference(problem, degree=1, out=tmp_path / name)
    (found,) = compare([tmp_path / "a", tmp_path / "b"])
    assert found.distance["u"] == pytest.approx(1 / np.sqrt(5), rel=1e-9)


def test_what_cannot_be_compared_is_refused(tmp_path: Path):
    mesh = uniform("triangle", 2)
    reference(scaled(1.0, mesh), degree=1, out=tmp_path / "a")
    with pytest.raises(SettingsError, match="compare"):
        compare([tmp_path / "a"])
    with pytest.raises(SettingsError, match="no run"):
        compare([tmp_path / "a", tmp_path / "nothing"])
    reference(scaled(1.0, mesh, "w"), degree=1, out=tmp_path / "w")
    with pytest.raises(ProblemError, match="none of these fields"):
        compare([tmp_path / "a", tmp_path / "w"])
    far = uniform("triangle", 2)
    far = type(far)(far.cells.points + 5.0, far.cells.nodes, "triangle")
    reference(scaled(1.0, far), degree=1, out=tmp_path / "far")
    with pytest.raises(ProblemError, match="another domain"):
        compare([tmp_path / "a", tmp_path / "far"])
    record = json.loads((tmp_path / "a" / "verdict.json").read_text())
    assert record["solver"] == "fem"
    assert np.isfinite(record["seconds"])
