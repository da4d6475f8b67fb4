"""The verdict says plainly what is wrong, and is good only if nothing is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from pinnml import LSGD, Box, Equation, Features, LevenbergMarquardt, Problem, solve
from pinnml.errors import NonFiniteError
from pinnml.results import Verdict
from pinnml.solvers import Status
from tests.helpers.verdicts import GOOD


def test_a_verdict_without_complaints_is_good():
    assert GOOD.good
    assert GOOD.complaints == ()
    assert GOOD.summary == "good, error 3.0e-09, 3 steps, 1.50 s"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": Status.DIVERGED}, "did not finish: "),
        ({"status": Status.INTERRUPTED}, "did not finish: interrupted"),
        ({"held_out": {"balance": 4e-8, "wall": 1e-9}}, r"'balance'.*held out is 4\.0 times"),
        ({"expected": 2e-9}, r"error is 3\.0e-09; the script promises 2\.0e-09"),
        ({"relative_l2": {"u": None}}, "could not be checked"),
        ({"expected": None, "relative": {"balance": 0.3, "wall": 1e-9}}, "'balance' is hardly solved"),
        ({"relative_l2": {"u": float("nan")}}, "error is nan"),
        ({"expected": None, "relative_l2": {"u": 0.2}}, r"error is 2\.0e-01\."),
        ({"expected": None, "relative_l2": {"u": None}, "estimate": {"u": 0.2}}, r"estimated error is 2\.0e-01"),
        (
            {
                "held_out": {"balance": 1e-8, "wall": 1e-9, "weak form": 4e-7},
                "training": {**GOOD.training, "weak form": 1e-8},
                "relative": {**GOOD.relative, "weak form": 1e-4},
                "shares": {},
            },
            r"weak form leaves 40\.0 times as much with test functions of one degree more",
        ),
        (
            {"relative": {"balance": 1e-9, "wall": 1e-2}, "shares": {"balance": 1.0, "wall": 1e-5}},
            "'wall' hardly contributes",
        ),
    ],
)
def test_one_thing_wrong_is_one_complaint(change, words):
    verdict = replace(GOOD, **change)
    assert not verdict.good
    assert len(verdict.complaints) == 1
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(verdict.complaints[0])


def test_the_line_ends_with_the_first_reason_and_printing_tells_them_all():
    bad = replace(GOOD, expected=2e-9, zero_fields=("w",), warnings=("No condition on x=1.",))
    assert len(bad.complaints) == 2
    first = "not good, error 3.0e-09, 3 steps, 1.50 s"
    assert bad.summary == f"{first}: Field 'w' is zero everywhere: a source or a condition is missing"
    told = str(bad).splitlines()
    assert told == [first, *(f"  - {each}" for each in bad.complaints), "  Note: No condition on x=1."]
    assert str(GOOD) == GOOD.summary
    assert replace(bad, zero_fields=()).summary.endswith(": The error is 3.0e-09; the script promises 2.0e-09")


@pytest.mark.parametrize(
    ("change", "first", "last"),
    [
        ({"status": Status.STEPS, "null": {"u": 1.0}}, "do not determine 'u'", "limit of steps"),
        ({"status": Status.SECONDS, "gain": 0.95, "beside_zero": 0.5}, "A richer basis leaves", "limit of time"),
        ({"status": Status.STEPS, "relative": {"balance": 0.3, "wall": 1e-9}}, "hardly solved", "limit of steps"),
        ({"status": Status.STEPS, "estimate": {"u": 0.2}}, "estimated error", "limit of steps"),
        (
            {"status": Status.STEPS, "held_out": {"balance": 4e-8, "wall": 1e-9}},
            "held out is 4",
            "limit of steps",
        ),
        ({"status": Status.DIVERGED, "relative": {"balance": 0.3, "wall": 1e-9}}, "did not finish", "hardly solved"),
        ({"status": Status.DIVERGED, "null": {"u": 1.0}}, "do not determine 'u'", "did not finish"),
        (
            {
                "status": Status.STEPS,
                "notes": {"level": 0, "levels": 3},
                "relative": {"balance": 0.3, "wall": 1e-9},
            },
            "Level 1 of 3",
            "hardly solved",
        ),
    ],
)
def test_what_tells_most_is_the_first_reason(change, first, last):
    verdict = replace(GOOD, relative_l2={"u": None}, expected=None, **change)
    complaints = verdict.complaints
    assert len(complaints) == 2
    assert first in complaints[0]
    assert last in complaints[1]
    assert verdict.summary.endswith(complaints[0].partition(". ")[0].rstrip("."))


@pytest.mark.parametrize(
    ("tried", "advice", "left_out"),
    [
        ({"solver": "lsgd", "network": "features"}, "LevenbergMarquardt() with MLP", "LSGD()"),
        ({"solver": "lm", "network": "mlp", "status": Status.SECONDS}, "more time", "LevenbergMarquardt"),
        ({"solver": "lm", "network": "mlp", "status": Status.STEPS}, "Features() with LSGD()", "more time"),
        ({"solver": "lm", "network": "features"}, "more functions or points", "Features() with LSGD()"),
        ({"notes": {"bandwidth": "16 128", "search left": 0.4}}, "a larger bandwidth=", "more time"),
    ],
)
def test_advice_names_what_was_not_just_tried(tried, advice, left_out):
    bad = replace(GOOD, expected=None, relative={"balance": 0.3, "wall": 1e-9}, **tried)
    told = next(each for each in bad.complaints if "hardly solved" in each)
    assert advice in told
    assert left_out not in told
    assert ("too narrow" in told) == ("notes" in tried)


def test_a_limit_is_a_complaint_unless_the_error_is_below_the_promise():
    ended = replace(GOOD, status=Status.STEPS)
    assert ended.good
    assert not ended.converged
    assert ended.summary.startswith("accurate but not finished, error 3.0e-09")
    assert any("the limit of steps" in each for each in replace(ended, expected=2e-9).complaints)
    unknown = replace(ended, relative_l2={"u": None, "w": None}, expected=None)
    assert not unknown.good
    assert replace(unknown, estimate={"u": 9e-5}).good
    assert not replace(unknown, estimate={"u": 2e-4}).good


def test_ratios_of_round_off_mean_nothing():
    tiny = replace(GOOD, held_out={"balance": 1e-13, "wall": 1e-9}, training={"balance": 1e-15, "wall": 1e-9})
    assert not tiny.good
    assert replace(tiny, relative={"balance": 1e-14, "wall": 1e-9}).good


def test_an_estimate_stands_in_for_an_error():
    verdict = replace(GOOD, relative_l2={"u": None, "w": None}, estimate={"u": 2e-9, "w": 5e-9})
    assert verdict.error is None
    assert verdict.worst_estimate == 5e-9
    assert verdict.good
    assert not replace(verdict, expected=4e-9).good


def test_what_is_known_of_one_field_does_not_speak_for_another():
    verdict = replace(GOOD, relative_l2={"u": 1e-12, "w": None}, estimate={"u": 1e-12, "w": 0.3})
    assert not verdict.good
    assert any("estimated error is 3.0e-01" in complaint for complaint in verdict.complaints)
    assert replace(verdict, estimate={"u": 0.3, "w": 1e-9}).good  # u is known to be right


def test_without_an_error_the_summary_gives_the_relative_residual():
    verdict = replace(GOOD, relative_l2={"u": None}, expected=None)
    assert "relative residual 1.0e-09" in verdict.summary
    assert verdict.good


def test_json_and_back():
    record = json.loads(json.dumps(GOOD.to_json()))
    assert record["converged"] is True
    assert record["good"] is True
    assert record["complaints"] == []
    assert Verdict.from_json(record) == GOOD


def test_an_equation_of_hardly_any_weight_is_named():
    def balance(u):
        return u.d("xx") - 1

    def wall(u):
        return u - 1

    equations = (Equation(balance), Equation(wall, on="boundary", weight=1e-20))
    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), equations=equations)
    verdict = solve(problem, Features(20, bandwidth=3), LevenbergMarquardt(steps=20), points=60).verdict
    assert any("'wall' hardly contributes" in complaint for complaint in verdict.complaints)


def test_two_equations_that_contradict_each_other_do_not_pass_for_a_solution():
    def one(u):
        return u - 1

    def two(u):
        return u - 2

    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), equations=(Equation(one), Equation(two, on="boundary")))
    verdict = solve(problem, Features(10, bandwidth=3), points=60, expect=1e-3).verdict
    assert verdict.worst > 1e-2
    assert not verdict.good


def test_the_verdict_tells_what_it_was_made_with():
    problem = Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        equations=(
            Equation(lambda u, x: u - x, on="boundary", name="ends"),
            Equation(lambda u: u.d("xx"), name="line"),
        ),
    )
    verdict = solve(problem, Features(10, bandwidth=3), points=60, seed=7).verdict
    assert verdict.provenance["versions"]["torch"] == torch.__version__
    assert verdict.provenance["threads"] == 1
    assert (verdict.seed, verdict.device, verdict.dtype) == (7, "cpu", "float64")
    assert (verdict.solver, verdict.network, verdict.parameters) == ("lsgd", "features", 31)


# Solutions that look right and are not, and the other way round


def equations(*pairs) -> tuple[Equation, ...]:
    return tuple(Equation(residual, on=on, name=name) for name, on, residual in pairs)


def test_a_wrong_solution_of_well_solved_equations_is_not_good_where_the_right_one_is_known():
    def heat(u):
        return u.d("t") - u.d("xx")

    problem = Problem(
        domain=Box(x=(0, 1), t=(0, 1)),
        fields=("u",),
        equations=equations(("heat", "interior", heat), ("ends", "boundary", lambda u: u)),
        exact=lambda x, t: torch.exp(-(torch.pi**2) * t) * torch.sin(torch.pi * x),
    )
    verdict = solve(problem, Features(60, bandwidth=5), points=300).verdict
    assert not verdict.good
    assert any("error is 1.0e+00" in complaint for complaint in verdict.complaints)
    assert any("first instant" in warning for warning in verdict.warnings)


def test_a_field_that_is_zero_everywhere_is_not_good_unless_it_is_known_to_be():
    pairs = (("wave", "interior", lambda u: u.d("xx") + u), ("ends", "boundary", lambda u: u))
    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), equations=equations(*pairs))
    verdict = solve(problem, Features(20, bandwidth=4), points=60, expect=1e-6).verdict
    assert verdict.zero_fields == ("u",)
    assert not verdict.good
    known = replace(problem, exact=lambda x: 0 * x)
    assert solve(known, Features(20, bandwidth=4), points=60).verdict.good


def test_not_a_number_is_never_good():
    nan = float("nan")
    for change in (
        {"relative_l2": {"u": 1e-9, "w": nan}},
        {"relative_l2": {"u": nan}, "expected": None},
        {"held_out": {"balance": nan, "wall": 1e-9}},
        {"relative": {"balance": nan, "wall": 1e-9}, "expected": None},
    ):
        assert not replace(GOOD, **change).good


@pytest.mark.parametrize(
    "problem",
    [
        Problem(
            domain=Box(x=(0, 3)),
            fields=("u",),
            equations=equations(("line", "interior", lambda u: u.d("xx")), ("ends", "boundary", lambda u, x: u - x)),
            exact=lambda x: x,
        ),
        Problem(
            domain=Box(x=(0, 1), t=(0, 2)),
            fields=("u",),
            equations=equations(
                ("transport", "interior", lambda u: u.d("t") + u.d("x")),
                ("start", "initial", lambda u: u - 1),
                ("inflow", "x=0", lambda u: u - 1),
            ),
            exact=lambda x, t: 1 + 0 * x,
        ),
    ],
    ids=["a line", "a constant"],
)
def test_derivatives_that_vanish_do_not_make_a_right_solution_look_unsolved(problem):
    verdict = solve(problem, Features(40, bandwidth=4), points=200).verdict
    assert verdict.good, verdict.complaints
    assert verdict.error < 1e-9
    assert verdict.steps == 1


@pytest.mark.parametrize("rule", ["chebyshev", "sobol", "gauss"])
def test_an_integral_is_taken_by_quadrature_whatever_the_points(rule):
    problem = Problem(
        domain=Box(x=(0, 1), y=(0, 1)),
        fields=("u",),
        equations=(
            Equation(lambda u, x: u.d("x") + torch.pi * torch.sin(torch.pi * x), name="slope"),
            Equation(lambda u: u.d("y"), name="level"),
            Equation(lambda u: u - 2, name="mean", integral=True),
            Equation(lambda u, x, normal: normal[1] * u.d("y"), on="boundary", name="insulated"),
        ),
        exact=lambda x, y: 2 + torch.cos(torch.pi * x),
    )
    verdict = solve(problem, Features(120, bandwidth=5), LSGD(hidden="fixed"), points=700, rule=rule).verdict
    assert verdict.error < 1e-8
    assert verdict.good, verdict.complaints


def test_a_function_that_is_not_finite_on_held_out_points_is_named():
    def rooted(u, x):
        return u.d("xx") + 0 * torch.sqrt(x - 0.002) + 1

    problem = Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        equations=equations(("p", "interior", rooted), ("w", "boundary", lambda u: u)),
    )
    with pytest.raises(NonFiniteError, match="'p' gives nan"):
        solve(problem, Features(20, bandwidth=4), points=60, rule="grid")


def test_a_slope_that_is_not_finite_at_the_start_is_named():
    def eikonal(u):
        return torch.sqrt(u.d("x") ** 2 + u.d("y") ** 2) - 1

    problem = Problem(
        domain=Box(x=(0, 1), y=(0, 1)),
        fields=("u",),
        equations=equations(("eikonal", "interior", eikonal), ("wall", "boundary", lambda u: u)),
    )
    with pytest.raises(NonFiniteError, match=r"slope of equation 'eikonal'.*"):
        solve(problem, Features(20, bandwidth=4), points=60)
