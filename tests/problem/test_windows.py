"""What goes in slabs of time, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pinnml import Box, Equation, Graded, Parameter, Periodic, Problem
from pinnml.errors import DomainError, ProblemError
from pinnml.problem import check_goes_in_slabs, edges_of, window_of
from tests.helpers.evolution import decay, inverse, wave
from tests.helpers.solving import rod


def test_windows_have_one_length_and_meet():
    assert edges_of(wave(2.0), 4) == (0.0, 0.5, 1.0, 1.5, 2.0)


def test_a_window_keeps_the_equations_and_its_own_first_instant():
    first, later = window_of(wave(), 0.0, 0.5), window_of(wave(), 0.5, 1.0, ())
    assert [(term.name, term.region) for term in first.terms] == [
        ("balance", "interior"),
        ("shape", "t=min"),
        ("rest", "t=min"),
        ("walls", "boundary"),
    ]
    assert [term.name for term in later.terms] == ["balance", "walls"]
    assert later.domain.bounds.tolist() == [[0.0, 1.0], [0.5, 1.0]]


def test_of_an_equation_on_several_regions_the_others_stay():
    problem = replace(wave(), equations=(*wave().equations, Equation(lambda u: u, on=("t=0", "x=0"), name="both")))
    later = window_of(problem, 0.5, 1.0, ())
    assert [term.region for term in later.terms if term.name == "both"] == ["x=min"]


def over(**time):
    """A decay on another axis of time."""
    begin = () if "t" not in time or isinstance(time["t"], (Periodic, Parameter)) else decay().equations[1:]
    return Problem(domain=Box(**time), fields=("u",), equations=(Equation(lambda u: u, name="zero"), *begin))


def with_equation(*given, **named):
    return replace(decay(), equations=(*decay().equations, Equation(lambda u: u, *given, name="more", **named)))


@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        (rod(), ProblemError, "a steady problem"),
        (over(x=Periodic(0, 1), t=Graded(0, 1, 0, 0.1)), DomainError, "Graded"),
        (over(x=Periodic(0, 1), t=Periodic(0, 1)), DomainError, "Periodic"),
        (with_equation(on="t=2"), ProblemError, "'more' at the last instant"),
        (with_equation(integral=True), ProblemError, "'more' goes over all times"),
        (inverse(), ProblemError, "unknown parameters"),
        (inverse(), ProblemError, "measured values"),
    ],
    ids=["steady", "graded", "periodic", "end", "integral", "parameters", "data"],
)
def test_what_couples_all_times_is_refused_with_a_cure(problem, kind, words):
    with pytest.raises(kind, match=words) as caught:
        check_goes_in_slabs(problem)
    assert "expected:" in str(caught.value)
    assert "cure:" in str(caught.value)


def test_several_obstacles_are_told_at_once():
    with pytest.raises(ProblemError, match="2 mistakes"):
        check_goes_in_slabs(inverse())


def test_an_integral_at_the_first_instant_is_as_good_as_any_condition():
    x = Box(x=(0, 1), t=(0, 1))
    heat = Equation(lambda u: u.d("t") - u.d("xx"), name="heat")
    mean = Equation(lambda u: u - 1, on="initial", integral=True, name="mean")
    ends = Equation(lambda u: u, on="boundary", name="ends")
    check_goes_in_slabs(Problem(domain=x, fields=("u",), equations=(heat, mean, ends)))
