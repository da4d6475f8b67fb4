"""Scripts of random problems: strong equations and weak forms are one, draws are solved, families are of their kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import MLP, Element, Equation, reference
from pinnml.cli.findings import check
from pinnml.elements import Discretisation
from pinnml.errors import PinnmlError, ProblemError
from pinnml.solvers import Status
from pinnml.surrogates.families.draws import Draws, with_draw
from pinnml.surrogates.families.family import Family
from tests.helpers.catalogue import system
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


def test_ice_on_ground_of_known_friction_is_the_ice_that_flows_onto_the_sea():
    known = SCRIPTS["ice_shelf"].problem(friction=0.3)
    put_in, other = (SCRIPTS["ice_sheet"].problem().with_values({"friction": value}) for value in (0.3, 0.31))
    problems = (known, put_in, other)
    residuals = [s.residual(s.initial()) for s in (system(each, MLP(6, 2, "tanh")) for each in problems)]
    torch.testing.assert_close(residuals[1], residuals[0], rtol=1e-12, atol=1e-12)
    assert float((residuals[2] - residuals[0]).norm()) > 1e-4 * float(residuals[0].norm())
    parts = [Discretisation.build(each, each.domain, {"w": Element("P", 1)}) for each in problems]
    forms = [each.form(torch.device("cpu")) for each in parts]
    u = torch.randn(forms[0].size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weak = [form.residual(u) for form in forms]
    torch.testing.assert_close(weak[1], weak[0], rtol=1e-12, atol=1e-12)
    assert float((weak[2] - weak[0]).norm()) > 1e-4 * float(weak[0].norm())


@pytest.mark.slow
def test_fifty_draws_of_friction_are_solved_by_newton():
    problem = SCRIPTS["ice_sheet"].problem()
    family, draws = Family.of(problem), Draws(problem, problem.domain, seed=1)(range(50))
    for friction in draws["friction"]:
        found = family.solve({"friction": friction})
        assert found.status is Status.CONVERGED
        assert len(found.norms) < 12


def test_friction_that_makes_no_sense_is_refused_by_name():
    for values, words in (({"mean": 0.0}, "mean"), ({"deviation": -1.0}, "deviation"), ({"hardness": 0.0}, "hardness")):
        with pytest.raises(PinnmlError, match=words):
            SCRIPTS["ice_sheet"].problem(**values)


def test_which_families_are_linear():
    linear = {"darcy_random": True, "ice_sheet": False}
    for name in RANDOM:
        assert Family.of(SCRIPTS[name].problem()).is_linear == linear[name]
