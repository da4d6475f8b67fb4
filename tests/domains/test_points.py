"""Scattered points: what is held out, drawn, kept and refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from pinnml import Points
from pinnml.domains import domain_from_json
from pinnml.errors import DomainError, ShapeError, UnknownNameError

SCATTERED = Points({"x": np.linspace(0, 1, 50), "t": np.linspace(2, 3, 50) ** 2}, {"u": np.arange(50)})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_tenth_of_the_points_is_held_out_and_never_trained_on():
    training, judged = (
        SCATTERED.sample("interior", 1000, seeded()),
        SCATTERED.held_out("interior", 1000, seeded(5)),
    )
    assert (len(training), len(judged), len(SCATTERED)) == (45, 5, 50)
    rows = [set(sample.columns["u"].int().tolist()) for sample in (training, judged)]
    assert rows[0] | rows[1] == set(range(50))
    assert not rows[0] & rows[1]
    for sample in (training, judged, SCATTERED.all()):
        assert float(sample.weight.sum()) == pytest.approx(1, rel=1e-14)
        assert torch.equal(sample.x[:, 0], SCATTERED.all().x[:, 0][sample.columns["u"].long()])


def test_few_points_are_not_split():
    few = Points({"x": np.arange(19.0)})
    assert len(few.sample("interior", 99, seeded())) == len(few.held_out("interior", 99, seeded())) == 19


def test_fewer_points_are_drawn_at_random_and_repeatably():
    a, b, c = (SCATTERED.sample("interior", 10, seeded(seed)).columns["u"] for seed in (1, 1, 2))
    assert len(a) == 10
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert not set(a.tolist()) & set(SCATTERED.held_out("interior", 9, seeded()).columns["u"].tolist())


def test_scattered_points_have_one_region_and_no_boundary():
    assert SCATTERED.regions == (SCATTERED.region("interior"),) == ("interior",)
    assert SCATTERED.shares("interior", 7) == 50
    assert not SCATTERED.has_normal("interior")
    assert SCATTERED.axes.space == ("x",)
    with pytest.raises(UnknownNameError, match="one of interior"):
        SCATTERED.region("boundary")
    grid = SCATTERED.grid(9, ("x", "t"), {})
    assert grid.cells is None
    assert np.array_equal(grid.points, SCATTERED.all().x.numpy())


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: Points({}), ShapeError, "one length"),
        (lambda: Points({"x": [1.0, 2.0]}, {"u": [1.0]}), ShapeError, "'x': 2, 'u': 1"),
        (lambda: Points({"x": np.zeros((3, 1))}), ShapeError, r"shape \(3, 1\)"),
        (lambda: Points({"x": []}), DomainError, "at least 1"),
        (lambda: Points({"x": [1.0, math.nan]}), DomainError, "'x' holds NaN"),
        (lambda: Points({"x": [1.0]}, {"u": [math.inf]}), DomainError, "'u' holds NaN"),
        (lambda: SCATTERED.sample("interior", 0, seeded()), DomainError, "no points"),
    ],
)
def test_columns_that_cannot_be_are_refused(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_a_sample_can_be_cut_and_moved_with_its_columns():
    points = Points({"x": np.arange(4.0)}, {"real": np.arange(4), "wave": 1j * np.arange(4)})
    sample = points.all()[1:3].to("cpu", torch.float32)
    assert {name: column.dtype for name, column in sample.columns.items()} == {
        "real": torch.float32,
        "wave": torch.complex64,
    }
    assert sample.x[:, 0].tolist() == sample.columns["real"].tolist() == [1.0, 2.0]
    assert sample.normal is None


def test_scattered_points_come_back_as_their_bounding_box():
    points = Points({"x": [3.0, 1.0, 2.0], "t": [0.0, 0.0, 5.0]}, {"u": [1.0, 2.0, 3.0]})
    again = domain_from_json(json.loads(json.dumps(points.to_json())))
    assert again.bounds.tolist() == points.bounds.tolist() == [[1, 3], [0, 5]]
    assert again.axes == points.axes
