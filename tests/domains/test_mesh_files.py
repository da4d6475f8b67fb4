"""One mesh in every format reads as the same, with its groups as regions."""

from __future__ import annotations

import struct

import meshio
import numpy as np
import pytest

from pinnml.domains import Mesh
from pinnml.domains.meshes.files.reading import read_mesh
from pinnml.errors import MeshError
from tests.helpers.made_meshes import FORMS, KIND_NAMES, meshio_mesh, unit_box, write, write_bare
from tests.helpers.places import MESHES

LINEAR = ("triangle", "quad", "tetra", "hexahedron")
SQUARE = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
4
1 1 "wall"
1 2 "hot wall"
2 1 "plate"
2 2 "all"
$EndPhysicalNames
$Entities
0 2 2 0
1 0 0 0 1 0 0 2 1 2 0
2 0 0 0 1 0 0 1 1 0
1 0 0 0 1 1 0 2 1 2 0
2 0 0 0 1 1 0 1 2 0
$EndEntities
$Nodes
1 5 1 9
2 1 0 5
1
2
3
7
9
0 0 0
1 0 0
1 1 0
0 1 0
5 5 5
$EndNodes
$Elements
4 4 1 4
1 1 1 1
1 1 2
1 2 1 1
2 2 3
2 1 2 1
3 1 2 3
2 2 2 1
4 1 3 7
$EndElements
"""


def is_same(first: Mesh, second: Mesh) -> bool:
    """Whether two meshes have the same points, cells and groups, whatever these are called."""
    regions = zip(first.regions, second.regions, strict=True)
    return (
        np.array_equal(first.cells.points, second.cells.points)
        and np.array_equal(first.cells.nodes, second.cells.nodes)
        and all(np.array_equal(first.pieces(a).cell, second.pieces(b).cell) for a, b in regions)
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_format_reads_as_the_same_mesh(tmp_path, form, kind):
    source = meshio_mesh(kind)
    cells = source.cells[0].data
    data = source.cell_data["gmsh:physical"]
    parts = {str(value): np.flatnonzero(data[0] == value) for value in (1, 2)}
    faces = {"7": source.cells[1].data, "8": source.cells[2].data}
    corners = {"line": 1, "triangle": 2, "quad": 2, "tetra": 3, "hexahedron": 4}[kind.rstrip("0123456789")]
    made = Mesh(source.points, cells, kind, parts=parts, faces={k: v[:, :corners] for k, v in faces.items()})
    path = write(tmp_path, kind, form)
    if form.startswith("xdmf") and kind not in LINEAR:  # meshio cannot read what it writes of these
        with pytest.raises(MeshError, match="several kinds"):
            Mesh.read(path)
        return
    read = Mesh.read(path)
    assert is_same(read, made)
    names = ("part 1", "part 2", "face 7", "face 8") if "gmsh" in form else [f"gmsh:physical={n}" for n in (1, 2, 7, 8)]
    shown = [name for name in read.regions if name not in ("interior", "boundary", "unnamed boundary")]
    assert shown == list(names)


@pytest.mark.parametrize("binary", [False, True])
def test_format_4_1_that_meshio_writes_is_read(tmp_path, binary):
    assert is_same(Mesh.read(write_bare(tmp_path, binary)), Mesh(*unit_box("triangle"), "triangle"))


def test_an_entity_may_be_in_several_groups_and_unused_points_are_dropped(tmp_path):
    path = tmp_path / "square.msh"
    path.write_text(SQUARE)
    mesh = Mesh.read(path)
    assert mesh.regions == ("interior", "plate", "all", "boundary", "wall", "hot wall", "unnamed boundary")
    assert mesh.measure("plate") == pytest.approx(0.5)
    assert mesh.measure("all") == pytest.approx(1)
    assert mesh.measure("wall") == pytest.approx(2)
    assert mesh.measure("hot wall") == pytest.approx(1)
    assert len(mesh.cells.points) == 4


def test_groups_of_one_name_are_told_apart(tmp_path):
    path = tmp_path / "square.msh"
    path.write_text(SQUARE.replace('"wall"', '"plate"'))
    assert {"plate", "plate facets"} <= set(Mesh.read(path).regions)


def test_cells_that_stand_there_twice_for_two_groups_become_one(tmp_path):
    lines = ["$MeshFormat", "2.2 0 8", "$EndMeshFormat", "$Nodes", "3", "1 0 0 0", "2 1 0 0", "3 0 1 0", "$EndNodes"]
    lines += ["$Elements", "3", "1 2 2 1 1 1 2 3", "2 2 2 2 1 1 2 3", "3 1 2 5 1 2 3", "$EndElements"]
    path = tmp_path / "twice.msh"
    path.write_text("\n".join(lines) + "\n")
    mesh = Mesh.read(path)
    assert len(mesh.cells) == 1
    assert mesh.measure("part 1") == mesh.measure("part 2") == pytest.approx(0.5)
    assert mesh.measure("face 5") == pytest.approx(2**0.5)


@pytest.mark.parametrize("order", "<>")
def test_binary_files_of_either_order_of_bytes_are_read(tmp_path, order):
    points = [(0, 0, 0), (1, 0, 0), (0, 1, 0)]
    nodes = b"".join(struct.pack(f"{order}i3d", n, *x) for n, x in enumerate(points, 1))
    cells = struct.pack(f"{order}3i6i", 2, 1, 2, 1, 4, 4, 1, 2, 3)
    head = b"$MeshFormat\n2.2 1 8\n" + struct.pack(f"{order}i", 1) + b"\n$EndMeshFormat\n"
    path = tmp_path / "order.msh"
    path.write_bytes(head + b"$Nodes\n3\n" + nodes + b"\n$EndNodes\n$Elements\n1\n" + cells + b"\n$EndElements\n")
    assert Mesh.read(path).measure("part 4") == pytest.approx(0.5)


@pytest.mark.parametrize("version", [2.2, 4.1])
@pytest.mark.parametrize("binary", [0, 1])
@pytest.mark.parametrize("name", ["bracket", "disc", "two_materials"])
def test_what_gmsh_writes_in_other_formats_is_the_same_mesh(tmp_path, name, binary, version):
    gmsh = pytest.importorskip("gmsh")
    original = MESHES / f"{name}.msh"
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("Mesh.Binary", binary)
        gmsh.option.setNumber("Mesh.MshFileVersion", version)
        gmsh.open(str(original))
        gmsh.write(str(tmp_path / "again.msh"))
    finally:
        gmsh.finalize()
    first, second = Mesh.read(original), Mesh.read(tmp_path / "again.msh")
    assert set(first.regions) == set(second.regions)
    for region in first.regions:
        assert second.measure(region) == pytest.approx(first.measure(region), rel=1e-12)


@pytest.mark.parametrize("name", ["hexahedron20", "hexahedron27", "tetra10", "quad9"])
def test_the_order_of_nodes_is_that_of_gmsh(tmp_path, name):
    gmsh = pytest.importorskip("gmsh")
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("Mesh.SecondOrderIncomplete", int(name == "hexahedron20"))
        flat = gmsh.model.occ.addRectangle(0, 0, 0, 1, 1)
        if name != "quad9":
            elements = [] if name == "tetra10" else [2]
            gmsh.model.occ.extrude([(2, flat)], 0, 0, 1, numElements=elements, recombine=name != "tetra10")
        gmsh.model.occ.synchronize()
        if name != "tetra10":
            for _, surface in gmsh.model.getEntities(2):
                gmsh.model.mesh.setTransfiniteSurface(surface)
                gmsh.model.mesh.setRecombine(2, surface)
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.6)
        gmsh.model.mesh.generate(2 if name == "quad9" else 3)
        gmsh.model.mesh.setOrder(2)
        gmsh.write(str(tmp_path / "ordered.msh"))
    finally:
        gmsh.finalize()
    found = read_mesh(tmp_path / "ordered.msh")
    assert found.kind == name
    mesh = Mesh(found.points, found.cells, found.kind)  # nodes in a wrong place would make its cells tangled
    assert mesh.measure() == pytest.approx(1, rel=1e-12)
    assert mesh.measure("boundary") == pytest.approx(4 if name == "quad9" else 6, rel=1e-12)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("whole", [np.int32, np.int64, np.uint8])
@pytest.mark.parametrize("kind", [name for name in KIND_NAMES if name != "line3"])
def test_what_vtk_writes_is_read(tmp_path, kind, whole, binary):
    import pyvista

    from pinnml.output.cells import CELL_KINDS

    points, cells = unit_box(kind)
    table = np.insert(cells, 0, cells.shape[1], axis=1)
    grid = pyvista.UnstructuredGrid(table.ravel(), np.full(len(cells), CELL_KINDS[kind].vtk), points)
    grid.cell_data["material"] = (np.arange(len(cells)) % 2).astype(whole)
    grid.cell_data["temperature"] = np.linspace(0, 1, len(cells))
    for suffix in (".vtu", ".vtk"):
        grid.save(tmp_path / f"theirs{suffix}", binary=binary)
        mesh = Mesh.read(tmp_path / f"theirs{suffix}")
        assert is_same(mesh, Mesh(points, cells, kind, parts={str(n): np.arange(n, len(cells), 2) for n in (0, 1)}))
        assert mesh.regions == ("interior", "material=0", "material=1", "boundary")


def test_arrays_of_many_values_are_no_groups(tmp_path):
    points, cells = unit_box("triangle", 8)
    mesh = meshio.Mesh(points, [("triangle", cells)], cell_data={"number": [np.arange(len(cells))]})
    meshio.write(tmp_path / "many.vtu", mesh)
    assert Mesh.read(tmp_path / "many.vtu").regions == ("interior", "boundary")


def test_serendipity_cells_are_completed_by_their_own_functions():
    # on the plane 8 functions reproduce every quadratic and x^2 y, x y^2; the node in the middle has no term of its own
    corners = np.array([[0, 0], [2, 0], [2.2, 2.1], [0.1, 1.9]])
    middles = np.array([[1, -0.1], [2.2, 1], [1.1, 2.2], [-0.1, 1]])
    points = np.concatenate([corners, middles])
    mesh = Mesh(points, [range(8)], "quad8")
    centre = mesh.cells.points[-1]
    assert np.allclose(centre, middles.sum(axis=0) / 2 - corners.sum(axis=0) / 4, atol=1e-14)
    cube, cells = unit_box("hexahedron20", 2)
    full, whole = unit_box("hexahedron27", 2)
    completed = Mesh(cube, cells, "hexahedron20").cells
    assert len(completed.points) == len(full)
    ours = completed.points[completed.nodes[:, completed.kind.to_file]]
    assert np.allclose(ours, full[whole], atol=1e-14)


def test_axes_can_be_named(tmp_path):
    mesh = Mesh.read(write(tmp_path, "quad", "vtu binary"), axes=("r", "height"))
    assert mesh.axes.names == mesh.axes.space == ("r", "height")
    for axes in (("x", "x"), ("x",), ("x", "t"), ("x", "1")):
        with pytest.raises(MeshError, match="axes of a mesh"):
            Mesh(*unit_box("quad"), "quad", axes=axes)
