"""Options of `pinnml solve` beside network, solver and points: the promise, the rule, where to begin, and no check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.commands import pinnml
from tests.helpers.rod import ROD


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rod.py").write_text(ROD)


def solved(*options: str) -> tuple[int, dict]:
    """Exit status and verdict of a solve."""
    result = pinnml("solve", "rod.py", "--json", *options)
    return result.status, json.loads(result.out)


def test_a_promise_replaces_that_of_the_script() -> None:
    for promise, status in (("1e-99", 1), ("0.5", 0)):
        found, verdict = solved("--expect", promise)
        assert (found, verdict["expected"]) == (status, float(promise))


def test_a_rule_replaces_that_of_the_script_and_an_unknown_one_is_refused() -> None:
    solved("--rule", "random", "--out", "run")
    assert json.loads(Path("run/config.json").read_text())["rule"] == "random"
    result = pinnml("solve", "rod.py", "--rule", "rnadom")
    assert result.status == 2
    assert "did you mean 'random'?" in result.err


def test_without_a_second_solve_nothing_is_estimated() -> None:
    assert solved()[1]["estimate"]
    assert not solved("--no-verify")[1]["estimate"]


def test_a_solve_begins_with_a_run_by_its_folder_or_its_checkpoint() -> None:
    pinnml("solve", "rod.py", "--no-verify", "--out", "first")
    short = ("--solver", "adam", "--steps", "1", "--no-verify")
    for start in ("first", "first/checkpoint.pt"):
        assert solved("--start", start, *short)[1]["relative_l2"]["u"] < 0.1  # a step of Adam's away from 1e-14
    assert solved(*short)[1]["relative_l2"]["u"] > 0.9


def test_what_cannot_be_gone_on_from_is_refused_by_name() -> None:
    pinnml("solve", "rod.py", "--out", "first")
    refused = pinnml("solve", "rod.py", "--start", "first", "--network", "mlp")
    assert refused.status == 2
    assert "--start and --network" in refused.err
    for start, words in (("nowhere", "there is no such checkpoint"), (".", "this folder holds no run")):
        result = pinnml("solve", "rod.py", "--start", start)
        assert result.status == 2
        assert words in result.err


def test_functions_of_the_script_serve_a_run_that_a_file_cannot_hold() -> None:
    own = "Features(30, bandwidth=6.0, inputs=lambda x: (x, x**2))"
    Path("rod.py").write_text(ROD.replace("Features(30, bandwidth=6.0)", own))
    pinnml("solve", "rod.py", "--out", "first")
    result = pinnml("solve", "rod.py", "--start", "first", "--quiet")
    assert result.status == 0
    assert result.out.startswith("rod sine: good")


@pytest.mark.parametrize("option", [["--expect", "0.1"], ["--rule", "sobol"], ["--start", "run"], ["--no-verify"]])
def test_finite_elements_have_none_of_these(option) -> None:
    result = pinnml("solve", "rod.py", "--solver", "fem", *option)
    assert result.status == 2
    assert f"{option[0]}\n  expected: no such option with finite elements" in result.err


DECAY = """
from pinnml import LSGD, Box, Equation, Features, Problem, Recipe

def problem():
    falls = Equation(lambda u: u.d("t") + u, name="falls")
    begin = Equation(lambda u: u - 1, on="initial", name="begin")
    return Problem(domain=Box(t=(0, 2)), fields=("u",), equations=(falls, begin))

recipe = Recipe(network=Features(12, bandwidth=2), solver=LSGD(hidden="fixed"), points=60)
"""


def test_slabs_in_time_by_an_option() -> None:
    Path("decay.py").write_text(DECAY)
    result = pinnml("solve", "decay.py", "--slabs", "3", "--out", "run")
    assert result.status == 0
    assert "3 in time, each with such a network" in result.out
    assert json.loads(Path("run/verdict.json").read_text())["notes"]["slabs"] == 3
    gone_on = pinnml("resume", "run")
    assert gone_on.status == 2
    assert "resume with slabs" in gone_on.err


def test_slabs_of_what_is_steady_or_solved_by_elements_are_refused() -> None:
    for options, words in ((("--slabs", "2"), "a steady problem"), (("--slabs", "0"), "1 or more")):
        result = pinnml("solve", "rod.py", *options)
        assert result.status == 2
        assert words in result.err
    result = pinnml("solve", "rod.py", "--solver", "fem", "--slabs", "2")
    assert (result.status, "--slabs" in result.err) == (2, True)
