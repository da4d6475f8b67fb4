"""The verdict says plainly what is wrong, and is good only if nothing is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from pinnml import Box, Equation, Features, LevenbergMarquardt, Problem, solve
from pinnml.solvers import Status
from pinnml.verdict import Verdict

GOOD = Verdict(
    status=Status.CONVERGED,
    relative_l2={"u": 1e-9, "w": 3e-9},
    held_out={"balance": 2e-8, "wall": 1e-9},
    training={"balance": 1e-8, "wall": 1e-9},
    relative={"balance": 1e-9, "wall": 1e-9},
    shares={"balance": 0.7, "wall": 0.3},
    seconds=1.5,
    seconds_verify=0.5,
    steps=3,
    parameters=100,
    residuals=300,
    seed=0,
    device="cpu",
    dtype="float64",
    solver="lsgd",
    network="features",
    expected=1e-8,
)


def test_a_verdict_without_complaints_is_good():
    assert GOOD.good
    assert GOOD.complaints == ()
    assert GOOD.summary == "good, error 3.0e-09, 3 steps, 1.50 s"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": Status.STEPS}, "did not finish: the limit of steps"),
        ({"status": Status.INTERRUPTED}, "did not finish: interrupted"),
        ({"held_out": {"balance": 4e-8, "wall": 1e-9}}, r"'balance'.*held out is 4\.0 times"),
        ({"expected": 2e-9}, r"error is 3\.0e-09; the script promises 2\.0e-09"),
        ({"relative_l2": {"u": None}}, "could not be checked"),
        ({"expected": None, "relative": {"balance": 0.3, "wall": 1e-9}}, "'balance' is hardly solved"),
        ({"relative_l2": {"u": float("nan")}}, "error is nan"),
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


def test_ratios_of_round_off_mean_nothing():
    tiny = replace(GOOD, held_out={"balance": 1e-13, "wall": 1e-9}, training={"balance": 1e-15, "wall": 1e-9})
    assert not tiny.good
    assert replace(tiny, relative={"balance": 1e-14, "wall": 1e-9}).good


def test_the_difference_from_half_the_basis_stands_in_for_an_error():
    verdict = replace(GOOD, relative_l2={"u": None, "w": None}, difference={"u": 2e-9, "w": 5e-9})
    assert verdict.error == 5e-9
    assert verdict.good
    assert not replace(verdict, expected=4e-9).good


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
