"""Points on meshes: as dense as they are said to be, with weights that sum to the measure, the same for a seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pinnml.domains import Mesh
from pinnml.domains.meshes.files.kinds import FILE_KINDS
from pinnml.domains.meshes.sampling import in_reference
from pinnml.domains.rules import RULES
from pinnml.errors import DomainError, MeshError, UnknownNameError
from tests.helpers.made_meshes import KIND_NAMES, bend, facet_corners, unit_box
from tests.helpers.places import MESHES

#: Points for statistics: means are good to 4 / sqrt(N) of a standard deviation, which is below 1 in all of these.
MANY = 20_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bent(kind: str) -> Mesh:
    points, cells = unit_box(kind)
    dimension = FILE_KINDS[kind].dimension
    left = facet_corners(kind, points, cells, 0, 0.0)
    half = np.flatnonzero(points[cells].mean(axis=1)[:, 0] < 0.5)
    return Mesh(bend(points, dimension), cells, kind, parts={"half": half}, faces={"left": left})


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", KIND_NAMES)
def test_weights_are_positive_and_sum_to_the_measure(kind, rule):
    mesh = bent(kind)
    for region in mesh.regions:
        sample = mesh.sample(region, 300, seeded(), rule)
        # gauss is a quadrature and no more: on a curved facet, whose length is no polynomial, it is good to 1e-3 here
        assert float(sample.weight.sum()) == pytest.approx(mesh.measure(region), rel=1e-3 if rule == "gauss" else 1e-12)
        assert float(sample.weight.min()) > 0
        assert (sample.normal is not None) == mesh.has_normal(region)
        assert sample.x.dtype == sample.weight.dtype == torch.float64
        assert sample.x.shape == (len(sample), mesh.cells.kind.dimension)


@pytest.mark.parametrize("rule", ["random", "sobol", "chebyshev"])
@pytest.mark.parametrize("name", ["disc", "l_shape", "two_materials", "cube", "cube_hexes", "plate_with_hole"])
def test_means_of_many_points_are_the_integrals(name, rule):
    mesh = Mesh.read(MESHES / f"{name}.msh")
    for region in mesh.regions:
        sample, exact = mesh.sample(region, 4000, seeded(), rule), mesh.sample(region, 4000, seeded(), "gauss")
        for function in (lambda x: x[:, 0], lambda x: x[:, 1] ** 2, lambda x: torch.sin(3 * x[:, 0] * x[:, 1])):
            found, known = (float(each.weight @ function(each.x)) for each in (sample, exact))
            assert found == pytest.approx(known, abs=4 / math.sqrt(4000) * mesh.measure(region))


@pytest.mark.parametrize("rule", ["random", "sobol"])
def test_random_points_are_as_dense_everywhere(rule):
    # cells of very different size: the share of points in a quarter is the quarter of the measure
    points, cells = unit_box("triangle", 6)
    points[:, :2] **= 2
    mesh = Mesh(points, cells, "triangle")
    x = mesh.sample("interior", MANY, seeded(), rule).x
    counts = np.histogram2d(x[:, 0], x[:, 1], bins=4, range=[[0, 1], [0, 1]])[0] / MANY
    assert np.abs(counts - 1 / 16).max() < (4 * math.sqrt(1 / 16 / MANY) if rule == "random" else 2e-3)


def test_low_discrepancy_points_integrate_better_than_random_ones():
    mesh = Mesh.read(MESHES / "l_shape.msh")
    errors = {}
    for rule in ("random", "sobol"):
        samples = [mesh.sample("interior", 1024, seeded(seed), rule) for seed in range(8)]
        errors[rule] = np.sqrt(np.mean([float(each.weight @ each.x[:, 0] ** 2 - 1) ** 2 for each in samples]))
    assert errors["sobol"] < errors["random"] / 3


def test_chebyshev_points_gather_at_the_boundary_as_one_over_the_root_of_the_distance():
    # on the disc the density at radius r is 1 / sqrt(1 - r), 8 / 3 in the mean, and is cut off at 8 times that
    mesh = Mesh.read(MESHES / "disc.msh")
    sample = mesh.sample("interior", MANY, seeded(), "chebyshev")
    radius = torch.linalg.vector_norm(sample.x, dim=1).numpy()
    r = np.linspace(0, 1, 200_001)[:-1] + 2.5e-6
    density = r * np.minimum(1 / np.sqrt(1 - r), 8 * 8 / 3)
    assert np.mean(radius > 0.9) == pytest.approx(density[r > 0.9].sum() / density.sum(), abs=0.02)
    uniform = torch.linalg.vector_norm(mesh.sample("interior", MANY, seeded(), "sobol").x, dim=1).numpy()
    assert np.mean(uniform > 0.9) == pytest.approx(0.19, abs=0.01)
    assert len(torch.unique(sample.x, dim=0)) == len(sample)


@pytest.mark.parametrize("shape", ["triangle", "tetrahedron"])
def test_the_unit_cube_is_carried_to_a_simplex_without_change_of_density(shape):
    dimension = {"triangle": 2, "tetrahedron": 3}[shape]
    places = in_reference(shape, torch.rand((MANY, dimension), generator=seeded(), dtype=torch.float64).numpy())
    assert places.min() >= 0
    assert places.sum(axis=1).max() <= 1 + 1e-15
    # moments of the uniform density on the simplex: E x_i = 1 / (s + 1), E x_i x_j = (1 + [i = j]) / ((s + 1)(s + 2))
    second = (1 + np.eye(dimension)) / ((dimension + 1) * (dimension + 2))
    assert np.abs(places.mean(axis=0) - 1 / (dimension + 1)).max() < 2 / math.sqrt(MANY)
    assert np.abs(places.T @ places / MANY - second).max() < 2 / math.sqrt(MANY)


@pytest.mark.parametrize("rule", RULES)
def test_seeds_repeat_and_others_differ(rule):
    mesh = Mesh.read(MESHES / "cube.msh")
    first, again, other = (mesh.sample("interior", 64, seeded(seed), rule).x for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (rule == "gauss")
    assert torch.equal(mesh.held_out("left", 9, seeded()).x, mesh.sample("left", 9, seeded(), "random").x)


@pytest.mark.parametrize("n", [1, 7, 100, 1000, 5000])
def test_about_as_many_points_come_as_were_asked_for(n):
    mesh = Mesh.read(MESHES / "two_materials.msh")
    cells = len(mesh.cells)
    for rule in ("random", "sobol"):
        assert len(mesh.sample("interior", n, seeded(), rule)) == n
    assert len(mesh.sample("interior", n, seeded(), "grid")) == n or n >= cells
    assert max(n / 1.1 - 1, 1) - 0.2 * n <= len(mesh.sample("interior", n, seeded(), "chebyshev")) <= n + 1
    assert cells <= len(mesh.sample("interior", n, seeded(), "gauss")) <= max(cells, 2 * n)


def test_faces_and_parts_share_the_points_by_their_measure():
    mesh = Mesh.read(MESHES / "two_materials.msh")
    assert mesh.shares("interior", 1000) == 1000
    assert mesh.shares("left", 1000) == 500
    assert mesh.shares("boundary", 1000) == round(4 * math.sqrt(1000))
    assert mesh.shares("east", 1000) == mesh.shares("interface", 1000) == round(math.sqrt(1000))
    front = Mesh.read(MESHES / "bracket.msh")  # the load has 4 % of the boundary, but half of an equal share at least
    assert front.shares("load", 1000) == round(6 * math.sqrt(1000) / 8)
    points, cells = unit_box("line")
    assert Mesh(points, cells, "line").shares("boundary", 1000) == 2


def test_the_ends_of_lines_are_points_with_normals():
    points, cells = unit_box("line3", 3)
    mesh = Mesh(points, cells, "line3", faces={"right": [[len(points[:4]) - 1]]})
    for rule in RULES:
        sample = mesh.sample("boundary", 10, seeded(), rule)
        assert sample.normal is not None
        ends = torch.stack([sample.x[:, 0], sample.normal[:, 0]], dim=1)[sample.x[:, 0].argsort()]
        assert torch.allclose(ends, torch.tensor([[0, -1], [1, 1]], dtype=torch.float64), atol=1e-15)
    assert mesh.sample("right", 5, seeded()).x.tolist() == [[1.0]]


def test_points_that_cannot_be_are_refused():
    mesh = Mesh.read(MESHES / "disc.msh")
    with pytest.raises(DomainError, match="no points"):
        mesh.sample("interior", 0, seeded())
    with pytest.raises(UnknownNameError, match="sampling rule"):
        mesh.sample("interior", 10, seeded(), "hammersley")
    with pytest.raises(MeshError, match="one grid"):
        mesh.grid(5, ("x",), {"y": 0.0})
