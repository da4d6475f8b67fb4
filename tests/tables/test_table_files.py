"""Tables in .csv and .vtu: on grids and on cells, with rows in any order; and what is said of files that hold none."""

from __future__ import annotations

import numpy as np
import pytest
import pyvista
import torch

from pinnml import interpolated
from pinnml.calculus import Axes, coordinate_jets, total_order
from pinnml.errors import PinnmlError, ProblemError, UnknownNameError

XS, YS = np.linspace(0, 1, 6), np.array([0.0, 0.3, 0.4, 1.0])


def law(x, y):
    return 1 + x**3 * y - 2 * y**2


def shuffled() -> tuple[np.ndarray, np.ndarray]:
    """The points of the grid in random order, and the law there."""
    x, y = (each.ravel() for each in np.meshgrid(XS, YS))
    order = np.random.default_rng(0).permutation(len(x))
    return np.stack([x, y], axis=1)[order], law(x, y)[order]


def axes_at() -> tuple[np.ndarray, list]:
    points = np.random.default_rng(1).random((50, 2))
    return points, coordinate_jets(total_order(Axes(("x", "y"), ("x", "y")), 2), torch.from_numpy(points))


def write(path, lines) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_of_a_grid_in_any_order(tmp_path, delimiter):
    points, values = shuffled()
    rows = [
        delimiter.join(f"{number!r}" for number in map(float, (*p, -1, v))) for p, v in zip(points, values, strict=True)
    ]
    path = write(tmp_path / "k.csv", ["# measured", delimiter.join(("x", "y", "other", "k")), *rows, ""])
    _, (x, y) = axes_at()
    found, expected = interpolated((x, y), path, "k"), law(x, y)
    for word in ("x", "y", "xx", "xy", "yy"):
        assert torch.allclose(found.d(word).value, expected.d(word).value, rtol=1e-10, atol=1e-10)


def test_a_csv_over_one_axis_and_a_file_that_is_written_anew(tmp_path):
    path = tmp_path / "k.csv"
    write(path, ["x,k", "1,1", "0,0", "2,8", "3,27"])
    assert interpolated(1.5, path, "k") == pytest.approx(1.5**3)
    write(path, ["x,k", "0,5.0", "1,5.0", "2,5.0", "3,5.0"])
    assert interpolated(1.5, path, "k") == pytest.approx(5)


def test_a_vtu_of_a_grid_is_a_spline(tmp_path):
    grid = pyvista.RectilinearGrid(XS, YS, [0.25]).cast_to_unstructured_grid()
    grid.point_data["k"] = law(grid.points[:, 0], grid.points[:, 1])
    grid.save(tmp_path / "k.vtu")
    _, (x, y) = axes_at()
    found, expected = interpolated((x, y), tmp_path / "k.vtu", "k"), law(x, y)
    assert torch.allclose(found.d("xx").value, expected.d("xx").value, atol=1e-4)  # the points are in single precision
    assert torch.allclose(found.value, expected.value, atol=1e-6)


def disc(n: int = 12) -> pyvista.UnstructuredGrid:
    """A disc in triangles, in double precision."""
    mesh = pyvista.Disc(inner=0, outer=1, r_res=n, c_res=4 * n).triangulate().clean()
    points = np.asarray(mesh.points, dtype=float)
    return pyvista.UnstructuredGrid({pyvista.CellType.TRIANGLE: mesh.faces.reshape(-1, 4)[:, 1:]}, points)


def test_a_vtu_of_triangles_is_linear_in_each_with_its_slopes(tmp_path):
    grid = disc()
    grid.point_data["k"] = 2 + 3 * grid.points[:, 0] - grid.points[:, 1]
    grid.point_data["flow"] = grid.points[:, :2]
    grid.save(tmp_path / "disc.vtu")
    points = 0.6 * np.random.default_rng(2).uniform(-1, 1, (80, 2))
    x, y = coordinate_jets(total_order(Axes(("x", "y"), ("x", "y")), 2), torch.from_numpy(points))
    found = interpolated((x, y), tmp_path / "disc.vtu", "k")
    np.testing.assert_allclose(found.value.numpy(), 2 + 3 * points[:, 0] - points[:, 1], atol=1e-6)
    np.testing.assert_allclose(found.d("x").value.numpy(), 3, atol=1e-4)
    np.testing.assert_allclose(found.d("y").value.numpy(), -1, atol=1e-4)
    assert not found.d("xx").value.any()
    flow = interpolated((x, y), tmp_path / "disc.vtu", "flow")
    np.testing.assert_allclose(flow[1].value.numpy(), points[:, 1], atol=1e-6)


def test_outside_the_cells_is_told_or_held(tmp_path):
    grid = disc()
    grid.point_data["k"] = grid.points[:, 0]
    grid.save(tmp_path / "disc.vtu")
    with pytest.raises(ProblemError, match="within the cells"):
        interpolated((0.9, 0.9), tmp_path / "disc.vtu", "k")
    assert interpolated((3.0, 0.0), tmp_path / "disc.vtu", "k", outside="constant") == pytest.approx(1, abs=1e-6)
    with pytest.raises(PinnmlError, match="linear, on cells"):
        interpolated((0.1, 0.1), tmp_path / "disc.vtu", "k", kind="cubic")


def test_tetrahedra_too(tmp_path):
    grid = pyvista.ImageData(dimensions=(4, 4, 4), spacing=(1 / 3,) * 3).cast_to_unstructured_grid().triangulate()
    points = np.asarray(grid.points, dtype=float)
    points[:, 0] += 0.05 * points[:, 1]  # no grid any more
    grid = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: grid.cells_dict[pyvista.CellType.TETRA]}, points)
    grid.point_data["k"] = points @ [1.0, 2.0, 3.0]
    grid.save(tmp_path / "block.vtu")
    x = np.random.default_rng(0).uniform(0.1, 0.9, (20, 3))
    found = interpolated(tuple(x.T), tmp_path / "block.vtu", "k")
    np.testing.assert_allclose(found, x @ [1.0, 2.0, 3.0], atol=1e-5)


def test_files_that_are_no_tables_are_refused_by_name(tmp_path):
    path = write(tmp_path / "k.csv", ["x,y,k", "0,0,1", "1,0,2", "0,1,3"])
    with pytest.raises(ProblemError, match=r"(?s)k\.csv.*the places make no grid.*griddata"):
        interpolated((0.5, 0.5), path, "k")
    with pytest.raises(UnknownNameError, match=r"(?s)k\.csv.*unknown column 'K'.*one of k"):
        interpolated((0.5, 0.5), path, "K")
    with pytest.raises(ProblemError, match="line 3"):
        interpolated(0.5, write(tmp_path / "bad.csv", ["x,k", "0,1", "1,many"]), "k")
    with pytest.raises(UnknownNameError):
        interpolated(0.5, write(tmp_path / "empty.csv", [""]), "k")
    with pytest.raises(ProblemError, match="there is no such file"):
        interpolated(0.5, tmp_path / "absent.csv", "k")
    with pytest.raises(ProblemError, match=r"\.csv, \.vtu"):
        interpolated(0.5, write(tmp_path / "k.txt", ["0 1"]), "k")
    with pytest.raises(ProblemError, match=r"broken\.vtu"):
        interpolated(0.5, write(tmp_path / "broken.vtu", ["<VTKFile"]), "k")


def test_the_number_of_coordinates_and_data_of_cells_are_told(tmp_path):
    grid = disc(3)
    grid.point_data["k"], grid.cell_data["c"] = grid.points[:, 0], np.arange(grid.n_cells, dtype=float)
    grid.save(tmp_path / "disc.vtu")
    with pytest.raises(ProblemError, match=r"(?s)points over x, y.*interpolated\(\(x, y\)"):
        interpolated(0.5, tmp_path / "disc.vtu", "k")
    with pytest.raises(UnknownNameError, match="cell_data_to_point_data"):
        interpolated((0.1, 0.1), tmp_path / "disc.vtu", "c")
