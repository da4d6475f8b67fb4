"""How points are shared among regions, and what is said of numbers for regions that bear no equation."""

from __future__ import annotations

import pytest

from pinnml import Box, Equation, Mesh, Problem
from pinnml.errors import SettingsError
from pinnml.problem import counts
from tests.helpers.forms import uniform


def problem(domain: Box | Mesh, *sides: str, **more) -> Problem:
    """A field with a condition on each side by its own name."""
    inside = Equation(lambda u: u - 1, name="inside")
    return Problem(
        domain=domain, fields="u", equations=(inside, *(Equation(lambda u: u, on=s, name=s) for s in sides)), **more
    )


def shared(posed: Problem, points) -> dict[str, int]:
    return counts(posed, points, posed.terms)


def test_points_of_the_boundary_are_shared_among_sides_that_are_named_one_by_one():
    square = problem(Box(x=(0, 1), y=(0, 1)), "x=0", "x=1", "y=0", "y=1")
    found = shared(square, {"interior": 1000, "boundary": 400})
    assert found == {"interior": 1000, "x=min": 100, "x=max": 100, "y=min": 100, "y=max": 100}


def test_a_number_of_a_sides_own_stays():
    square = problem(Box(x=(0, 1), y=(0, 1)), "x=0", "x=1", "y=0")
    found = shared(square, {"interior": 1000, "boundary": 400, "x=0": 50})
    assert found == {"interior": 1000, "x=min": 50, "x=max": 200, "y=min": 200}


def test_the_first_instant_and_interfaces_are_no_part_of_the_boundary():
    heat = problem(Box(x=(0, 1), t=(0, 1)), "x=0", "x=1", "initial")
    found = shared(heat, {"interior": 1000, "boundary": 60})
    assert (found["x=min"], found["x=max"]) == (30, 30)
    assert found["t=min"] == shared(heat, 1000)["t=min"]


def test_sides_of_a_mesh_share_as_they_would_by_default():
    plate = problem(uniform("triangle", 4), "west", "north")
    found = shared(plate, {"interior": 500, "boundary": 90})
    assert (found["west"], found["north"]) == (45, 45)


def test_the_boundary_as_a_whole_keeps_its_points():
    square = problem(Box(x=(0, 1), y=(0, 1)), "boundary")
    assert shared(square, {"interior": 1000, "boundary": 400}) == {"interior": 1000, "boundary": 400}


def test_errors_name_sides_as_the_problem_does():
    square = problem(Box(x=(0, 1), y=(0, 1)), "x=0", "y = max")
    with pytest.raises(SettingsError) as caught:
        shared(square, {"interior": 1000, "x=1": 10})
    text = str(caught.value)
    assert "points in 'x=1'" in text
    assert "regions that bear an equation: interior, x=0, y = max" in text
