"""Runs side by side: distances against closed forms, and folders that cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from forms import uniform

from pinnml import Equation, Features, Problem, Weak, dot, grad, laplacian, reference, solve
from pinnml.comparison import compare
from pinnml.errors import ProblemError, SettingsError


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


def test_a_network_lies_beside_elements(tmp_path: Path):
    mesh = uniform("triangle", 4)
    problem = scaled(1.0, mesh)
    strong = Problem(
        domain=mesh,
        fields=("u",),
        equations=(*problem.equations, Equation(lambda u: laplacian(u), name="balance")),
        weak=problem.weak,
    )
    solve(strong, Features(60, bandwidth=2), points=200, out=tmp_path / "network")
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
