"""Boxes: regions, measures, normals, embeddings, grids."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from pinnml import Box, Parameter, Parts, Periodic, Points
from pinnml.calculus import Jet, coordinate_jets, total_order
from pinnml.domains import Graded, domain_from_json
from pinnml.domains.rules import RULES
from pinnml.errors import DomainError, UnknownNameError
from pinnml.output import Snapshot
from tests.helpers.truth import assert_close

BOXES = {
    "line": Box(x=(-1, 2)),
    "plane": Box(x=(0, 1), y=(-2, 0.5)),
    "space": Box(x=(0, 2), y=(1, 1.5), z=(-1, 0)),
    "heat": Box(x=(0, 3), t=(0, 0.5)),
    "time alone": Box(t=(1, 4)),
    "ring in time": Box(x=Periodic(0, 2 * math.pi), t=(0, 2)),
    "tube": Box(t=(0, 2), x=Periodic(0, 3), y=(0, 0.25)),
    "family": Box(x=(0, 1), k=Parameter(1, 5), y=(0, 2), t=(0, 3)),
    "layer": Box(x=Graded(-1, 1, at=0.25, width=0.05), y=(0, 2)),
    "parts": Box(x=Parts(-1, 0, 0.3, 1), y=(0, 2), t=(0, 1)),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def measure(box: Box, region: str) -> float:
    """By hand: the product of the extents, those of a face without its own axis; the boundary is all faces of space."""
    extent = dict(zip(box.axes.names, np.diff(box.bounds, axis=1)[:, 0], strict=True))
    if region in ("boundary", "interface"):
        faces = [face for face in box.regions if "=" in face and face[0] != "t"]
        return sum(measure(box, face) for face in faces if box.has_two_sides(face) == (region == "interface"))
    fixed = "t" if region == "initial" else region.partition("=")[0]
    return math.prod(length for name, length in extent.items() if name != fixed)


REGIONS = [(name, region) for name, box in BOXES.items() for region in box.regions]


# Samples


@pytest.mark.parametrize(("name", "region"), REGIONS)
@pytest.mark.parametrize("rule", RULES)
def test_weights_sum_to_the_measure_of_the_region(name, region, rule):
    box = BOXES[name]
    for n in (1, 50):
        sample = box.sample(region, n, seeded(), rule)
        assert float(sample.weight.sum()) == pytest.approx(measure(box, region), rel=1e-13)
        assert len(sample.weight) == len(sample) == len(sample.x)
        assert sample.x.dtype == sample.weight.dtype == torch.float64


@pytest.mark.parametrize(("name", "region"), REGIONS)
def test_points_lie_in_their_region(name, region):
    box, tiny = BOXES[name], 1e-14
    x, low, high = box.sample(region, 60, seeded()).x, *torch.from_numpy(box.bounds).unbind(1)
    assert bool(((x >= low - tiny) & (x <= high + tiny)).all())
    if "=" in region:
        axis, end = region.split("=")
        assert bool((x[:, box.axes.position(axis)] == float(end)).all())
    if region == "initial":
        assert bool((x[:, box.axes.position("t")] == box.bounds[box.axes.position("t"), 0]).all())


@pytest.mark.parametrize("name", [name for name, box in BOXES.items() if "boundary" in box.regions])
def test_normals_are_unit_vectors_of_space_that_point_out(name):
    box = BOXES[name]
    sample = box.sample("boundary", 80, seeded())
    columns = [box.axes.position(axis) for axis in box.axes.space]
    assert sample.normal is not None
    assert sample.normal.shape == (len(sample), len(columns))
    assert torch.equal(torch.linalg.vector_norm(sample.normal, dim=1), torch.ones(len(sample), dtype=torch.float64))
    low, high = torch.from_numpy(box.bounds[columns]).unbind(1)
    for step, inside in ((1e-9, False), (-1e-9, True)):
        x = sample.x[:, columns] + step * sample.normal
        assert bool((((x > low) & (x < high)) | (sample.normal == 0)).all(dim=1).eq(inside).all())
    for face in (region for region in box.regions if "=" in region):
        assert box.has_normal(face) == (box.sample(face, 5, seeded()).normal is not None) == (face[0] != "t")
    assert not box.has_normal("interior")
    assert box.sample("interior", 5, seeded()).normal is None


@pytest.mark.parametrize("name", ["line", "plane", "space", "layer"])
def test_the_divergence_theorem_holds_for_the_weights_and_normals_of_a_box(name):
    box, count = BOXES[name], 24 ** len(BOXES[name].axes.names)
    interior, boundary = (box.sample(region, count, seeded(), "gauss") for region in ("interior", "boundary"))
    assert boundary.normal is not None

    def flux(x: torch.Tensor) -> torch.Tensor:
        return x**3 + x.prod(dim=1, keepdim=True)

    def divergence(x: torch.Tensor) -> torch.Tensor:
        others = [torch.cat([x[:, :i], x[:, i + 1 :]], dim=1).prod(dim=1) for i in range(x.shape[1])]
        return (3 * x**2).sum(dim=1) + sum(others)

    inside = float((interior.weight * divergence(interior.x)).sum())
    through = float((boundary.weight * (flux(boundary.x) * boundary.normal).sum(dim=1)).sum())
    assert inside == pytest.approx(through, rel=1e-12)


def test_gauss_points_integrate_over_a_face_and_over_a_periodic_axis():
    box = BOXES["tube"]
    sample = box.sample("y=max", 100, seeded(), "gauss")
    t, x, y = sample.x.unbind(1)
    found = float((sample.weight * t**5 * (1 + torch.cos(2 * math.pi * x / 3)) ** 2 * y).sum())
    assert found == pytest.approx(2**6 / 6 * 3 * 1.5 * 0.25, rel=1e-13)


def test_graded_points_gather_at_their_layer_and_still_integrate():
    width = 1e-3
    found = {}
    for name, axis in (("graded", Graded(0, 1, at=0.5, width=width)), ("plain", (0, 1))):
        sample = Box(x=axis).sample("interior", 200, seeded(), "gauss")
        distance = sample.x[:, 0] - 0.5
        found[name] = float((sample.weight * width / (distance**2 + width**2)).sum())
        assert (float((distance.abs() < 10 * width).double().mean()) > 0.2) == (name == "graded")
    exact = 2 * math.atan(0.5 / width)
    assert found["graded"] == pytest.approx(exact, rel=1e-12)
    assert abs(found["plain"] - exact) > 0.1


@pytest.mark.parametrize("name", BOXES)
def test_held_out_points_are_others_than_those_of_training(name):
    box, generator = BOXES[name], seeded()
    training, judged = box.sample("interior", 40, generator), box.held_out("interior", 40, generator)
    assert len(judged) == 40
    assert float(torch.cdist(training.x, judged.x).min()) > 0
    assert float(judged.weight.sum()) == pytest.approx(measure(box, "interior"), rel=1e-13)


def test_samples_are_repeatable_by_their_seed():
    for rule in ("random", "sobol", "chebyshev"):
        a, b, c = (BOXES["family"].sample("boundary", 40, seeded(seed), rule) for seed in (3, 3, 4))
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.weight, b.weight)
        assert not torch.equal(a.x, c.x)


@pytest.mark.parametrize("region", ["interior", "boundary", "x=0"])
def test_no_points_are_refused(region):
    with pytest.raises(DomainError, match="no points"):
        BOXES["plane"].sample(region, 0, seeded())


def test_an_unknown_rule_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'gauss'"):
        BOXES["plane"].sample("boundary", 9, seeded(), "gaus")


# Shares


@pytest.mark.parametrize("name", ["plane", "space", "heat", "ring in time", "tube", "family"])
def test_faces_share_by_their_measure_and_none_is_forgotten(name):
    box, points = BOXES[name], 900
    faces = [face for face in box.regions if "=" in face and box.region(face) != "t=max"]
    shares = {face: box.shares(box.region(face), points) for face in faces}
    total = 2 * len(box.axes.names) * 30
    assert box.shares("interior", points) == points
    assert 0.99 * total <= sum(shares.values()) <= 1.5 * total
    for face, share in shares.items():
        part = measure(box, face) / sum(measure(box, other) for other in faces)
        assert share == pytest.approx(total * max(part, 0.5 / len(faces)), abs=0.51)
    if "boundary" in box.regions:
        assert box.shares("boundary", points) == sum(share for face, share in shares.items() if face[0] != "t")


def test_a_face_that_is_a_point_gets_one_point():
    assert BOXES["line"].shares("x=min", 1000) == 1
    assert BOXES["line"].shares("boundary", 1000) == 2
    ends = BOXES["line"].sample("boundary", 2, seeded())
    assert ends.x.tolist() == [[-1.0], [2.0]]
    assert ends.weight.tolist() == [1.0, 1.0]


# Names of regions


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("x=0", "x=min"),
        ("x=3", "x=max"),
        ("x = 3.0", "x=max"),
        ("x=min", "x=min"),
        (" x=max ", "x=max"),
        ("x=3e0", "x=max"),
        ("x=2.9999999999999996", "x=max"),
        ("t=0", "t=min"),
        ("t=0.5", "t=max"),
        ("initial", "t=min"),
        ("interior", "interior"),
        ("boundary", "boundary"),
    ],
)
def test_a_region_has_one_canonical_name(given, canonical):
    assert BOXES["heat"].region(given) == canonical


@pytest.mark.parametrize("box", [Box(x=(0.1, 1 / 3)), Box(x=(-1e-9, 1e12)), Box(x=(-2 * math.pi, math.e))])
def test_the_names_that_a_box_lists_are_understood(box):
    assert [box.region(name) for name in box.regions] == ["interior", "boundary", "x=min", "x=max"]


@pytest.mark.parametrize("name", ["x=0.5", "x=3.00000001", "x=nan", "x=", "x", "y=0", "final", "", "x=0=0"])
def test_an_unknown_region_is_listed_with_those_there_are(name):
    with pytest.raises(UnknownNameError, match=r"one of boundary, initial, interior, t=0, t=0.5, x=0, x=3"):
        BOXES["heat"].region(name)


def test_a_misspelt_region_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean 'boundary'"):
        BOXES["heat"].sample("bondary", 5, seeded())


def test_regions_are_those_that_the_axes_allow():
    assert BOXES["family"].regions == ("interior", "boundary", "initial", "x=0", "x=1", "y=0", "y=2", "t=0", "t=3")
    assert BOXES["ring in time"].regions == ("interior", "initial", "t=0", "t=2")
    assert BOXES["time alone"].regions == ("interior", "initial", "t=1", "t=4")
    assert Box(x=Periodic(0, 1)).regions == ("interior",)
    for name, wrong in (("family", "k=1"), ("ring in time", "x=0"), ("ring in time", "boundary"), ("line", "initial")):
        with pytest.raises(UnknownNameError):
            BOXES[name].region(wrong)


def test_time_and_parameters_are_not_space():
    assert BOXES["family"].axes.names == ("x", "k", "y", "t")
    assert BOXES["family"].axes.space == ("x", "y")
    assert BOXES["time alone"].axes.space == ()
    assert BOXES["family"].bounds.tolist() == [[0, 1], [1, 5], [0, 2], [0, 3]]


@pytest.mark.parametrize(
    "build",
    [
        lambda: Box(),
        lambda: Box(x=(1, 0)),
        lambda: Box(x=(1, 1)),
        lambda: Box(x=(0, math.inf)),
        lambda: Box(x=(math.nan, 1)),
        lambda: Box(x=(0, 1, 2)),
        lambda: Box(x=5),  # pyright: ignore
        lambda: Box(x="01"),  # pyright: ignore
        lambda: Box(x=(0, "one")),  # pyright: ignore
        lambda: Box(x=(None, 1)),  # pyright: ignore
        lambda: Periodic(2, 2),
        lambda: Parameter(0, -1),
        lambda: Graded(0, 1, at=0, width=0),
    ],
)
def test_an_axis_that_cannot_be_is_refused(build):
    with pytest.raises(DomainError):
        build()


# The embedding


def pushed(box: Box, x: torch.Tensor, order: int) -> Jet:
    """Some function of the inputs of a network."""
    names = box.axes.names
    jets = dict(zip(names, coordinate_jets(total_order(box.axes, order), x), strict=True))
    inputs = box.scaled(jets)
    total = inputs[0].constant(0.3)
    for k, value in enumerate(inputs):
        total = total + torch.sin((k + 1.7) * value + 0.4 * total) * (value + 0.2)
    return total


def test_fields_and_their_derivatives_meet_at_the_ends_of_a_periodic_axis():
    box = Box(x=Periodic(0.3, 2.1), y=(0, 1), t=Periodic(-1, 1))
    x = box.sample("interior", 9, seeded()).x
    for axis, (low, high) in ((0, (0.3, 2.1)), (2, (-1, 1))):
        ends = []
        for end in (low, high):
            x[:, axis] = end
            ends.append(pushed(box, x, 4).coefficients)
        for first, last in zip(*ends, strict=True):
            assert_close(first, last, 1e-13)
    open_box = Box(x=(0.3, 2.1), y=(0, 1), t=(-1, 1))
    values = [pushed(open_box, torch.tensor([[end, 0.5, 0.0]]), 0).value for end in (0.3, 2.1)]
    assert abs(float(values[0] - values[1])) > 1e-2


@pytest.mark.parametrize("domain", [*BOXES.values(), Points({"x": np.arange(5.0), "t": np.array([2, 3, 5, 4, 9.0])})])
def test_inputs_fill_the_unit_box(domain):
    x = torch.from_numpy(domain.bounds).T.contiguous()
    jets = dict(zip(domain.axes.names, coordinate_jets(total_order(domain.axes, 1), x), strict=True))
    inputs = domain.scaled(jets)
    periodic = sum("Periodic" in str(kind) for kind in domain.to_json().get("box", {}).values())
    parts = len({face.partition("=")[0] for face in getattr(domain, "interfaces", ())})
    assert len(inputs) == len(domain.axes.names) + periodic + parts
    if not periodic and not parts:
        for name, unit in zip(domain.axes.names, inputs, strict=True):
            low, high = domain.bounds[domain.axes.position(name)]
            assert_close(unit.value, torch.tensor([0.0, 1.0], dtype=torch.float64), 1e-15)
            assert_close(unit.d(name).value, torch.full((2,), 1 / (high - low), dtype=torch.float64), 1e-15)


# Records


@pytest.mark.parametrize("box", BOXES.values())
def test_a_box_comes_back_from_its_record(box):
    again = domain_from_json(json.loads(json.dumps(box.to_json())))
    assert repr(again) == repr(box)
    assert again.to_json() == box.to_json()
    assert again.regions == box.regions
    assert again.axes == box.axes
    sample, other = (b.sample("interior", 9, seeded()).x for b in (box, again))
    assert torch.equal(sample, other)


# Grids

SIZES = {1: "Length", 2: "Area", 3: "Volume"}


@pytest.mark.parametrize("axes", [("x",), ("x", "y"), ("y", "z"), ("x", "y", "z")])
def test_grid_cells_fill_the_box_and_are_not_inside_out(axes):
    box, middle = BOXES["space"], {"x": 1.0, "y": 1.25, "z": -0.5}
    grid = box.grid(5, axes, middle)
    columns = [box.axes.position(axis) for axis in axes]
    assert grid.points.shape == (5 ** len(axes), 3)
    assert grid.axes == axes
    for axis in set(box.axes.names) - set(axes):
        assert set(grid.points[:, box.axes.position(axis)]) == {middle[axis]}
    mesh = Snapshot(grid.points[:, columns], grid.cells, grid.cell_type).to_pyvista()
    sizes = mesh.compute_cell_sizes()[SIZES[len(axes)]]
    extent = np.diff(box.bounds[columns], axis=1).prod()
    assert len(sizes) == 4 ** len(axes)
    assert np.allclose(sizes, extent / len(sizes), rtol=1e-12)
    if len(axes) == 2:  # areas bear no sign: the corners must go round anticlockwise
        corner = grid.points[:, columns][grid.cells]
        (a, b), (c, d) = (corner[:, 1] - corner[:, 0]).T, (corner[:, 3] - corner[:, 0]).T
        assert (a * d - b * c > 0).all()


def test_inside_out_hexahedra_have_negative_volume():
    grid = BOXES["space"].grid(3, ("x", "y", "z"), {})
    assert grid.cells is not None
    turned = Snapshot(grid.points, grid.cells[:, [4, 5, 6, 7, 0, 1, 2, 3]], grid.cell_type)
    assert turned.to_pyvista().compute_cell_sizes()["Volume"].max() < 0


# Parts


def test_an_axis_in_parts_has_interfaces_for_regions():
    box = BOXES["parts"]
    assert box.interfaces == ("x=0", "x=0.3")
    assert {"interface", *box.interfaces} <= {*box.regions}
    assert box.region("x = 0.30") == "x=0.3"
    assert [name for name in box.regions if box.has_two_sides(name)] == ["interface", "x=0", "x=0.3"]
    assert domain_from_json(json.loads(json.dumps(box.to_json()))).region("x=0.3") == "x=0.3"
    with pytest.raises(UnknownNameError):
        box.region("x=0.4")


@pytest.mark.parametrize("numbers", [(0, 1), (0, 0.5, 0.5), (1, 0.5, 0), (0, math.nan, 1)])
def test_parts_are_said_by_three_ascending_numbers_or_more(numbers):
    with pytest.raises(DomainError):
        Parts(*numbers)


def test_time_has_no_parts():
    with pytest.raises(DomainError, match="time in parts"):
        Box(x=(0, 1), t=Parts(0, 1, 2))


def test_gauss_points_integrate_a_function_that_jumps_where_parts_meet():
    sample = Box(x=Parts(0, 0.1, 1), y=(0, 1)).sample("interior", 200, seeded(), "gauss")
    x, y = sample.x.unbind(1)
    found = float((sample.weight * torch.where(x < 0.1, y**2, x)).sum())
    assert found == pytest.approx(0.1 / 3 + (1 - 0.01) / 2, rel=1e-13)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("place", [-1e-9, 0.0, 1 / 3, 1e12])
def test_the_sides_of_an_interface_are_told_apart_by_every_condition(dtype, place):
    box = Box(x=Parts(place - 1, place, place + 1), y=(0, 1))
    pairs = box.sample("interface", 20, seeded()).both_sides(box.axes).to("cpu", dtype)
    assert len(pairs) == 40
    assert float(pairs.weight.sum()) == pytest.approx(1, rel=1e-6)
    before, behind = pairs.x.unflatten(0, (-1, 2)).unbind(1)
    assert bool((before[:, 0] < place).all())
    assert bool((behind[:, 0] > place).all())
    assert torch.equal(before[:, 1], behind[:, 1])
    assert bool(((behind - before)[:, 0] <= 1e-4 * max(abs(place), 1)).all())
