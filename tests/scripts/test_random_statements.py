"""Random statements: their truths solve them, forty verdicts on them hold, and a study goes on where it was."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from inspect import Parameter, Signature

import pytest

from pinnml.run import Recipe, prepared
from pinnml.verification import trials
from scripts import verdict_study
from scripts.statements import BROKEN, WELL_POSED, Draw, statement
from scripts.statements.outcome import Limits, Outcome
from scripts.verdict_study import amiss, figures, study

#: A layer of given bandwidth, its head alone: half a second for a statement.
QUICK = Limits(functions=1.0, bandwidth=6.0, steps=3)
#: A residual that is a switch's, or a corner's, says nothing at points.
SAID_OTHERWISE = ("jump by where", "singular corner")


def left_by_truth(posed) -> dict[str, float]:
    """By equation, what the true fields leave, beside its terms."""
    axes = posed.problem.domain.axes.names
    names = (*axes, *posed.parameters)

    def exact(**at):
        return posed.truth(*(at[axis] for axis in axes))

    exact.__signature__ = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])
    problem = replace(posed.problem, exact=exact, parameters=posed.parameters)
    found = trials(problem, prepared(problem, Recipe()).blocks)
    return {name: trial.relative for name, trial in found.items() if trial.relative is not None}


@pytest.mark.parametrize("family", [*WELL_POSED, *(name for name in BROKEN if name not in SAID_OTHERWISE)])
def test_the_truth_solves_its_statement(family):
    posed = (WELL_POSED | BROKEN)[family](Draw(3))
    if posed.truth is None:
        assert family in BROKEN
        return
    assert max(left_by_truth(posed).values()) < 1e-7


def test_another_solution_does_not():
    posed = WELL_POSED["poisson 2-d"](Draw(3))
    off = replace(posed, truth=lambda *at: {"u": posed.truth(*at)["u"] * 1.01})
    assert max(left_by_truth(off).values()) > 1e-3


def test_a_statement_follows_from_its_number():
    first, second, other = statement(61), statement(61), statement(61 + 46 * 5)
    points = first.posed.problem.domain.sample("interior", 5, None, "grid").x.T
    assert first.family == second.family
    assert all((first.posed.truth(*points)[n] == u).all() for n, u in second.posed.truth(*points).items())
    assert other.posed.problem.domain.bounds.tolist() != first.posed.problem.domain.bounds.tolist()


def test_families_are_many_and_take_turns():
    drawn = [statement(number) for number in range(500)]
    assert {each.family for each in drawn} == {*WELL_POSED, *BROKEN}
    assert sum(each.broken for each in drawn) == 100


@pytest.fixture(scope="module")
def forty(tmp_path_factory) -> list[Outcome]:
    out = tmp_path_factory.mktemp("study") / "rows.csv"
    return list(study([(number, "fixed") for number in range(40)], QUICK, out))


def test_nothing_wrong_is_called_good(forty):
    assert not [amiss(row) for row in forty if row.falsely_good]


def test_what_is_right_is_called_good(forty):
    right = [row for row in forty if row.right and not row.broken]
    assert len(right) >= 12
    assert all(row.good for row in right), [amiss(row) for row in right if not row.good]


def test_errors_are_estimated(forty):
    estimated = [row for row in forty if not row.broken and row.is_estimated]
    assert len(estimated) == sum(not row.broken for row in forty)
    assert sum(row.falls_short for row in estimated) <= 0.05 * len(estimated)
    assert not any(row.refused for row in forty if not row.broken)


ROW = Outcome(7, "fixed", "poisson", broken=False, good=True, error=1e-7, estimate=1e-7, ratio=1.0, least_ratio=1.0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ROW, ""),
        (replace(ROW, error=2e-2), "FALSE GOOD"),
        (replace(ROW, ratio=11.0), "FALSE GOOD"),
        (replace(ROW, error=math.inf, broken=True), "FALSE GOOD"),
        (replace(ROW, error=math.inf, broken=True, good=False), ""),
        (replace(ROW, good=False), "right, not good"),
        (replace(ROW, error=1e-5, good=False), ""),
        (replace(ROW, least_ratio=0.05), "estimate off"),
        (replace(ROW, error=math.inf, good=False, refused="too large"), "refused"),
    ],
)
def test_what_counts_as_amiss(row, expected):
    assert amiss(row).partition(": ")[2].startswith(expected)
    assert bool(amiss(row)) == bool(expected)


def test_figures_count():
    rows = [ROW, replace(ROW, good=False), replace(ROW, ratio=20.0), replace(ROW, broken=True, error=math.inf)]
    told = figures(rows)
    assert told["false goods"] == 2
    assert told["right, not"] == pytest.approx(1 / 3)
    assert told["within ten"] == pytest.approx(2 / 3)


def test_a_study_goes_on_where_it_was(tmp_path, monkeypatch):
    out, tasks = tmp_path / "rows.csv", [(number, "fixed") for number in (4, 21)]
    first = list(study(tasks[:1], QUICK, out))
    monkeypatch.setattr(verdict_study, "solved", lambda task, limits: replace(ROW, number=task[0]))
    rows = list(study(tasks, QUICK, out))
    assert [row.number for row in rows] == [4, 21]
    assert (rows[0].family, rows[0].complaints) == (first[0].family, first[0].complaints)
    with out.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
