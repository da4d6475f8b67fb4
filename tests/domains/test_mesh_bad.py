"""Meshes that are no meshes: each gives a MeshError that names the place and the cure."""

from __future__ import annotations

import sys
from itertools import permutations

import meshio
import numpy as np
import pytest

from pinnml.domains import Mesh
from pinnml.domains.meshes.files.kinds import FILE_KINDS
from pinnml.errors import DomainError, MeshError, MissingExtraError
from tests.helpers.made_meshes import FORMS, KIND_NAMES, bend, unit_box, write

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
TWO = [[0, 1, 2], [0, 2, 3]]


def refused(match: str, *arguments, **groups) -> str:
    """What is said about arrays that are no mesh."""
    with pytest.raises(MeshError, match=match) as caught:
        Mesh(*arguments, **groups)
    assert isinstance(caught.value, DomainError)
    assert caught.value.cure
    return str(caught.value)


@pytest.mark.parametrize("name", ["none.msh", "none.vtu", "none.stl", "none.jpg", "none"])
def test_files_that_are_not_there_or_no_meshes_are_named(tmp_path, name):
    with pytest.raises(MeshError, match=name):
        Mesh.read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".msh", ".vtu", ".vtk", ".xdmf"])
@pytest.mark.parametrize(
    "content", [b"", b" \n", b"\x00\xff" * 500, b"hello\n", b"$MeshFormat\n", b"<VTKFile", b"<Xdmf/>"]
)
def test_files_of_something_else_are_named(tmp_path, capfd, suffix, content):
    path = tmp_path / f"wrong{suffix}"
    path.write_bytes(content)
    with pytest.raises(MeshError, match=path.name) as caught:
        Mesh.read(path)
    assert caught.value.cure
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("form", [form for form in FORMS if "hdf5" not in form])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_files_that_are_cut_off_are_named(tmp_path, form, part):
    path = write(tmp_path, "triangle", form)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(MeshError, match=path.name):
        Mesh.read(path)


def test_data_beside_an_xdmf_file_that_are_gone_are_missed(tmp_path):
    path = write(tmp_path, "triangle", "xdmf hdf5")
    path.with_suffix(".h5").unlink()
    with pytest.raises(MeshError, match=r"\.h5"):
        Mesh.read(path)


def test_without_h5py_xdmf_files_name_the_extra(tmp_path, monkeypatch):
    path = write(tmp_path, "triangle", "xdmf text")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pinnml\[mesh\]"):
        Mesh.read(path)


def test_counts_beyond_the_size_of_the_file_are_refused_at_once(tmp_path):
    for form, old, new in (
        ("gmsh 2.2 text", b"$Nodes\n9", b"$Nodes\n900000000000"),
        ("gmsh 2.2 binary", b"$Nodes\n9", b"$Nodes\n900000000000"),
        ("vtk 5.1 text", b"POINTS 9", b"POINTS 900000000000"),
        ("vtk 4.2 binary", b"POINTS 9", b"POINTS 900000000000"),
        ("vtu text", b'NumberOfPoints="9"', b'NumberOfPoints="900000000000"'),
        ("xdmf text", b'Dimensions="9 ', b'Dimensions="900000000000 '),
    ):
        path = write(tmp_path, "triangle", form)
        assert old in path.read_bytes(), form
        path.write_bytes(path.read_bytes().replace(old, new))
        with pytest.raises(MeshError, match="announce"):
            Mesh.read(path)


def test_cells_of_several_kinds_are_refused_with_the_cure(tmp_path):
    points, quads = unit_box("quad")
    mesh = meshio.Mesh(points, [("quad", quads[:2]), ("triangle", quads[2:, :3])])
    meshio.write(tmp_path / "mixed.vtu", mesh)
    with pytest.raises(MeshError, match="recombine"):
        Mesh.read(tmp_path / "mixed.vtu")


def test_cells_of_other_kinds_are_refused(tmp_path):
    wedge = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1.0]])
    for name in ("wedge.vtu", "wedge.msh"):
        form = {"file_format": "gmsh22"} if name.endswith("msh") else {}
        data: dict = {"gmsh:physical": [np.array([1])], "gmsh:geometrical": [np.array([1])]} if form else {}
        meshio.write(tmp_path / name, meshio.Mesh(wedge, [("wedge", [[0, 1, 2, 3, 4, 5]])], cell_data=data), **form)
        with pytest.raises(MeshError, match="prisms"):
            Mesh.read(tmp_path / name)
    refused("kind 'pyramid'", SQUARE, TWO, "pyramid")


TILT = np.array([[1, 0, 0.2], [0, 1, 0], [0, 0, 1]])
ROUND = np.array([[1, 0, 0], [0, 1, 1e-7], [0, 0, 1]])


@pytest.mark.parametrize("kind", ["line", "triangle", "quad", "triangle6", "quad9", "line3"])
def test_a_mesh_that_does_not_lie_flat_is_refused(kind):
    points, cells = unit_box(kind)
    turned = points[:, [2, 1, 0]] if kind.startswith("line") else points
    moved = [points @ TILT, points + 0.1 * points[:, :1] ** 2 * [0, 0, 1]]
    for bad in moved if kind.startswith("line") else [*moved, turned @ ROUND]:
        said = refused("does not lie flat", bad, cells, kind)
        assert "z from 0 to " in said


@pytest.mark.parametrize("kind", ["line", "triangle", "tetra", "triangle6", "tetra10", "line3"])
def test_simplices_may_come_in_any_order_of_corners(kind):
    points, cells = unit_box(kind)
    dimension = FILE_KINDS[kind].dimension
    moved = bend(points, dimension)
    made = Mesh(moved, cells, kind)
    assert (np.diff(made.cells.corners, axis=1) > 0).all()
    for order in permutations(range(dimension + 1)):
        turned = np.array([again(kind, cell, order) for cell in cells])
        other = Mesh(moved, turned, kind)
        assert np.array_equal(other.cells.nodes, made.cells.nodes)


def again(kind: str, cell: np.ndarray, order: tuple[int, ...]) -> list[int]:
    """One simplex with its corners in another order, the nodes of its edges found by their ends."""
    from tests.helpers.made_meshes import EDGES

    edges = EDGES[kind.rstrip("0123456789")]
    middle = {frozenset(pair): cell[len(order) + k] for k, pair in enumerate(edges)} if len(cell) > len(order) else {}
    ends = [frozenset(order[i] for i in pair) for pair in edges] if middle else []
    return [*(cell[i] for i in order), *(middle[pair] for pair in ends)]


@pytest.mark.parametrize("kind", ["quad", "hexahedron", "quad9", "hexahedron27", "quad8", "hexahedron20"])
def test_inverted_cells_are_turned_over(kind):
    points, cells = unit_box(kind)
    mirror = points * [-1, 1, 1] if kind.startswith("hexa") else points[:, [1, 0, 2]]
    mesh = Mesh(mirror, cells, kind)
    assert mesh.measure() == pytest.approx(1, rel=1e-12)
    from pinnml.domains.geometry import jacobian_range

    middle = np.full((1, len(mesh.axes.names)), 0.5)
    assert jacobian_range(mesh.cells, middle)[0].min() > 0


def test_cells_of_no_size_and_tangled_cells_are_named_with_their_place():
    assert "cell 1, around (0.5, 0.5)" in refused("no size", [*SQUARE, [0.5, 0.5]], [[0, 1, 4], [0, 4, 2]], "triangle")
    refused("no size", SQUARE, [[0, 1, 1], [0, 2, 3]], "triangle")
    refused("no size", [[0, 0], [1, 0], [2, 1e-15]], [[0, 1, 2]], "triangle")
    refused("changes its sign", SQUARE, [[0, 1, 3, 2]], "quad")  # a bow tie
    refused("changes its sign", [[0, 0], [1, 0], [0.2, 0.2], [0, 1]], [[0, 1, 2, 3]], "quad")  # not convex
    points, cells = unit_box("triangle6", 1)
    points[cells[0, 3]] += [0, 0.6, 0]  # the middle of an edge beyond the opposite corner
    refused("changes its sign", points, cells, "triangle6")
    assert Mesh([[0, 0], [1, 0], [0.5, 1e-6]], [[0, 1, 2]], "triangle").measure() == pytest.approx(5e-7)


def test_cells_that_lie_over_one_another_are_refused():
    crossed = np.array([[0, 0], [1, 0], [0.5, 1], [0.5, 0.4]])  # node 3 on the same side of the edge as node 2
    refused("lie over one another", crossed, [[0, 1, 2], [0, 1, 3]], "triangle")
    three = np.array([[0, 0], [1, 0], [0.5, 1], [0.5, -1], [0.5, -2.0]])
    refused("has 3 cells", three, [[0, 1, 2], [0, 1, 3], [0, 1, 4]], "triangle")
    refused("has 3 cells|lie over", SQUARE, [*TWO, TWO[0]], "triangle")


def test_facets_that_are_shared_in_part_are_refused():
    points, cells = unit_box("hexahedron", 2)
    cells = cells[[0, 4]]  # beside each other along x
    shared = np.intersect1d(*cells)
    points = np.concatenate([points, points[shared[-1:]] + [[0.1, 0, 0]]])
    cells[1][cells[1] == shared[-1]] = len(points) - 1
    refused("share a part of a facet", points, cells, "hexahedron")


def test_duplicate_nodes_are_counted():
    apart = np.array([[0, 0], [1, 0], [1, 1], [0, 0], [1, 1], [0, 1.0]])
    said = refused("4 nodes stand in one place", apart, [[0, 1, 2], [3, 4, 5]], "triangle")
    assert "Coherence" in said


@pytest.mark.parametrize("kind", ["triangle", "quad", "tetra", "hexahedron"])
def test_hanging_nodes_are_found(kind):
    coarse, cells = unit_box(kind, 1)
    fine, more = unit_box(kind, 2)
    fine[:, 0] = 1 + fine[:, 0] / 2
    points = np.concatenate([coarse, fine])
    keep, number = np.unique(np.round(points, 12), axis=0, return_inverse=True)
    both = number.ravel()[np.concatenate([cells, more + len(coarse)])]
    refused("hangs in the middle", keep, both, kind)
    left, right = both[: len(cells)], both[len(cells) :]
    assert Mesh(keep, left, kind).measure() == pytest.approx(1)
    assert Mesh(keep, right, kind).measure() == pytest.approx(0.5)


def test_unused_points_are_dropped_wherever_they_are():
    points = np.array([[9, 9, 9], *np.pad(SQUARE, ((0, 0), (0, 1))), [0, 0, 0]])
    faces = {"left": [[1, 4]]}
    mesh = Mesh(points, np.add(TWO, 1), "triangle", faces=faces)
    assert len(mesh.cells.points) == 4
    assert mesh.measure("left") == pytest.approx(1)
    refused("a facet that no cell has", points, np.add(TWO, 1), "triangle", faces={"left": [[0, 4]]})


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ({"parts": {"steel": [2]}}, "numbers from 0 to 1"),
        ({"parts": {"steel": [-1]}}, "numbers from 0 to 1"),
        ({"parts": {"steel": [0.5]}}, "whole numbers"),
        ({"parts": {"steel": []}}, "no cells"),
        ({"faces": {"left": [[0, 9]]}}, "numbers from 0 to 3"),
        ({"faces": {"left": [[0, 1, 2]]}}, r"whole numbers \(k, 2\)"),
        ({"faces": {"left": [[1, 3]]}}, "a facet that no cell has"),
        ({"faces": {"left": []}}, "no facets"),
        ({"parts": {"a": [0]}, "faces": {"a": [[0, 1]]}}, "cannot be used"),
        ({"parts": {"interior": [0]}}, "cannot be used"),
        ({"faces": {"boundary": [[0, 1]]}}, "cannot be used"),
        ({"faces": {"initial": [[0, 1]]}}, "cannot be used"),
        ({"parts": {3: [0]}}, "cannot be used"),
        ({"parts": [0]}, "a mapping"),
        ({"faces": [[0, 1]]}, "a mapping"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups, match):
    refused(match, SQUARE, TWO, "triangle", **groups)


def test_groups_of_everything_may_bear_the_names_of_the_house():
    faces = {"boundary": [[0, 1], [1, 2], [2, 3], [3, 0]]}
    mesh = Mesh(SQUARE, TWO, "triangle", parts={"interior": [0, 1]}, faces=faces)
    assert mesh.regions == ("interior", "boundary")


@pytest.mark.parametrize(
    ("points", "cells", "match"),
    [
        (np.zeros((0, 2)), TWO, "points of a mesh"),
        ([["a", "b"]], TWO, "points of a mesh"),
        ([0, 1, 2], TWO, "points of a mesh"),
        ([[0], [1], [2], [3]], TWO, "points of a mesh"),
        ([[0, 0], [1, 0], [np.nan, 1], [0, 1]], TWO, "nowhere"),
        ([[0, 0], [1, 0], [1e300, 1], [0, 1]], TWO, "nowhere"),
        (SQUARE, [[0, 1, 4]], "numbers from 0 to 3"),
        (SQUARE, [[0, 1]], "whole numbers"),
        (SQUARE, [[0.0, 1.0, 2.0]], "whole numbers"),
        (SQUARE, np.zeros((0, 3), dtype=int), "without cells"),
    ],
)
def test_arrays_that_cannot_be_are_refused(points, cells, match):
    refused(match, points, cells, "triangle")


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_kind_is_refused_with_a_word_about_its_nodes(kind):
    points = np.eye(FILE_KINDS[kind].dimension + 1)[:, 1:]
    assert str(FILE_KINDS[kind].nodes) in refused("whole numbers", points, [[0]], kind)
