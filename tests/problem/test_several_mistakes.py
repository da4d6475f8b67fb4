"""A problem with several mistakes lists them all, and what would only follow from one of them is left out."""

from __future__ import annotations

import pytest
import torch

from pinnml import Box, Equation, Features, Problem, solve
from pinnml.errors import PinnmlError, ProblemError, UnknownNameError, UnsupportedFunctionError, raise_all

SQUARE = Box(x=(0, 1), y=(0, 1))


def told(**changes) -> PinnmlError:
    given = {"domain": SQUARE, "fields": "u", "equations": Equation(lambda u: u, on="boundary", name="wall")} | changes
    with pytest.raises(PinnmlError) as caught:
        Problem(**given)
    return caught.value


def test_all_of_them_are_listed_with_expected_got_and_cure():
    inside = Equation(lambda u, kapa, z: kapa * u + z, name="balance")
    error = told(equations=inside, parameters={"kappa": 1.0}, exact=lambda x, r: r)
    text = str(error)
    assert text.startswith("the problem has 4 mistakes\n1. ")
    for words in (
        "unknown argument 'kapa' in equation 'balance' on 'interior'",
        "did you mean 'kappa'?",
        "unknown argument 'z' in equation 'balance'",
        "unknown argument 'r' in exact",
        "4. no boundary condition",
    ):
        assert words in text
    assert len(error.mistakes) == 4
    assert type(error) is ProblemError
    assert "no equation uses" not in text  # kappa is meant by kapa


def test_several_of_one_kind_keep_their_kind():
    sides = tuple(Equation(lambda u: u, on=side, name=side) for side in ("x=2", "y=3", "x=0"))
    error = told(equations=sides)
    assert type(error) is UnknownNameError
    assert [str(each).splitlines()[0][:20] for each in error.mistakes] == [
        "unknown region 'x=2'",
        "unknown region 'y=3'",
    ]


def test_one_function_on_several_regions_is_told_of_once():
    wall = Equation(lambda u, w: u - w, on=("x=0", "x=1", "y=0"), name="wall")
    error = told(equations=wall)
    assert error.mistakes == ()
    assert "unknown argument 'w' in equation 'wall' on 'x=min'" in str(error)


def test_names_of_fields_and_of_data_are_told_together():
    error = told(fields=("u", "2u", "x"), equations=Equation(lambda u: u, on="boundary", name="wall"))
    assert "the field name '2u' cannot be used" in str(error)
    assert "cannot both be named 'x'" in str(error)


def test_mistakes_within_equations_are_told_together_before_the_first_step():
    laws = (
        Equation(lambda u, x: torch.max(u, x), name="first"),
        Equation(lambda u, x: u + float(x), name="second"),
        Equation(lambda u: u.value.unsqueeze(1), on="boundary", name="third"),
        Equation(lambda u: u - 1, on="x=0", name="sound"),
    )
    problem = Problem(domain=SQUARE, fields="u", equations=laws)
    with pytest.raises(ProblemError) as caught:
        solve(problem, Features(10, bandwidth=2.0))
    text = str(caught.value)
    assert "the problem has 3 mistakes" in text
    for words in ("'first': torch.max has no rule", "'second' takes a field for a number", "'third' returns something"):
        assert words in text
    assert "sound" not in text


def test_a_single_mistake_is_raised_as_it_is():
    with pytest.raises(UnsupportedFunctionError) as caught:
        raise_all([UnsupportedFunctionError("alone", cure="none")], "the problem")
    assert caught.value.cure == "none"
    raise_all([], "the problem")
