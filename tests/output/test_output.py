"""Snapshots and the files that ParaView reads: what goes in comes back."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import meshio
import numpy as np
import pytest
import pyvista

from pinnml.errors import NonFiniteError, PinnmlError, ProblemError, SettingsError, ShapeError, UnknownNameError
from pinnml.output import CELL_KINDS, Snapshot, pieces_of, write_pvd, write_vtp, write_vtu
from pinnml.output import vtk as vtk_files
from pinnml.output.files import replacing
from tests.helpers.grids import grid

TRIANGLE = (np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([[0, 1, 2]]), "triangle")


def square(n: int = 9, time: float | None = None, scale: float = 1.0) -> Snapshot:
    """Every kind of array on an n x n grid of the unit square."""
    points, cells, kind = grid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    x, y = points.T
    data = {
        "u": scale * np.sin(3 * x) / 3 + y,
        "flow": np.stack([x * y, x - y], axis=1),
        "E field": np.stack([x, y, x + y], axis=1) * (1 + 2j),
        "z": np.exp(1j * x),
        "inside": x > 0.5,
        "number": np.arange(len(x)),
        "short": x.astype(np.float32),
        "stress": np.arange(6.0 * len(x)).reshape(-1, 6),
    }
    return Snapshot(points, cells, kind, point_data=data, cell_data={"part": np.arange(len(cells))}, time=time)


def cloud(n: int = 20) -> Snapshot:
    points = np.random.default_rng(0).random((n, 3))
    return Snapshot(points, point_data={"u": points @ [1.0, 2.0, 3.0]})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


# Cells


@pytest.mark.parametrize("kind", CELL_KINDS)
def test_numbers_and_dimensions_of_cells_are_those_of_vtk(kind):
    vtk_number, dimension, nodes = CELL_KINDS[kind]
    assert meshio._vtk_common.meshio_to_vtk_type[kind] == vtk_number
    for count in nodes[:3]:
        points = np.random.default_rng(0).random((count, 3))
        mesh = Snapshot(points, np.arange(count)[None], kind).to_pyvista()
        cell = mesh.get_cell(0)
        assert (int(cell.type), cell.dimension, cell.n_points) == (vtk_number, dimension, count)
        if kind.startswith("VTK_LAGRANGE"):
            assert mesh.GetCell(0).GetPointIds().GetNumberOfIds() == count


def test_quadratic_triangle_reads_back_with_its_curved_area(tmp_path):
    points = np.array([[0, 0], [1, 0], [0, 1], [0.5, 0], [0.5, 0.5], [0, 0.5]], dtype=float)
    bulged = points.copy()
    bulged[4] += 0.1
    areas = []
    for number, nodes in enumerate((points, bulged)):
        (path,) = write_vtu(tmp_path / f"{number}.vtu", Snapshot(nodes, np.arange(6)[None], "triangle6"))
        areas.append(pyvista.read(path).compute_cell_sizes()["Area"].sum())
    assert areas[0] == pytest.approx(0.5)
    assert areas[1] > 0.55


# Snapshots


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_missing_coordinates_are_zero(axes):
    points = np.arange(4.0 * axes).reshape(4, axes)
    snapshot = Snapshot(points)
    assert snapshot.points.shape == (4, 3)
    assert snapshot.points.dtype == np.float64
    assert np.array_equal(snapshot.points[:, :axes], points)
    assert not snapshot.points[:, axes:].any()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"points": np.zeros(3)}, ShapeError, r"\(3,\)"),
        ({"points": np.zeros((3, 4))}, ShapeError, r"\(3, 4\)"),
        ({"points": np.zeros((0, 2))}, ShapeError, r"n >= 1"),
        ({"points": np.zeros((3, 2), dtype=complex)}, ShapeError, "complex128"),
        ({"points": np.array([[0.0, 0.0], [np.nan, 0.0]])}, NonFiniteError, "row 1"),
        ({"cells": np.array([[0, 1, 2]])}, UnknownNameError, "cell type"),
        (
            {"cells": np.array([[0, 1, 2]]), "cell_type": "triangl"},
            UnknownNameError,
            "did you mean 'triangle'",
        ),
        ({"cells": np.array([[0, 1]]), "cell_type": "triangle"}, ShapeError, "v = 3"),
        ({"cells": np.array([[0.0, 1, 2]]), "cell_type": "triangle"}, ShapeError, "float64"),
        ({"cells": np.zeros((0, 3), dtype=int), "cell_type": "triangle"}, ShapeError, "c >= 1"),
        ({"cells": np.array([[0, 1, 3]]), "cell_type": "triangle"}, ShapeError, "from 0 to 3"),
        ({"cells": np.array([[-1, 1, 2]]), "cell_type": "triangle"}, ShapeError, "from -1 to 2"),
        ({"cell_type": "triangle"}, ShapeError, "a type alone"),
        ({"point_data": {"u": np.zeros(4)}}, ShapeError, r"(?s)\(3,\).*\(4,\)"),
        ({"point_data": {"u": np.zeros((3, 2, 2))}}, ShapeError, r"\(3, 2, 2\)"),
        ({"point_data": {"u": np.array(["a", "b", "c"])}}, ShapeError, "'u'"),
        ({"cell_data": {"u": np.zeros(3)}}, ShapeError, "cell array 'u'"),
        ({"time": np.inf}, NonFiniteError, "inf"),
        ({"point_data": {"u x": np.zeros(3), "u_x": np.zeros(3)}}, ProblemError, "'u_x' twice"),
        ({"point_data": {"u": np.zeros(3) * 1j, "u_abs": np.zeros(3)}}, ProblemError, "'u_abs' twice"),
        ({"point_data": {" ": np.zeros(3)}}, ProblemError, "empty name"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        Snapshot(**{"points": TRIANGLE[0], **arguments})
    assert isinstance(caught.value, PinnmlError)


def test_what_fits_is_not_refused():
    data = {"u": np.zeros(3), "v_abs": np.zeros(3)}
    snapshot = Snapshot(*TRIANGLE, point_data=data, cell_data={"k": np.zeros(1)}, time=0)
    assert set(snapshot.point_data) == {"u", "v_abs"}
    assert set(snapshot.cell_data) == {"k"}
    assert snapshot.time == 0.0


def test_conventions_on_the_way_out():
    snapshot = square()
    mesh, data = snapshot.to_pyvista(), snapshot.point_data
    assert set(mesh.point_data) == {
        *("u", "flow", "E_field_real", "E_field_imag", "E_field_abs"),
        *("z_real", "z_imag", "z_abs", "inside", "number", "short", "stress"),
    }
    assert mesh["flow"].shape == (81, 3)
    assert np.array_equal(mesh["flow"][:, :2], data["flow"])
    assert not mesh["flow"][:, 2].any()
    assert np.array_equal(mesh["E_field_imag"], data["E field"].imag)
    assert np.array_equal(mesh["E_field_abs"], np.abs(data["E field"]))
    assert np.array_equal(mesh["z_real"] + 1j * mesh["z_imag"], data["z"])
    assert np.array_equal(mesh["inside"], data["inside"])
    assert mesh["u"].dtype == np.float64
    assert mesh["short"].dtype == np.float32
    assert mesh["stress"].shape == (81, 6)


def test_odd_number_types_are_brought_to_what_vtk_has():
    data = {
        "half": np.array([0.5, 1, 2], dtype=np.float16),
        "long": np.array([0.5, 1, 2], dtype=np.longdouble),
        "swapped": np.array([0.5, 1, 2], dtype=">f8"),
        "column": np.array([[0.5], [1], [2]]),
    }
    mesh = Snapshot(TRIANGLE[0], point_data=data).to_pyvista()
    for name in data:
        assert mesh[name].tolist() == [0.5, 1, 2], name


def test_the_mesh_shares_nothing_with_the_snapshot():
    snapshot = square()
    before = {name: array.copy() for name, array in snapshot.point_data.items()}
    points = snapshot.points.copy()
    mesh = snapshot.to_pyvista()
    mesh.points += 1
    for name in mesh.point_data:
        mesh[name][:] = 7
    assert np.array_equal(snapshot.points, points)
    for name, array in before.items():
        assert np.array_equal(snapshot.point_data[name], array), name


# .vtu and .vtp


def test_vtu_reads_back_exactly(tmp_path):
    snapshot = square(time=0.25)
    path = tmp_path / "new" / "fields.vtu"
    assert write_vtu(path, snapshot) == [path]
    mesh, expected = pyvista.read(path), snapshot.to_pyvista()
    assert mesh.n_cells == 64
    assert np.array_equal(mesh.points, snapshot.points)
    assert np.array_equal(mesh.cells_dict[9], snapshot.cells)
    assert set(mesh.point_data) == set(expected.point_data)
    for name in expected.point_data:
        assert np.array_equal(mesh[name], expected[name]), name
        assert mesh[name].dtype == expected[name].dtype, name
    assert np.array_equal(mesh.cell_data["part"], np.arange(64))
    assert mesh.field_data["TimeValue"].tolist() == [0.25]


def test_vtu_reads_back_with_a_second_reader(tmp_path):
    snapshot = square(time=0.25)
    mesh = meshio.read(write_vtu(tmp_path / "fields.vtu", snapshot)[0])
    assert np.array_equal(mesh.points, snapshot.points)
    assert np.array_equal(mesh.cells_dict["quad"], snapshot.cells)
    assert np.array_equal(mesh.point_data["u"], snapshot.point_data["u"])


def test_writing_does_not_change_the_arrays(tmp_path):
    points, cells, kind = grid(np.linspace(0, 1, 4), np.linspace(0, 1, 4))
    points, flow = np.pad(points, ((0, 0), (0, 1))), np.random.default_rng(0).random((16, 2))
    kept = [array.copy() for array in (points, cells, flow)]
    for array in (points, cells, flow):
        array.flags.writeable = False
    write_vtu(tmp_path / "a.vtu", Snapshot(points, cells, kind, point_data={"flow": flow}))
    assert all(np.array_equal(a, b) for a, b in zip((points, cells, flow), kept, strict=True))


def test_files_are_compressed(tmp_path):
    points, cells, kind = grid(np.linspace(0, 1, 60), np.linspace(0, 1, 60))
    snapshot = Snapshot(points, cells, kind, point_data={"u": np.ones(len(points))})
    (path,) = write_vtu(tmp_path / "a.vtu", snapshot)
    root = ElementTree.parse(path).getroot()
    assert root.get("compressor") == "vtkZLibDataCompressor"
    assert {array.get("format") for array in root.iter("DataArray")} == {"appended"}
    plain = tmp_path / "plain.vtu"
    snapshot.to_pyvista().save(plain, binary=False)
    assert ElementTree.parse(plain).find(".//DataArray").get("format") == "ascii"
    assert path.stat().st_size < 0.4 * plain.stat().st_size


def test_cloud_as_vtp_has_a_vertex_at_each_point(tmp_path):
    snapshot = cloud()
    mesh = pyvista.read(write_vtp(tmp_path / "points.vtp", snapshot)[0])
    assert isinstance(mesh, pyvista.PolyData)
    assert mesh.n_verts == 20
    assert np.array_equal(mesh.points, snapshot.points)
    assert np.array_equal(mesh["u"], snapshot.point_data["u"])
    assert "vtkZLibDataCompressor" in (tmp_path / "points.vtp").read_text()


def test_cloud_as_vtu_is_a_mesh_of_vertices(tmp_path):
    mesh = pyvista.read(write_vtu(tmp_path / "points.vtu", cloud())[0])
    assert set(mesh.celltypes) == {1}
    assert mesh.n_cells == 20
    assert np.array_equal(mesh["u"], cloud().point_data["u"])


def test_vtp_refuses_cells(tmp_path):
    with pytest.raises(ShapeError, match="write_vtu"):
        write_vtp(tmp_path / "a.vtp", square())


@pytest.mark.parametrize(
    ("write", "name", "what"),
    [(write_vtu, "a.vtk", square()), (write_vtp, "a", cloud()), (write_pvd, "a.vtu", [square(time=0)])],
)
def test_wrong_endings_are_refused(tmp_path, write, name, what):
    with pytest.raises(SettingsError, match="ends in"):
        write(tmp_path / name, what)
    assert contents(tmp_path) == {}


# .pvd


def test_series_reads_back_step_by_step(tmp_path):
    times = [0.3, 0.0, 1 / 3, 1e-7]
    written = write_pvd(tmp_path / "fields.pvd", [square(time=t, scale=1 + t) for t in times])
    assert written[0] == tmp_path / "fields.pvd"
    assert [path.name for path in written[1:]] == [f"fields_{k:04d}.vtu" for k in range(4)]
    assert pieces_of(tmp_path / "fields.pvd") == written[1:]
    entries = ElementTree.parse(written[0]).getroot().iter("DataSet")
    assert [float(entry.get("timestep")) for entry in entries] == sorted(times)
    assert pyvista.read(written[1]).field_data["TimeValue"][0] == 0.0
    reader = pyvista.PVDReader(written[0])
    assert reader.time_values == sorted(times)
    for time in times:
        reader.set_active_time_value(time)
        mesh = reader.read()[0]
        assert np.array_equal(mesh["u"], square(scale=1 + time).point_data["u"])
        assert not np.array_equal(mesh["u"], square(scale=1.5).point_data["u"])
        assert mesh.field_data["TimeValue"][0] == time


def test_series_can_be_moved(tmp_path):
    write_pvd(tmp_path / "here" / "fields.pvd", [square(time=0), square(time=1)])
    moved = (tmp_path / "here").rename(tmp_path / "there")
    assert str(tmp_path) not in (moved / "fields.pvd").read_text()
    assert pyvista.PVDReader(moved / "fields.pvd").read()[0].n_points == 81


def test_series_of_clouds(tmp_path):
    snapshots = [Snapshot(cloud().points, time=float(t)) for t in range(2)]
    write_pvd(tmp_path / "points.pvd", snapshots)
    assert pyvista.PVDReader(tmp_path / "points.pvd").read()[0].n_cells == 20


@pytest.mark.parametrize("times", [[], [None], [0.0, None], [0.5, 0.5]])
def test_what_is_no_series_is_refused(tmp_path, times):
    with pytest.raises(ProblemError, match="times"):
        write_pvd(tmp_path / "fields.pvd", [square(time=time) for time in times])
    assert contents(tmp_path) == {}


def test_pieces_of_names_nothing_but_pieces(tmp_path):
    assert pieces_of(tmp_path / "fields.pvd") == []
    (tmp_path / "fields").mkdir()
    for name in ("fields_0000.vtu", "fields_12345.vtu", "fields_1.vtu", "fields_0001.vtp", "mine_0001.vtu"):
        (tmp_path / "fields" / name).touch()
    assert [each.name for each in pieces_of(tmp_path / "fields.pvd")] == [
        "fields_0000.vtu",
        "fields_12345.vtu",
    ]


# Whole or not at all


def test_replacing_keeps_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("ne")
        assert path.read_text() == "old"
        raise RuntimeError
    assert contents(tmp_path) == {"file": b"old"}
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert contents(tmp_path) == {"file": b"new"}


def half_a_file(writer: object, path: Path, mesh: object) -> None:
    path.write_text("<VTKFile")
    raise OSError("the disk is full")


def test_a_vtu_that_fails_half_way_leaves_the_old_one(tmp_path, monkeypatch):
    write_vtu(tmp_path / "fields.vtu", square())
    before = contents(tmp_path)
    monkeypatch.setattr(vtk_files, "_run", half_a_file)
    with pytest.raises(OSError, match="full"):
        write_vtu(tmp_path / "fields.vtu", square(5))
    assert contents(tmp_path) == before
    monkeypatch.undo()
    write_vtu(tmp_path / "fields.vtu", square(5))
    assert contents(tmp_path) != before


def test_a_series_that_fails_half_way_leaves_the_old_one(tmp_path, monkeypatch):
    write_pvd(tmp_path / "fields.pvd", [square(time=t) for t in range(3)])
    before = contents(tmp_path)
    good, calls = vtk_files._run, []

    def third_fails(writer, path, mesh):
        calls.append(path)
        (half_a_file if len(calls) == 3 else good)(writer, path, mesh)

    monkeypatch.setattr(vtk_files, "_run", third_fails)
    with pytest.raises(OSError, match="full"):
        write_pvd(tmp_path / "fields.pvd", [square(5, time=t + 0.5) for t in range(4)])
    assert len(calls) == 3
    assert contents(tmp_path) == before


def test_a_writer_that_reports_failure_raises(tmp_path):
    class Refuses:
        def __getattr__(self, name):
            return lambda *arguments: 0

    with pytest.raises(OSError, match="could not write"):
        vtk_files._run(Refuses(), tmp_path / "a.vtu", square().to_pyvista())


def test_files_are_readable_by_others(tmp_path):
    mask = os.umask(0o022)
    try:
        (path,) = write_vtu(tmp_path / "a.vtu", cloud())
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644
