"""Scripts of random problems: strong equations and weak forms are one, draws are solved, families are of their kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import Equation, reference
from pinnml.cli.findings import check
from pinnml.errors import ProblemError
from pinnml.surrogates.families.draws import Draws, with_draw
from pinnml.surrogates.families.family import Family
from tests.problems.test_problems import RANDOM, SCRIPTS

CASES = [(SCRIPTS[name], case) for name in sorted(RANDOM) for case in SCRIPTS[name].cases or (None,)]
IDS = [f"{script.name} {case or ''}".strip() for script, case in CASES]


def of(script, case):
    return script.problem(**({} if case is None else {"case": case}))


def test_these_scripts_are_random_and_others_are_not():
    assert {name for name, script in SCRIPTS.items() if script.problem().random} == RANDOM


@pytest.mark.parametrize(("script", "case"), CASES, ids=IDS)
def test_a_random_problem_is_checked_in_the_middle_and_says_how_it_is_solved(script, case):
    problem = of(script, case)
    found = check(problem, script.recipe())
    assert found.random == problem.random
    assert not found.problem.random
    with pytest.raises(ProblemError, match="the problem is random") as raised:
        script.recipe().solve(problem)
    assert "--draw" in (raised.value.cure or "")


@pytest.mark.parametrize(("script", "case"), CASES, ids=IDS)
def test_a_draw_is_solved(script, case):
    solution = reference(with_draw(of(script, case), 7))
    assert solution.verdict.good, solution.verdict.complaints
    assert (solution.verdict.worst_estimate or 1.0) < 1e-2


def test_flow_through_ground_of_a_known_kind_is_met_by_both_forms():
    problem = SCRIPTS["darcy_random"].problem()
    # kappa u_x = -x: u = log(1 + x) - x where kappa = 1 + x

    def exact(x):
        return torch.log(1 + x) - x

    def known(factor: float):
        drawn = problem.with_values({"kappa": lambda x, y: factor * (1 + x)})
        wall = Equation(lambda u, x: u - exact(x), on="boundary", name="wall")
        return check(replace(drawn, equations=(drawn.equations[0], wall), exact=exact))

    assert known(1.0).good
    wrong = known(1.1)
    assert {each.name for each in wrong.equations if not each.satisfied} == {
        "balance",
        "weak form u",
    } or wrong.complaints


def test_ground_has_the_values_that_the_script_says():
    script = SCRIPTS["darcy_random"]
    mesh = script.problem().domain
    two, log = (Draws(script.problem(case=case), mesh)(range(40))["kappa"] for case in ("two-valued", "log-normal"))
    assert set(np.unique(two)) == {3.0, 12.0}
    # far from walls the deviation is the one that is said, as far as 40 draws of one place or two can tell
    inside = np.abs(mesh.cells.points[mesh.cells.numbered(0)[1][:, 0]] - [0.25, 0.75]).max(axis=1) < 0.1
    assert np.log(log[:, inside]).std() == pytest.approx(0.48, rel=0.35)


def test_which_families_are_linear():
    linear = {"darcy_random": True}
    for name in RANDOM:
        assert Family.of(SCRIPTS[name].problem()).is_linear == linear[name]
