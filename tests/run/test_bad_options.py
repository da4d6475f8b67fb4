"""Options that cannot be are refused by name, before any work is done, with what was expected, what came and a cure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pinnml import (
    KAN,
    LBFGS,
    LSGD,
    MLP,
    Adam,
    Box,
    Equation,
    Features,
    LevenbergMarquardt,
    Multilevel,
    Parameter,
    Periodic,
    Points,
    Problem,
    Recipe,
    Wrapped,
    laplacian,
    solve,
)
from pinnml.domains import Graded
from pinnml.errors import DeviceError, DomainError, PinnmlError, ProblemError, SettingsError, ShapeError
from pinnml.solvers import Schedule
from pinnml.validation import finite, flag, fraction, not_negative, or_none, positive, whole_number

SMALL = Features(20, bandwidth=4.0)
WALL = Equation(lambda u: u, on="boundary", name="wall")


def rod(**changes: Any) -> Problem:
    bend = Equation(lambda u: laplacian(u) + 1, name="bend")
    return Problem(**{"domain": Box(x=(0, 1)), "fields": ("u",), "equations": (bend, WALL), **changes})


def assert_refused(action: Callable[[], object], kind: type[PinnmlError], *, cure: str = "") -> None:
    with pytest.raises(kind) as caught:
        action()
    assert caught.value.expected is not None
    assert caught.value.got is not None
    assert caught.value.cure
    assert cure in caught.value.cure


# What `solve` is given


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ({"points": 300.0}, "write 300"),
        ({"points": "300"}, "write 300"),
        ({"points": "many"}, "1 or more"),
        ({"points": True}, "1 or more"),
        ({"points": 0}, "1 or more"),
        ({"points": {"interior": 2.5}}, "1 or more"),
        ({"network": "mlp"}, "write MLP()"),
        ({"network": MLP}, "write MLP()"),
        ({"network": KAN}, "write KAN()"),
        ({"network": torch.nn.Linear(1, 1)}, "Wrapped(module)"),
        ({"solver": "lm"}, "write LevenbergMarquardt()"),
        ({"solver": LSGD}, "write LSGD()"),
        ({"solver": Adam}, "write Adam()"),
        ({"seed": "a"}, "whole number"),
        ({"seed": -1}, "whole number"),
        ({"seed": 2**64}, "whole number"),
        ({"start": "x"}, "pinnml.load"),
        ({"callback": 3}, "def watch(progress)"),
        ({"expect": "1e-3"}, "without quotes"),
        ({"expect": -1}, "above 0"),
        ({"expect": math.nan}, "above 0"),
        ({"out": 3}, "runs"),
        ({"rule": "sobel"}, "sobol"),
        ({"rule": 3}, ""),
        ({"dtype": torch.float16}, "torch.float32"),
        ({"dtype": "float64"}, "torch.float32"),
        ({"device": "mps"}, "CPU"),
        ({"device": "meta"}, "CPU"),
        ({"device": "gpu"}, "CPU"),
        ({"device": 2.5}, "CPU"),
    ],
    ids=str,
)
def test_solve_refuses_what_cannot_be_before_the_first_step(options, cure):
    steps = []
    kind = DeviceError if "device" in options else PinnmlError if "rule" in options else SettingsError
    callback = options.get("callback", lambda progress: steps.append(progress))
    asked = {"network": SMALL, "points": 40, **options, "callback": callback}
    assert_refused(lambda: solve(rod(), **asked), kind, cure=cure)
    assert not steps


@pytest.mark.parametrize("problem", [rod, "rod", None, WALL])
def test_solve_wants_a_problem(problem):
    assert_refused(lambda: solve(problem, SMALL), ProblemError)


@pytest.mark.parametrize("points", [np.int64(40), np.int32(40), {"interior": np.int64(40)}])
def test_numbers_of_numpy_are_numbers_of_points(points):
    steps = []
    solution = solve(rod(), SMALL, points=points, seed=np.int64(1), callback=lambda progress: steps.append(progress))
    plain = solve(rod(), SMALL, points=40, seed=1)
    assert steps  # the control of the test above: good options come to a step
    np.testing.assert_array_equal(solution([[0.3]])["u"], plain([[0.3]])["u"])
    assert type(solution.settings["seed"]) is int


# Problems


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"fields": 5}, ProblemError),
        ({"fields": None}, ProblemError),
        ({"fields": ("u", 3)}, ProblemError),
        ({"fields": {"u": "real"}}, ProblemError),
        ({"equations": (lambda u: u,)}, ProblemError),
        ({"equations": lambda u: u}, ProblemError),
        ({"equations": None}, ProblemError),
        ({"domain": (0, 1)}, ProblemError),
        ({"domain": Box}, ProblemError),
        ({"parameters": {"k": "a"}}, ProblemError),
        ({"parameters": {"k": math.nan}}, ProblemError),
        ({"parameters": ["k"]}, ProblemError),
        ({"data": {"s": np.zeros(3)}}, ProblemError),
        ({"data": 3}, ProblemError),
        ({"reference": 3}, ProblemError),
        ({"reference": lambda x, y: {"u": x * y}}, ProblemError),
        ({"reference": lambda: {"u": 0}}, ProblemError),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", str(value)),  # the same in every process
)
def test_parts_of_a_problem_of_another_kind_are_refused(changes, kind):
    assert_refused(lambda: rod(**changes), kind)


@pytest.mark.parametrize("reference", [lambda points, scale=2: {"u": scale * points[:, 0]}, lambda *points: {"u": 0}])
def test_a_reference_may_have_defaults(reference):
    assert rod(reference=reference).reference is reference


def test_functions_of_coordinates_are_pytorchs():
    for settings in (Features(5, extra=lambda x: (np.sin(x),)), MLP(4, inputs=lambda x: (np.sin(x),))):
        assert_refused(lambda settings=settings: solve(rod(), settings), ProblemError, cure="torch.sin")


@pytest.mark.parametrize("on", [3, None, ("boundary", 3), {"boundary"}])
def test_an_equation_is_on_regions_by_name(on):
    assert_refused(lambda: Equation(lambda u: u, on=on, name="wall"), ProblemError, cure='on="interior"')


@pytest.mark.parametrize("weight", [0, -1.0, math.nan, "1"])
def test_the_weight_of_an_equation_is_above_zero(weight):
    assert_refused(lambda: Equation(lambda u: u, name="wall", weight=weight), ProblemError)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: Periodic("a", 1), DomainError),
        (lambda: Parameter(0, math.inf), DomainError),
        (lambda: Periodic(1, 0), DomainError),
        (lambda: Graded(0, 1, width="a"), DomainError),
        (lambda: Graded(0, 1, width=0.0), DomainError),
        (lambda: Graded(0, 1, at=math.nan), DomainError),
        (lambda: Box(x=3), DomainError),
        (lambda: Points([1, 2]), ShapeError),
        (lambda: Points({"x": [1, 2]}, 3), ShapeError),
        (lambda: Points({"x": ["a", "b"]}), ShapeError),
    ],
)
def test_axes_and_points_of_another_kind_are_refused(make, kind):
    assert_refused(make, kind)


# Networks, solvers and recipes


@pytest.mark.parametrize(
    "make",
    [
        *(lambda value=value: MLP(width=value) for value in (-3, 0, 2.5, "a", True)),
        lambda: MLP(activation=3),
        lambda: MLP(activation="sinus"),
        lambda: MLP(residual="no"),
        lambda: MLP(depth=1, residual=True),
        lambda: Features(count=0),
        lambda: KAN(order="a"),
        lambda: KAN(first=3),
        lambda: KAN(inputs=3),
        lambda: solve(rod(), KAN(2), Multilevel(inner=Adam(steps=1), levels=13)),
        lambda: solve(rod(), KAN(inputs=lambda x: ())),
        lambda: KAN(least_span=1e-12, knots="layer"),
        lambda: KAN(intervals=np.array([4, 0])),
        lambda: MLP(inputs=3),
        lambda: Features(inputs=3),
        lambda: Features(extra="x"),
        lambda: Wrapped(torch.nn.Linear(1, 1), inputs=3),
        lambda: Wrapped(3),
        lambda: Wrapped(torch.nn.Linear),
        lambda: solve(rod(fields={"u": 2}), Wrapped(torch.nn.Linear(1, 1))),
        lambda: solve(rod(), Wrapped(torch.nn.Linear(3, 1))),
        lambda: Adam(rate=-1),
        lambda: Adam(rate="a"),
        lambda: Adam(decay=0),
        lambda: Adam(patience=-1),
        lambda: LBFGS(inner=0),
        lambda: LBFGS(memory=0),
        lambda: LevenbergMarquardt(target=5),
        lambda: LevenbergMarquardt(final_target=1),
        lambda: LevenbergMarquardt(tolerance=-1),
        lambda: LevenbergMarquardt(damping="abc"),
        lambda: LevenbergMarquardt(damping=-1.0),
        lambda: LevenbergMarquardt(damping=[1.0]),
        lambda: LSGD(cutoff=2),
        lambda: LSGD(cutoff=-1),
        lambda: LSGD(patience=0),
        lambda: LSGD(damping=-1),
        lambda: LSGD(hidden=3),
        lambda: LSGD(balance="no"),
        lambda: LSGD(steps=True),
        lambda: LSGD(steps=0),
        lambda: LSGD(seconds="3"),
        lambda: LSGD(seconds=-1),
        lambda: LSGD(seconds=math.nan),
        lambda: Multilevel(levels=0),
        lambda: Multilevel(inner="lm"),
        lambda: Schedule("a", 1.0, 5),
        lambda: Schedule(1.0, 1e-3, 0),
        lambda: Recipe(points="3"),
        lambda: Recipe(network="mlp"),
        lambda: Recipe(solver=LSGD),
        lambda: Recipe(expect="1e-3"),
        lambda: Recipe(rule="sobel"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_they_are_made(make):
    assert_refused(make, PinnmlError)


def test_settings_at_the_edge_of_what_can_be_are_taken():
    assert LSGD(cutoff=0, damping=0, tolerance=0, patience=1, seconds=0.5).cutoff == 0
    assert LevenbergMarquardt(target=0, damping=0, rebalance=0).damping == 0
    assert type(MLP(width=np.int64(8)).width) is int
    assert KAN(intervals=np.array([4, 5])).intervals == KAN(intervals=range(4, 6)).intervals == (4, 5)
    assert type(KAN(least_span=np.float32(0.5)).least_span) is float
    assert type(Adam(rate=np.float32(0.5)).rate) is float
    assert Recipe(points={"interior": np.int64(3)}).points == {"interior": 3}


# The checks themselves


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (whole_number, (1, 7, np.int8(3)), (0, -1, 1.0, "1", None, True, np.True_, math.nan)),
        (positive, (1, 0.5, np.float32(2)), (0, -1, math.inf, math.nan, "1", None, True, 1j)),
        (not_negative, (0, 3.0), (-1e-300, math.inf, math.nan, "0")),
        (fraction, (0, 0.5, np.float64(0.9)), (1, -0.1, math.nan, "0.5", None)),
        (finite, (-3, 0.0, 1e300), (math.inf, math.nan, "a", 1j)),
        (flag, (True, False), (0, 1, "True", None)),
        (or_none(positive), (None, 1.0), (0, "a")),
    ],
    ids=["whole number", "positive", "not negative", "fraction", "finite", "flag", "or none"],
)
def test_checks_let_good_values_through_unchanged_and_name_the_others(check, good, bad):
    for value in good:
        assert check("option", value) == value
    for value in bad:
        with pytest.raises(SettingsError, match="option") as caught:
            check("option", value)
        assert None not in (caught.value.expected, caught.value.got, caught.value.cure)
