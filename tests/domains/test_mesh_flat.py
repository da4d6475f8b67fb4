"""Meshes of faces and lines in space: in any plane or line along axes, at any height, with round-off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pinnml import Equation, Features, Mesh, Problem, laplacian, solve
from pinnml.errors import MeshError
from tests.helpers.made_meshes import DIMENSION, bend, unit_box, write

FLAT = [kind for kind in (*DIMENSION, "triangle6", "quad8", "quad9", "line3") if not kind.startswith(("tetra", "hexa"))]
PLANES = {(0, 1, 2): "xy", (0, 2, 1): "xz", (2, 0, 1): "yz", (1, 0, 2): "xy", (2, 1, 0): "yz", (1, 2, 0): "xz"}


#: Height and round-off.
PLACES = ((0.0, 0.0), (0.5, 0.0), (0.0, 3e-12), (-7e3, 1e-12), (1e-9, 0.0))


@pytest.mark.parametrize("order", PLANES)
@pytest.mark.parametrize("kind", FLAT)
def test_any_plane_at_any_height_is_a_mesh_in_the_plane(kind, order):
    points, cells = unit_box(kind)
    dimension = 1 if kind.startswith("line") else 2
    flat, beside = bend(points, dimension), np.arange(3) >= dimension
    made = Mesh(flat, cells, kind)
    along = [order[column] for column in range(3) if order[column] < dimension]
    for height, noise in PLACES:
        off = height + np.random.default_rng(0).uniform(-noise, noise, flat.shape)
        mesh = Mesh((flat + beside * off)[:, order], cells, kind)
        assert mesh.axes.names == tuple("xyz"[column] for column in range(3) if order[column] < dimension)
        assert dimension == 1 or "".join(mesh.axes.names) == PLANES[order]
        assert mesh.measure() == pytest.approx(made.measure(), rel=1e-11)
        assert mesh.measure("boundary") == pytest.approx(made.measure("boundary"), rel=1e-11)
        assert np.array_equal(mesh.bounds, made.bounds[along])


def test_two_columns_may_hold_a_mesh_of_lines_along_either():
    points, cells = unit_box("line")
    assert Mesh(points[:, [0, 1]], cells, "line").axes.names == ("x",)
    assert Mesh(points[:, [1, 0]] + [3, 0], cells, "line").axes.names == ("y",)


def test_names_for_the_axes_of_a_plane_are_kept(tmp_path):
    points, cells = unit_box("quad")
    assert Mesh(points[:, [0, 2, 1]], cells, "quad", axes=("r", "h")).axes.names == ("r", "h")
    with pytest.raises(MeshError, match="2 different names"):
        Mesh(points[:, [0, 2, 1]], cells, "quad", axes=("x", "y", "z"))


def test_groups_of_a_file_in_another_plane_are_where_they_were(tmp_path):
    path = write(tmp_path, "triangle", "gmsh 2.2 text")
    lines = path.read_text().splitlines()
    start, end = lines.index("$Nodes") + 2, lines.index("$EndNodes")
    for place in range(start, end):
        tag, x, y, _ = lines[place].split()
        lines[place] = f"{tag} {x} 0.5 {y}"
    raised = Path(tmp_path / "raised.msh")
    raised.write_text("\n".join(lines) + "\n")
    mesh, flat = Mesh.read(raised), Mesh.read(path)
    assert mesh.axes.names == ("x", "z")
    assert mesh.regions == flat.regions
    assert [mesh.measure(name) for name in mesh.regions] == pytest.approx([flat.measure(name) for name in flat.regions])


def test_a_problem_is_stated_in_the_axes_of_its_plane():
    points, cells = unit_box("triangle", 4)
    domain = Mesh(points[:, [0, 2, 1]] + [0, 0.3, 0], cells, "triangle")
    equations = (
        Equation(lambda u: laplacian(u) - 4, name="poisson"),
        Equation(lambda u, x, z: u - x**2 - z**2, on="boundary", name="wall"),
    )
    problem = Problem(domain=domain, fields="u", equations=equations, exact=lambda x, z: x**2 + z**2)
    solution = solve(problem, network=Features(60), points=200, verify=False)
    error = solution.error()["u"]
    assert error is not None
    assert error < 1e-6
