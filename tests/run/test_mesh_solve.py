"""Problems on meshes are solved, checked, written and read back as those on boxes are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinnml import Equation, Features, Mesh, Parameter, Points, Problem, laplacian, load, normal_derivative, solve
from pinnml.domains import MeshTimes
from pinnml.errors import CheckpointError, MeshError, ProblemError
from pinnml.output import write_vtu
from pinnml.problem import bare_faces
from pinnml.results import Solution, panels, snapshots
from tests.helpers.places import MESHES


def exact(x, y):
    return torch.exp(x) * torch.sin(2 * y)


def error_of(solution: Solution) -> float:
    error = solution.error()["u"]
    assert error is not None
    return error


def poisson(u, x, y):
    return laplacian(u) + 3 * exact(x, y)


def problem(name: str, **more) -> Problem:
    wall = Equation(lambda u, x, y: u - exact(x, y), on="boundary", name="wall")
    mesh = Mesh.read(MESHES / f"{name}.msh")
    return Problem(domain=mesh, fields="u", equations=(Equation(poisson), wall), exact=exact, **more)


@pytest.mark.parametrize("name", ["disc", "l_shape", "plate_with_hole", "square_quads"])
def test_poisson_is_solved_to_many_digits(name):
    # a smooth solution is met to 1e-11 or so by 200 functions; 1e-8 leaves room for other machines
    solution = solve(problem(name), network=Features(200), points=600, verify=False)
    assert error_of(solution) < 1e-8
    wrong = lambda u, x, y: laplacian(u) + 2.9 * exact(x, y)  # noqa: E731
    mesh = Mesh.read(MESHES / f"{name}.msh")
    wall = Equation(lambda u, x, y: u - exact(x, y), on="boundary", name="wall")
    other = Problem(domain=mesh, fields="u", equations=(Equation(wrong, name="wrong"), wall), exact=exact)
    assert error_of(solve(other, network=Features(100, bandwidth=4), points=600, verify=False)) > 1e-4


def test_a_problem_on_hexahedra_with_a_flux_on_named_faces_is_solved():
    mesh = Mesh.read(MESHES / "cube_hexes.msh")
    equations = (
        Equation(lambda u, x, y, z: laplacian(u) - 6 * x, name="poisson"),
        Equation(lambda u, x, y, z: u - x**3 - y * z, on=("left", "front", "bottom"), name="wall"),
        Equation(flux, on=("right", "back", "top"), name="flux"),
    )
    cube = Problem(domain=mesh, fields="u", equations=equations, exact=lambda x, y, z: x**3 + y * z)
    solution = solve(cube, network=Features(150), points=500, verify=False)
    assert error_of(solution) < 1e-6
    # the flux through all faces is the integral of the Laplacian, 3
    through = solution.integrate(lambda u, normal: normal_derivative(u, normal), "boundary", 2000)
    assert through == pytest.approx(3, abs=1e-4)


def flux(u, x, y, z, normal):
    return normal_derivative(u, normal) - (3 * x**2 * normal[0] + z * normal[1] + y * normal[2])


def test_heat_on_a_disc_over_time_is_solved_and_drawn_as_a_series():
    mesh = Mesh.read(MESHES / "disc.msh").times(t=(0, 0.5))

    def known(x, y, t):
        return torch.exp(-2 * t) * torch.cos(x) * torch.cos(y)

    equations = (
        Equation(lambda u: u.d("t") - laplacian(u), name="heat"),
        Equation(lambda u, x, y, t: u - known(x, y, t), on=("rim", "initial"), name="known"),
    )
    warm = Problem(domain=mesh, fields="u", equations=equations, exact=known)
    solution = solve(warm, network=Features(200), points=800, verify=False)
    assert error_of(solution) < 1e-5
    series = snapshots(solution)
    assert len(series) > 2
    assert [snapshot.time for snapshot in series][:: len(series) - 1] == [0, 0.5]
    # 123 corners, three nodes inside each of 334 edges and of 212 cells: quartic cells, which are finer than the mesh
    assert series[0].points.shape == (123 + 3 * 334 + 3 * 212, 3)
    assert panels(solution)[0].snapshot.cell_type == "VTK_LAGRANGE_TRIANGLE"


def test_a_line_over_time_is_drawn_in_the_plane_of_both():
    mesh = Mesh([[0.0], [0.4], [1.0]], [[0, 1], [1, 2]], "line").times(t=(0, 1))
    equations = (
        Equation(lambda u, x, t: u.d("t") + u.d("x") - 2 * x - 2 * t, name="advection"),
        Equation(lambda u, x, t: u - 2 * x * t, on=("boundary", "initial"), name="known"),
    )
    line = Problem(domain=mesh, fields="u", equations=equations, exact=lambda x, t: 2 * x * t)
    solution = solve(line, network=Features(60), points=200)
    assert error_of(solution) < 1e-5
    assert panels(solution)[0].snapshot.cell_type == "quad"


def test_the_file_of_a_solution_is_the_mesh_with_its_fields(tmp_path):
    import pyvista

    solution = solve(problem("two_materials"), network=Features(100), points=300)
    mesh = solution.domain
    assert isinstance(mesh, Mesh)
    write_vtu(tmp_path / "fields.vtu", snapshots(solution)[0])
    read = pyvista.UnstructuredGrid(tmp_path / "fields.vtu")
    assert read.n_cells == len(mesh.cells)
    assert np.sum(read.compute_cell_sizes().cell_data["Area"]) == pytest.approx(1, rel=1e-12)
    assert np.allclose(
        read.point_data["u"], exact(*torch.from_numpy(read.points[:, :2].astype(float)).T).numpy(), atol=1e-3
    )


def test_a_solution_is_loaded_with_its_mesh_and_without(tmp_path):
    solution = solve(problem("disc"), network=Features(60), points=200)
    path = solution.save(tmp_path / "disc.pinnml")
    points = np.array([[0.1, 0.2], [-0.5, 0.3]])
    expected = solution(points)["u"]
    assert np.array_equal(load(path, problem=problem("disc"))(points)["u"], expected)
    alone = load(path)
    assert np.array_equal(alone(points)["u"], expected)
    with pytest.raises(MeshError, match="problem="):
        snapshots(alone)
    with pytest.raises(CheckpointError):
        load(path, problem=problem("l_shape"))
    again = alone.save(tmp_path / "again.pinnml")
    assert np.array_equal(load(again, problem=problem("disc"))(points)["u"], expected)


def test_bare_faces_are_named_and_interfaces_are_not():
    mesh = Mesh.read(MESHES / "two_materials.msh")

    def said(*on: str) -> list[str]:
        equations = (Equation(poisson), Equation(lambda u: u, on=on, name="wall"))
        return [line.split(":")[0] for line in bare_faces(Problem(domain=mesh, fields="u", equations=equations))]

    assert said("bottom", "top") == ["No condition on east", "No condition on west"]
    assert said("boundary") == []
    assert said("bottom", "top", "east", "west") == []
    plate = Mesh.read(MESHES / "bracket.msh")
    equations = (Equation(lambda u: laplacian(u), name="inside"), Equation(lambda u: u, on="wall", name="wall"))
    lines = list(bare_faces(Problem(domain=plate, fields="u", equations=equations)))
    assert any("unnamed boundary" in line for line in lines)
    assert len(lines) == 3


def test_first_instants_of_meshes_are_missed_too():
    mesh = Mesh.read(MESHES / "disc.msh").times(t=(0, 1), nu=Parameter(1, 2))
    assert isinstance(mesh, MeshTimes)
    equations = (
        Equation(lambda u, nu: u.d("t") - nu * laplacian(u), name="heat"),
        Equation(lambda u: u, on="rim", name="r"),
    )
    lines = list(bare_faces(Problem(domain=mesh, fields="u", equations=equations)))
    assert len(lines) == 1
    assert "first instant" in lines[0]


def test_measured_points_outside_the_bounding_box_are_refused():
    sensors = {"sensors": Points({"x": [0.1, 3.0], "y": [0, 0]}, {"measured": [1, 2]})}
    equations = (Equation(poisson), Equation(lambda u, measured: u - measured, on="sensors", name="data"))
    mesh = Mesh.read(MESHES / "disc.msh")
    with pytest.raises(ProblemError, match="outside the domain along 'x'"):
        solve(Problem(domain=mesh, fields="u", equations=equations, data=sensors))
