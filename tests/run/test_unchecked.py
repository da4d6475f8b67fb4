"""A solution of which nothing is known is not good where the second solve that was asked for says nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from pinnml import LSGD, Box, Equation, Features, Problem, solve
from pinnml.deadline import OutOfTimeError
from pinnml.errors import NonFiniteError
from pinnml.results import Verdict
from pinnml.run import judge
from tests.helpers.solving import rod

LATE, FAILED = OutOfTimeError(), NonFiniteError("the residual is not finite.\nSomewhere.")
STRANGE = MemoryError("no room for a matrix")


def unknown() -> Problem:
    return replace(rod(), exact=None)


def two_fields(*known: str) -> Problem:
    """The derivative of the first is the second; some of them are known."""
    laws = (
        Equation(lambda u, w: u.d("x") - w, name="slope"),
        Equation(lambda w, x: w.d("x") + torch.pi**2 * (torch.pi * x).sin(), name="balance"),
        Equation(lambda u: u, on="boundary", name="ends"),
    )

    def exact(x: torch.Tensor) -> dict[str, torch.Tensor]:
        both = {"u": (torch.pi * x).sin(), "w": torch.pi * (torch.pi * x).cos()}
        return {name: both[name] for name in known}

    return Problem(domain=Box(x=(0, 1)), fields=("u", "w"), equations=laws, exact=exact)


def verdict_of(problem: Problem, **given) -> Verdict:
    return solve(problem, Features(40, bandwidth=5), LSGD(steps=20, seconds=20), points=200, **given).verdict


@pytest.fixture(params=[LATE, FAILED, STRANGE], ids=["late", "failed", "strange"])
def unchecked(request, monkeypatch) -> str:
    """A second solve that ends without a word, and what is said of it."""

    def fails(*_):
        raise request.param

    monkeypatch.setattr(judge, "verify", fails)
    cure = "give the solve more seconds, or verify=False to go by the residuals alone"
    late = f"the second solve did not end within 60 s ({cure})."
    kind = type(request.param).__name__
    words = "the residual is not finite" if request.param is FAILED else "no room for a matrix"
    return late if request.param is LATE else f"the second solve failed: {kind}: {words}."


def test_a_right_solution_that_nobody_has_checked_is_not_good(unchecked):
    verdict = verdict_of(unknown())
    assert verdict.complaints == (f"The error could not be checked: {unchecked}",)
    assert verdict_of(unknown(), expect=1e-6).complaints == verdict.complaints
    again = Verdict.from_json(json.loads(json.dumps(verdict.to_json())))
    assert again.complaints == verdict.complaints


def test_it_is_good_where_the_user_goes_by_the_residuals_alone(unchecked):
    assert verdict_of(unknown(), verify=False).good


def test_it_is_good_with_a_warning_where_its_error_is_known(unchecked):
    verdict = verdict_of(rod())
    assert verdict.good
    assert f"The error was not estimated: {unchecked}" in verdict.warnings
    assert verdict.unchecked == ""


def test_one_field_that_is_known_says_nothing_of_another(unchecked):
    assert verdict_of(two_fields("u", "w")).good
    assert verdict_of(two_fields("u")).complaints == (f"The error could not be checked: {unchecked}",)


def test_what_is_checked_has_nothing_to_be_told():
    verdict = verdict_of(unknown())
    assert verdict.good
    assert (verdict.unchecked, verdict.warnings) == ("", ())


def test_a_verdict_from_before_is_read_as_it_was(unchecked):
    record = verdict_of(unknown(), verify=False).to_json()
    del record["unchecked"]
    assert Verdict.from_json(record).good
