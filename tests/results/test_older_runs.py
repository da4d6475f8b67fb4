"""Runs that an earlier version (0.1.0, before rooms) has written: loaded, gone on from and compared as then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pinnml import LevenbergMarquardt, load
from pinnml.cli.script import load_script
from pinnml.results import compare
from tests.helpers.places import ROOT
from tests.helpers.rod import ROD

RUNS = ROOT / "tests" / "data" / "runs"
X = np.linspace(0, 1, 7)[:, None]
#: Name, parameters of the script, the summary of the verdict and the largest error of the fields, as they were then.
OLD = [
    ("rod_features", {}, "good, error 4.8e-16, 1 step, 0.04 s", 1e-14),
    (
        "rod_levels",
        {"case": "cosine", "scale": 2.0},
        "accurate but not finished, error 4.6e-11, 30 steps, 0.63 s",
        1e-9,
    ),
]
#: What a verdict of then and of now have in common; the words on it are of now.
CHANGED = {"difference", "good", "complaints"}


def exact(case: str = "sine", scale: float = 1.0) -> np.ndarray:
    return scale * {"sine": np.sin, "cosine": np.cos}[case](np.pi * X[:, 0])


@pytest.mark.parametrize(("name", "given", "summary", "bound"), OLD)
def test_a_checkpoint_gives_its_fields_and_its_verdict(name, given, summary, bound):
    solution = load(RUNS / name / "checkpoint.pt")
    assert np.abs(solution(X)["u"] - exact(**given)).max() < bound
    assert solution.verdict.summary == summary
    recorded = json.loads((RUNS / name / "verdict.json").read_text())
    again = json.loads(json.dumps(solution.verdict.to_json()))
    kept = recorded.keys() - CHANGED
    assert {key: again[key] for key in kept} == {key: recorded[key] for key in kept}
    assert len(solution.history) == len((RUNS / name / "history.csv").read_text().splitlines()) - 1


@pytest.mark.parametrize(("name", "given", "summary", "bound"), OLD)
def test_it_is_gone_on_from(tmp_path: Path, name, given, summary, bound):
    (tmp_path / "rod.py").write_text(ROD)
    problem = load_script(tmp_path / "rod.py").problem(**given)
    start = load(RUNS / name / "checkpoint.pt", problem)
    assert start.error()["u"] == pytest.approx(start.verdict.relative_l2["u"], rel=0.2)
    recipe = load_script(tmp_path / "rod.py").recipe(case="sine")
    again = recipe.solve(problem, solver=LevenbergMarquardt(steps=2), start=start, points=100)
    assert again.verdict.error < 100 * bound  # on other points, which are weighed otherwise


def test_two_of_them_are_compared():
    (found,) = compare([RUNS / name for name, *_ in OLD])
    assert found.distance == {"u": pytest.approx(1.1180339887316113, rel=1e-9)}
