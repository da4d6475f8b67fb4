"""Files of VTK and ParaView: every way to write the arrays, kinds of cells, and what is not read."""

from __future__ import annotations

import re
import struct
from itertools import product

import meshio
import numpy as np
import pytest
import pyvista

from pinnml import Mesh
from pinnml.domains.meshes.files.reading import read_mesh
from pinnml.errors import MeshError
from tests.helpers.made_meshes import KIND_NAMES, unit_box, write
from tests.helpers.vtk_files import grid, write_vtu

MODES, COMPRESSORS = ("Ascii", "Binary", "Appended"), ("None", "ZLib", "LZ4", "LZMA")


@pytest.mark.parametrize(("mode", "compressor"), [*product(MODES, COMPRESSORS)])
@pytest.mark.parametrize(("encoded", "wide"), [*product((True, False), repeat=2)])
def test_every_way_to_write_arrays_is_read(tmp_path, mode, compressor, encoded, wide):
    for kind in ("triangle", "hexahedron27"):
        points, cells = unit_box(kind)
        path = write_vtu(tmp_path / "a.vtu", grid(kind), mode, compressor, encoded=encoded, wide=wide)
        found = read_mesh(path)
        assert np.array_equal(found.points, points)
        assert np.array_equal(found.cells, cells)
        assert found.kind == kind
        assert {name: rows.tolist() for name, rows in found.parts.items()} == {
            f"material={n}": list(range(n, len(cells), 2)) for n in (0, 1)
        }


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("form", ["vtu text", "vtu binary", "vtu unpacked"])
def test_what_meshio_writes_is_what_meshio_reads(tmp_path, kind, form):
    path = write(tmp_path, kind, form)
    theirs, found = meshio.read(path), read_mesh(path)
    assert np.array_equal(found.points, theirs.points)
    assert np.array_equal(found.cells, theirs.get_cells_type(kind))
    assert len(found.faces) == 2


def test_files_of_the_other_order_of_bytes_are_read(tmp_path):
    path = write(tmp_path, "tetra", "vtu text")
    before = Mesh.read(path)
    path.write_bytes(path.read_bytes().replace(b"LittleEndian", b"BigEndian"))
    assert np.array_equal(Mesh.read(path).cells.nodes, before.cells.nodes)  # text has no order
    raw = write_vtu(tmp_path / "raw.vtu", grid("tetra"), "Appended", "None", encoded=False)
    raw.write_bytes(raw.read_bytes().replace(b"LittleEndian", b"BigEndian"))
    with pytest.raises(MeshError, match="announced"):
        Mesh.read(raw)


def boxes(dimension: int, n: int = 3) -> pyvista.UnstructuredGrid:
    """An image of n cells a side, cast to pixels or voxels."""
    sides = [n + 1] * dimension + [1] * (3 - dimension)
    return pyvista.ImageData(dimensions=sides, spacing=[1 / n] * 3).cast_to_unstructured_grid()


@pytest.mark.parametrize("suffix", [".vtu", ".vtk"])
@pytest.mark.parametrize(("dimension", "kind"), [(2, "quad"), (3, "hexahedron")])
def test_boxes_of_an_image_are_quadrilaterals_and_hexahedra(tmp_path, suffix, dimension, kind):
    image = boxes(dimension)
    image.cell_data["colour"] = np.arange(image.n_cells) % 3
    image.save(tmp_path / f"a{suffix}")
    mesh = Mesh.read(tmp_path / f"a{suffix}")
    assert mesh.cells.kind.name == kind
    assert len(mesh.cells) == 3**dimension
    assert mesh.measure() == pytest.approx(1, rel=1e-12)
    assert mesh.measure("boundary") == pytest.approx(2 * dimension, rel=1e-12)
    middles = image.cell_centers().points[np.arange(image.n_cells) % 3 == 1][:, :dimension]
    ours = mesh.cells.points[mesh.cells.corners[mesh.pieces("colour=1").cell]].mean(axis=1)
    assert np.allclose(ours, middles, atol=1e-7)


@pytest.mark.parametrize("suffix", [".vtu", ".vtk"])
def test_pixels_beside_quadrilaterals_are_one_mesh(tmp_path, suffix):
    image = boxes(2)
    nodes = image.cells.reshape(-1, 5)[:, 1:].copy()
    kinds = np.where(np.arange(9) % 2, 9, 8)
    nodes[kinds == 9] = nodes[kinds == 9][:, [0, 1, 3, 2]]
    both = pyvista.UnstructuredGrid(np.insert(nodes, 0, 4, axis=1).ravel(), kinds, image.points)
    both.cell_data["odd"] = kinds
    both.save(tmp_path / f"a{suffix}")
    mesh = Mesh.read(tmp_path / f"a{suffix}")
    assert mesh.measure() == pytest.approx(1, rel=1e-12)
    assert [mesh.measure(f"odd={n}") for n in (8, 9)] == pytest.approx([5 / 9, 4 / 9])


@pytest.mark.parametrize(("number", "count", "name"), [
    (26, 15, "quadratic wedge"), (13, 6, "wedge"), (14, 5, "pyramid"), (27, 13, "quadratic pyramid"),
    (69, 10, "lagrange triangle"), (6, 5, "triangle strip"), (4, 4, "poly line"), (7, 5, "polygon"),
])  # fmt: skip
def test_other_kinds_are_refused_by_name_in_the_same_words(tmp_path, number, count, name):
    cell = pyvista.UnstructuredGrid(
        np.r_[count, np.arange(count)], np.array([number]), np.random.default_rng(0).random((count, 3))
    )
    said = set()
    for suffix in (".vtu", ".vtk"):
        cell.save(tmp_path / f"a{suffix}")
        with pytest.raises(MeshError, match=f"cells of kind {name} \\({number} of VTK's list\\)") as caught:
            Mesh.read(tmp_path / f"a{suffix}")
        said.add(str(caught.value).replace(suffix, ""))
    assert len(said) == 1


def test_a_kind_without_a_name_is_told_by_its_number(tmp_path):
    path = write_vtu(tmp_path / "a.vtu", grid("triangle"), "Ascii", "None")
    path.write_bytes(re.sub(rb'(Name="types"[^>]*>\s*)5', rb"\g<1>99", path.read_bytes()))
    with pytest.raises(MeshError, match=r"unknown \(99 of VTK's list\)"):
        Mesh.read(path)


KEY = b"""<InformationKey name="L2_NORM_RANGE" location="vtkDataArray" length="2">
  <Value index="0">0</Value> <Value index="1">1.7</Value></InformationKey>"""


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("mode", ["Ascii", "Binary"])
def test_what_paraview_writes_among_the_numbers_is_passed_over(tmp_path, mode, before):
    path = write_vtu(tmp_path / "a.vtu", grid("triangle"), mode, "ZLib")
    plain = Mesh.read(path)
    data = path.read_bytes()
    marked = re.sub(rb"(<DataArray[^>]*>)", rb"\g<1>" + KEY, data)
    if not before:
        marked = data.replace(b"</DataArray>", KEY + b"</DataArray>")
    field = b'<FieldData><DataArray type="Float64" Name="TimeValue" NumberOfTuples="1" format="ascii">0</DataArray>'
    path.write_bytes(marked.replace(b"<Piece", field + b"</FieldData><Piece"))
    assert marked.count(b"InformationKey") > 8
    assert np.array_equal(Mesh.read(path).cells.points, plain.cells.points)
    assert Mesh.read(path).regions == plain.regions


def test_names_in_latin_1_and_arrays_of_words_are_no_hindrance(tmp_path):
    path = write_vtu(tmp_path / "a.vtu", grid("quad"), "Ascii", "None")
    words = b'<DataArray type="String" Name="label" format="ascii">65 0 66 0</DataArray></CellData>'
    path.write_bytes(path.read_bytes().replace(b"material", b"W\xe4nde").replace(b"</CellData>", words))
    assert "Wände=1" in Mesh.read(path).regions


def test_pieces_other_grids_and_other_packings_are_named(tmp_path):
    path = write_vtu(tmp_path / "a.vtu", grid("quad"), "Binary", "ZLib")
    data = path.read_bytes()
    piece = re.search(rb"<Piece.*</Piece>", data, re.DOTALL)
    assert piece is not None
    empty = b'<Piece NumberOfPoints="0" NumberOfCells="0"></Piece>'
    path.write_bytes(data.replace(piece[0], empty + piece[0]))
    assert Mesh.read(path).measure() == pytest.approx(1)
    for old, new, match in (
        (piece[0], 2 * piece[0], "a mesh in pieces"),
        (b'type="UnstructuredGrid"', b'type="PolyData"', "PolyData"),
        (b"vtkZLibDataCompressor", b"vtkZstdDataCompressor", "without compression"),
        (piece[0], empty, "no cells"),
    ):
        path.write_bytes(data.replace(old, new))
        with pytest.raises(MeshError, match=match):
            Mesh.read(path)


@pytest.mark.parametrize("compressor", ["ZLib", "LZ4", "LZMA"])
def test_blocks_that_hold_more_or_less_than_they_say_are_refused(tmp_path, compressor, capfd):
    what = grid("quad", 4)
    what.point_data.clear()
    path = write_vtu(tmp_path / "a.vtu", what, "Appended", compressor, encoded=False)
    data = path.read_bytes()
    first = re.search(rb"<AppendedData[^>]*>\s*_", data)
    assert first is not None
    for place, value in ((0, 0), (0, 2**31), (4, 2**31), (8, 2**31), (12, 2**31), (12, 1)):
        at = first.end() + place
        path.write_bytes(data[:at] + struct.pack("<I", value) + data[at + 4 :])
        with pytest.raises(MeshError, match="cannot be read"):  # of the groups, in two blocks
            Mesh.read(path)
    assert capfd.readouterr() == ("", "")
