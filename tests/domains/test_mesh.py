"""The meshes that come with pinnml, and boxes of every kind of cell: measures, normals, the divergence theorem."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pinnml.domains import Mesh
from pinnml.domains.meshes.files.kinds import FILE_KINDS
from pinnml.errors import UnknownNameError
from tests.helpers.made_meshes import KIND_NAMES, bend, facet_corners, meshio_mesh, unit_box
from tests.helpers.places import MESHES

NAMES = sorted(path.stem for path in MESHES.glob("*.msh"))
#: Measures of the regions by closed forms. Quadratic edges of angle a miss an arc of radius r by r a^5 / 7680 or so in
#: length and area: edges of the disc are 0.2 long, those of the hole 2 pi / 24 of a turn.
CLOSED = {
    "l_shape": {"interior": 3, "boundary": 8, "corner": 2, "outside": 6},
    "plate_with_hole": {"interior": 4 - math.pi / 16, "hole": math.pi / 2, "left": 2, "top": 2},
    "square_with_hole": {"walls": 4},
    "two_materials": {"interior": 1, "left": 0.5, "right": 0.5, "interface": 1, "boundary": 4, "east": 1},
    "disc": {"interior": math.pi, "boundary": 2 * math.pi, "rim": 2 * math.pi},
    "square_quads": {"interior": 1, "boundary": 4, "left": 1},
    "cube": {"interior": 1, "boundary": 6, "left": 1, "top": 1},
    "cube_hexes": {"interior": 1, "boundary": 6, "front": 1, "bottom": 1},
    "bracket": {"wall": 0.6, "load": 0.12},
}
CURVED = {"plate_with_hole": 1e-4, "disc": 1e-5}


def shipped(name: str) -> Mesh:
    return Mesh.read(MESHES / f"{name}.msh")


def bent(kind: str) -> Mesh:
    """A box of cells with its nodes moved; linear cells stay straight, quadratic ones become curved."""
    points, cells = unit_box(kind)
    ends = {"left": facet_corners(kind, points, cells, 0, 0.0), "right": facet_corners(kind, points, cells, 0, 1.0)}
    return Mesh(bend(points, FILE_KINDS[kind].dimension), cells, kind, faces=ends)


def meshes() -> list:
    return [pytest.param(lambda n=name: shipped(n), id=name) for name in NAMES] + [
        pytest.param(lambda k=kind: bent(k), id=f"bent {kind}") for kind in KIND_NAMES
    ]


def gauss(mesh: Mesh, region: str, per_piece: int = 30):
    return mesh.sample(region, per_piece * len(mesh.pieces(region)), torch.Generator().manual_seed(0), "gauss")


def test_every_closed_form_is_of_a_mesh_that_is_there():
    assert set(CLOSED) | {"glacier"} == set(NAMES)


@pytest.mark.parametrize("name", CLOSED)
def test_shipped_meshes_have_the_measures_of_their_shapes(name):
    mesh = shipped(name)
    for region, measure in CLOSED[name].items():
        assert mesh.measure(region) == pytest.approx(measure, rel=CURVED.get(name, 1e-12)), region


def test_the_hole_of_the_bracket_is_nearly_round():
    # the hole is meshed with straight edges: a little smaller than round, by three per cent of its area at most
    mesh, area = shipped("bracket"), math.pi * 0.12**2
    missing = (mesh.measure() - (0.6 * 0.36 - 0.2 * area)) / (0.2 * area)
    assert 0 < missing < 0.1
    assert 0.95 < mesh.measure("bolt") / (2 * math.pi * 0.12 * 0.2) < 1


@pytest.mark.parametrize("make", meshes())
def test_the_divergence_theorem_holds_on_every_mesh(make):
    # F = (x^2, 2xy, z x): div F = 2x + 2x + x, to round-off, as the rules are exact for curved cells of this degree
    mesh = make()
    inside, around = gauss(mesh, "interior", 60), gauss(mesh, "boundary", 60)
    factor = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)[: mesh.cells.kind.dimension]
    divergence = float((inside.weight * inside.x[:, 0]).sum()) * float(torch.cat([factor[:1] * 2, factor[1:]]).sum())
    assert around.normal is not None
    flux = (around.weight * (around.x[:, :1] * around.x * factor * around.normal).sum(dim=1)).numpy()
    assert flux.sum() == pytest.approx(divergence, abs=1e-11 * max(1, np.abs(flux).sum()))
    turned = flux * np.where(np.arange(len(flux)) % 7, 1, -1)  # a seventh of the normals inward
    assert turned.sum() != pytest.approx(divergence, abs=1e-6)


@pytest.mark.parametrize("make", meshes())
def test_normals_have_length_one_and_point_outward(make):
    mesh = make()
    sample = gauss(mesh, "boundary", 3)
    assert sample.normal is not None
    assert torch.allclose(torch.linalg.vector_norm(sample.normal, dim=1), torch.ones(len(sample), dtype=torch.float64))
    pieces = mesh.pieces("boundary")
    middles = mesh.cells.points[mesh.cells.corners[pieces.cell]].mean(axis=1)
    from_middle = sample.x.numpy() - np.repeat(middles, len(sample) // len(pieces), axis=0)
    assert ((from_middle * sample.normal.numpy()).sum(axis=1) > 0).all()


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_gauss_points_integrate_polynomials_exactly_over_a_box(kind):
    points, cells = unit_box(kind)
    mesh = Mesh(points, cells, kind)
    sample = gauss(mesh, "interior", 40)
    for power in range(5):  # the integral of x^p over the unit box; 40 points a cell are good for degree 4 and more
        assert float((sample.weight * sample.x[:, 0] ** power).sum()) == pytest.approx(1 / (power + 1), abs=1e-14)
    wild = float((sample.weight * sample.x[:, 0] ** 60).sum())
    assert wild != pytest.approx(1 / 61, abs=1e-14)


@pytest.mark.parametrize("kind", ["triangle", "quad", "tetra", "hexahedron", "triangle6", "tetra10"])
def test_skfem_has_the_same_measure_of_bent_cells(kind):
    skfem = pytest.importorskip("skfem")
    import meshio
    from skfem.io.meshio import from_meshio

    points, cells = unit_box(kind)
    dimension = FILE_KINDS[kind].dimension
    moved = bend(points, dimension)
    theirs = from_meshio(meshio.Mesh(moved[:, :dimension], [(kind, cells)]))
    element = {
        2: {3: skfem.ElementTriP1(), 4: skfem.ElementQuad1()},
        3: {4: skfem.ElementTetP1(), 8: skfem.ElementHex1()},
    }
    basis = skfem.Basis(theirs, element[dimension][FILE_KINDS[kind].corners], intorder=8)
    assert Mesh(moved, cells, kind).measure() == pytest.approx(float(basis.dx.sum()), rel=1e-12)


def test_regions_that_are_not_there_are_named_with_those_that_are():
    with pytest.raises(UnknownNameError, match="did you mean 'hole'") as caught:
        shipped("plate_with_hole").region("holes")
    for name in ("interior", "plate", "boundary", "left", "top"):
        assert name in str(caught.value)


def test_interface_normals_point_from_the_first_part_to_the_second():
    mesh = shipped("two_materials")
    assert mesh.interfaces == ("interface",)
    assert horizontal(mesh, "interface") == pytest.approx([1] * 50, abs=1e-12)
    points, cells = unit_box("triangle")
    parts = {"far": np.flatnonzero(points[cells].mean(axis=1)[:, 0] > 0.5)}
    middle = facet_corners("triangle", points, cells, 0, 0.5)
    turned = Mesh(points, cells, "triangle", parts=parts, faces={"between": middle})
    assert horizontal(turned, "between") == pytest.approx([-1] * 50, abs=1e-12)


def horizontal(mesh: Mesh, region: str) -> list[float]:
    """The first components of normals."""
    normal = mesh.sample(region, 50, torch.Generator().manual_seed(0)).normal
    assert normal is not None
    return normal[:, 0].tolist()


def test_outer_facets_without_a_name_are_a_region():
    mesh = bent("triangle")
    assert "unnamed boundary" in mesh.regions
    total = sum(mesh.measure(name) for name in ("left", "right", "unnamed boundary"))
    assert total == pytest.approx(mesh.measure("boundary"), rel=1e-12)
    points, cells = unit_box("triangle")
    assert Mesh(points, cells, "triangle").regions == ("interior", "boundary")
    assert "unnamed boundary" not in shipped("disc").regions


def test_bare_faces_are_those_that_regions_do_not_cover_together():
    mesh = bent("quad")
    assert mesh.bare([]) == ["left", "right", "unnamed boundary"]
    assert mesh.bare(["left"]) == ["right", "unnamed boundary"]
    assert mesh.bare(["boundary"]) == []
    assert shipped("two_materials").bare(["bottom", "top", "east", "west"]) == []
    points, cells = unit_box("quad")
    left, right = (facet_corners("quad", points, cells, 0, at) for at in (0.0, 1.0))
    both = Mesh(points, cells, "quad", faces={"left": left, "ends": np.concatenate([left, right])})
    assert both.bare(["ends"]) == ["unnamed boundary"]


def test_the_record_tells_meshes_apart_and_calls_the_network():
    from pinnml.domains import domain_from_json, same_domain

    first, again, other = shipped("disc"), shipped("disc"), shipped("l_shape")
    assert same_domain(first.to_json(), again.to_json())
    assert not same_domain(first.to_json(), other.to_json())
    points, cells = unit_box("triangle")
    moved = points.copy()
    moved[4, :2] += 1e-6
    pair = [Mesh(each, cells, "triangle").to_json() for each in (points, moved)]
    assert not same_domain(*pair)
    record = domain_from_json(first.to_json())
    assert record.to_json() == first.to_json()
    assert record.axes == first.axes
    assert np.array_equal(record.bounds, first.bounds)


def test_the_grid_is_the_mesh_with_cells_turned_the_way_vtk_has_them():
    for name in NAMES:
        mesh = shipped(name)
        grid = mesh.grid(7, mesh.axes.names, {})
        assert grid.cells is not None
        corners = grid.points[grid.cells]
        sides = corners[:, [1, 2, 3][: grid.points.shape[1]]] - corners[:, :1]
        if grid.cell_type in ("quad", "hexahedron"):
            sides = corners[:, [1, 3, 4][: grid.points.shape[1]]] - corners[:, :1]
        assert (np.linalg.det(sides) > 0).all()


def test_quality_of_regular_cells_is_one():
    assert Mesh(*unit_box("quad"), "quad").quality().smallest == pytest.approx(1)
    assert Mesh(*unit_box("hexahedron"), "hexahedron").quality().median == pytest.approx(1)
    equal = np.array([[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]])
    quality = Mesh(equal, [[0, 1, 2]], "triangle").quality()
    assert quality.smallest == pytest.approx(1)
    assert quality.shortest_edge == pytest.approx(quality.longest_edge)
    four = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])
    assert Mesh(four, [[0, 1, 2, 3]], "tetra").quality().smallest == pytest.approx(1)
    flat = equal * [1, 0.01]
    assert Mesh(flat, [[0, 1, 2]], "triangle").quality().smallest == pytest.approx(0.01, rel=1e-6)
    assert "3 nodes" in str(quality)


def test_arrays_that_are_given_are_left_as_they_were():
    mesh = meshio_mesh("triangle6")
    points, cells = mesh.points.copy(), mesh.cells[0].data.copy()
    points.flags.writeable = cells.flags.writeable = False
    parts, faces = {"all": np.arange(3)}, {"left": mesh.cells[1].data.copy()}
    Mesh(points, cells, "triangle6", parts=parts, faces=faces)
    assert np.array_equal(points, mesh.points)
    assert np.array_equal(faces["left"], mesh.cells[1].data)


def test_a_mesh_says_what_it_is():
    assert repr(shipped("disc")) == "Mesh(212 triangle6 cells over x, y; disc, rim)"
    assert repr(Mesh(*unit_box("quad"), "quad", axes="ab")) == "Mesh(4 quad cells over a, b; no named groups)"
