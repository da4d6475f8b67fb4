"""A mesh over time and for ranges of parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pinnml import Graded, Parameter, Periodic
from pinnml.domains import Mesh, MeshTimes, domain_from_json, same_domain
from pinnml.domains.rules import RULES
from pinnml.errors import DomainError, MeshError, UnknownNameError
from tests.helpers.made_meshes import unit_box
from tests.helpers.places import MESHES


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def over_time(name: str = "two_materials", **more) -> MeshTimes:
    return Mesh.read(MESHES / f"{name}.msh").times(t=(1, 3), **more)


def test_axes_and_regions_are_those_of_both():
    domain = over_time(nu=Parameter(0.5, 2))
    assert domain.axes.names == ("x", "y", "t", "nu")
    assert domain.axes.space == ("x", "y")
    assert domain.bounds.tolist() == [[0, 1], [0, 1], [1, 3], [0.5, 2]]
    assert domain.regions == (*domain.mesh.regions, "initial", "t=1", "t=3")
    names = {"initial": "t=min", "t=1": "t=min", "t = 3": "t=max", "t=max": "t=max", "left": "left"}
    assert {name: domain.region(name) for name in names} == names
    assert domain.has_normal("boundary")
    assert domain.has_normal("east")
    assert not domain.has_normal("t=min")
    assert not domain.has_normal("left")
    for wrong in ("t=2", "nu=0.5", "west wall", "x=0"):
        with pytest.raises(UnknownNameError, match="interface"):
            domain.region(wrong)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("region", ["interior", "left", "boundary", "interface", "t=min", "t=3"])
def test_weights_multiply_and_integrals_are_right(region, rule):
    domain = over_time(nu=Parameter(0.5, 2))
    n = 6000
    sample = domain.sample(region, n, seeded(), rule)
    space = domain.mesh.measure(region) if region in domain.mesh.regions else 1
    times = 1 if region.startswith("t") else 2
    assert float(sample.weight.sum()) == pytest.approx(space * times * 1.5, rel=1e-12)
    assert 0.5 * n < len(sample) < 2 * n
    t, nu = sample.x[:, 2], sample.x[:, 3]
    if region == "t=min":
        assert (t == 1).all()
    exact = {"interior": 0.5, "left": 0.125, "boundary": 2, "interface": 0.5}.get(region, 0.5)  # of x over space
    over = (26 / 3 if times == 2 else {"t=min": 1, "t=3": 9}[region]) * 1.875  # of t^2 nu over the others
    found = float(sample.weight @ (sample.x[:, 0] * t**2 * nu))
    spread = float((sample.x[:, 0] * t**2 * nu).std()) * space * times * 1.5
    assert found == pytest.approx(exact * over, abs=1e-10 if rule == "gauss" else 5 * spread / math.sqrt(n))
    if sample.normal is not None:
        assert sample.normal.shape == (len(sample), 2)


def test_every_point_has_a_time_of_its_own_that_knows_nothing_of_its_place():
    sample = over_time().sample("interior", 4096, seeded(), "sobol")
    assert len(torch.unique(sample.x[:, 2])) == 4096
    # the counts in 4 x 4 x 4 boxes are even: places and times are of one sequence, not of two that go together
    counts = np.histogramdd(sample.x.numpy(), bins=4, range=[(0, 1), (0, 1), (1, 3)])[0]
    assert np.abs(counts - 64).max() < 16
    random = over_time().sample("interior", 4096, seeded(), "random").x.numpy()
    assert np.abs(np.histogramdd(random, bins=4, range=[(0, 1), (0, 1), (1, 3)])[0] - 64).std() > np.std(counts)


def test_chebyshev_points_gather_at_both_ends_of_time():
    time = over_time().sample("interior", 8000, seeded(), "chebyshev").x[:, 2].numpy()
    for low, high in ((1, 1.1), (2.9, 3), (1.9, 2.1)):  # the arcsine law: a share of arcsin differences
        ends = np.arcsin((np.array([low, high]) - 2).clip(-1, 1)) / math.pi
        assert np.mean((low <= time) & (time <= high)) == pytest.approx(float(np.diff(ends)[0]), abs=0.02)
    periodic = Mesh.read(MESHES / "disc.msh").times(t=Periodic(0, 1))
    even = periodic.sample("interior", 8000, seeded(), "chebyshev").x[:, 2].numpy()
    assert np.mean(even < 0.05) == pytest.approx(0.05, abs=0.01)
    assert periodic.periodic == ("t",)
    graded = Mesh.read(MESHES / "disc.msh").times(t=Graded(0, 1, 0, 0.01))
    sample = graded.sample("interior", 8000, seeded(), "sobol")
    assert float(sample.x[:, 2].median()) < 0.15
    assert float(sample.weight @ sample.x[:, 2]) == pytest.approx(math.pi / 2, rel=0.02)


def test_shares_are_those_of_a_box_with_equal_sides():
    domain = over_time()
    total = 2 * 3 * math.sqrt(1000)
    assert domain.shares("interior", 1000) == 1000
    assert domain.shares("left", 1000) == 500
    assert domain.shares("t=min", 1000) == round(total / 5)
    assert domain.shares("boundary", 1000) == round(total * 4 / 5)
    assert domain.shares("east", 1000) == round(total / 5)


def test_a_grid_at_an_instant_is_the_mesh():
    domain = over_time("disc", nu=Parameter(0, 1))
    grid = domain.grid(5, ("x", "y"), {"t": 2.0, "nu": 0.25})
    alone = domain.mesh.grid(5, ("x", "y"), {})
    assert np.array_equal(grid.points[:, :2], alone.points)
    assert (grid.points[:, 2:] == [2, 0.25]).all()
    assert grid.cells is not None
    assert alone.cells is not None
    assert np.array_equal(grid.cells, alone.cells)
    with pytest.raises(MeshError, match="one grid"):
        domain.grid(5, ("x", "t"), {"y": 0.0, "nu": 0.5})


@pytest.mark.parametrize("kind", ["line", "line3"])
def test_lines_over_time_are_quadrilaterals(kind):
    points, cells = unit_box(kind, 3)
    domain = Mesh(points, cells, kind).times(t=(0, 2), nu=Parameter(1, 2))
    grid = domain.grid(5, ("x", "t"), {"nu": 1.5})
    assert (grid.points[:, 2] == 1.5).all()
    assert grid.cells is not None
    assert grid.cells.shape == (12, 4)
    x, t = grid.points[grid.cells][:, :, 0], grid.points[grid.cells][:, :, 1]
    area = 0.5 * np.abs((x * np.roll(t, -1, 1) - np.roll(x, -1, 1) * t).sum(axis=1))
    assert area.sum() == pytest.approx(2)
    assert np.allclose(area, 1 / 6)


def test_axes_that_cannot_be_multiplied_are_refused():
    mesh = Mesh.read(MESHES / "disc.msh")
    for axes in ({}, {"z": (0, 1)}, {"x": Parameter(0, 1)}, {"nu": (0, 1)}):
        with pytest.raises(MeshError, match="time and by parameters"):
            mesh.times(**axes)
    with pytest.raises(DomainError, match="low < high"):
        mesh.times(t=(1, 0))
    points, cells = unit_box("triangle")
    clash = Mesh(points, cells, "triangle", parts={"t=0": [0]})
    with pytest.raises(MeshError, match="t=0"):
        clash.times(t=(0, 1))
    with pytest.raises(MeshError, match="'t' already"):
        mesh.times(t=(0, 1)).times(t=(0, 2))


def test_axes_may_come_one_after_the_other():
    mesh = Mesh.read(MESHES / "disc.msh")
    both, one_by_one = (
        mesh.times(t=(0, 1), nu=Parameter(1, 2)),
        mesh.times(t=(0, 1)).times(nu=Parameter(1, 2)),
    )
    assert one_by_one.axes == both.axes
    assert np.array_equal(one_by_one.bounds, both.bounds)


def test_the_record_holds_the_mesh_and_the_times():
    first, other = over_time("disc"), Mesh.read(MESHES / "disc.msh").times(t=(1, 4))
    assert same_domain(first.to_json(), over_time("disc").to_json())
    assert not same_domain(first.to_json(), other.to_json())
    assert not same_domain(first.to_json(), first.mesh.to_json())
    record = domain_from_json(first.to_json())
    assert record.axes == first.axes
    assert np.array_equal(record.bounds, first.bounds)
    with pytest.raises(MeshError, match="problem="):
        record.sample("interior", 5, seeded())


def test_the_product_says_what_it_is():
    assert repr(over_time("disc")) == "Mesh(212 triangle6 cells over x, y; disc, rim) x Box(t=(1, 3))"
