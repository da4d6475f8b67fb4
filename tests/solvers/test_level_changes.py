"""From one level to the next: what rounding spoils, what L-BFGS remembers, and what lies beyond the knots."""

from __future__ import annotations

import pytest
import torch

from pinnml import KAN, LBFGS, Adam, Box, Equation, LevenbergMarquardt, Multilevel, Problem, Solution
from pinnml.calculus import total_order
from pinnml.networks.spline_network import SplineNetwork
from pinnml.solvers import Status, multilevel
from pinnml.system import System
from problems import poisson
from tests.helpers.solving import solve_once


def system_of(settings: SplineNetwork, problem: Problem, dtype: torch.dtype = torch.float64) -> System:
    """The system on 50 random samples of the interior and as many of the boundary."""
    generator = torch.Generator().manual_seed(0)
    network = settings.build(problem.domain, 1, generator, dtype, torch.device("cpu"))
    samples = {region: problem.domain.sample(region, 50, generator) for region in ("interior", "boundary")}
    return System.build(problem, network, samples)


@pytest.mark.parametrize(
    ("dtype", "normalise", "spoilt"),
    [(torch.float32, "none", True), (torch.float32, "tanh", False), (torch.float64, "none", False)],
)
def test_a_refinement_that_rounding_spoils_ends_the_solve(dtype, normalise, spoilt):
    """Splines of order 8 go on as polynomials over tens of intervals: eps u^7 is large in single precision."""
    system = system_of(KAN(3, 1, order=8, roughness=0.03, normalise=normalise), poisson.problem(), dtype)
    theta = system.initial()
    theta[: system.head.start] *= 3  # a third of the hidden values beyond the knots
    for _ in range(2):
        system, theta, _ = system.refine(theta)
    solver = Multilevel(inner=Adam(steps=1, rate=1e-9), levels=2)
    step = solver.step(system, theta, solver.init(system, theta))
    assert (step.report.status is Status.SPOILT) == spoilt
    assert (step.system is system) == spoilt
    assert float(step.system.loss(step.theta)) == pytest.approx(float(system.loss(theta)), rel=1e-2)


def test_a_solve_ends_on_the_level_that_rounding_would_spoil(monkeypatch):
    """What was trained is kept and judged, and the verdict tells the cure."""
    monkeypatch.setattr(multilevel, "_is_spoilt", lambda *_: True)
    solver = Multilevel(inner=Adam(steps=2), levels=2)
    solution = solve_once(poisson.problem(), KAN(3, 1, intervals=5), solver, points=100)
    assert solution.verdict.status is Status.SPOILT
    assert solution.verdict.notes["level"] == 0
    assert solution.settings["network"]["intervals"] == solution.network.basis.resolution == 5
    assert 'normalise="tanh"' in solution.verdict.complaints[0]
    assert not any("was the last one reached" in each for each in solution.verdict.complaints)


def test_a_solved_problem_may_be_refined():
    """From a solution at round-off the residual before the first step is no measure; its terms are."""
    curved = Problem(
        domain=Box(x=(0, 1)),
        fields="u",
        equations=(
            Equation(lambda u: u.d("xx") - 2, name="balance"),
            Equation(lambda u: u, on="boundary", name="wall"),
        ),
        exact=lambda x: x * x - x,
    )
    solved = solve_once(curved, KAN(5, 1, order=4, intervals=6), LevenbergMarquardt(steps=100), points=200)
    solver = Multilevel(inner=LevenbergMarquardt(steps=20), levels=2)
    again = solve_once(curved, start=solved, solver=solver, points=200)
    assert again.verdict.notes["level"] == 1
    assert again.verdict.error < 1e-12


def test_residuals_at_round_off_may_change_by_as_much():
    """Where the solution is zero, so are the terms: the change is measured by the residual before the first step."""
    flat = Problem(
        domain=Box(x=(0, 1)),
        fields="u",
        equations=(Equation(lambda u: u.d("xx"), name="balance"), Equation(lambda u: u, on="boundary", name="wall")),
        exact=lambda x: 0.0 * x,
    )
    solution = solve_once(flat, KAN(3, 1, normalise="tanh"), Multilevel(levels=2), points=50)
    assert solution.verdict.notes["level"] == 1
    assert solution.verdict.held_out["balance"] < 1e-6


@pytest.mark.parametrize(("coarse", "fine"), [(3, 40), (40, 3)])
def test_each_level_may_remember_another_number_of_pairs(coarse, fine):
    """L-BFGS carries over the newest pairs that both levels have room for."""
    system = system_of(KAN(3, 1), poisson.problem())
    solvers = {"coarse": LBFGS(steps=3, inner=4, memory=coarse), "inner": LBFGS(steps=3, inner=4, memory=fine)}
    solver = Multilevel(**solvers, levels=2)
    theta, state, kept = system.initial(), solver.init(system, system.initial()), []
    for _ in range(6):
        step = solver.step(system, theta, state)
        system, theta, state = step.system, step.theta, step.state
        kept.append(len(state.inner.optimiser.state[state.inner.parameter]["old_dirs"]))
    assert kept[1] == min(coarse, 7)  # a pair for each iteration but the first
    assert kept[2] == min(fine, coarse, 11)
    assert min(fine, kept[2] + 10) <= kept[5] <= fine


@pytest.mark.parametrize(
    ("after", "start", "spoilt"), [(5e-12, 1.0, False), (5e-12, 1e-12, True), (1.05e-12, 0.0, False)]
)
def test_a_change_counts_beside_the_residuals_and_beside_the_start(after, start, spoilt):
    """Residuals of 1e-12 may change by a tenth, and by 1.5e-8 of those before the first step."""
    before, changed = (torch.tensor([value, 0.0], dtype=torch.float64) for value in (1e-12, after))
    assert multilevel._is_spoilt(before, changed, start) == spoilt


def test_the_newest_pairs_are_carried_over():
    """A level that remembers three pairs gets the last three steps of the level before, prolonged."""
    system = system_of(KAN(3, 1), poisson.problem())
    coarse, fine = LBFGS(inner=8), LBFGS(inner=8, memory=3)
    state = coarse.init(system, system.initial())
    theta = coarse.step(system, system.initial(), state).theta
    finer, start, prolong = system.refine(theta)
    known = state.optimiser.state[state.parameter]["old_stps"]
    carried = fine.carried(state, finer, start, prolong)
    assert len(known) > 4
    for found, step in zip(carried.optimiser.state[carried.parameter]["old_stps"], known[-3:], strict=True):
        torch.testing.assert_close(found, prolong(step), rtol=0, atol=0)


def test_the_share_beyond_the_knots_is_one_of_all_samples():
    """Of the boundary and the interior, whichever equation comes first; they differ by half."""
    inside = Equation(lambda u: u.d("xx") + u.d("yy") + 1, name="balance")
    wall = Equation(lambda u: u, on="boundary", name="wall")
    told = []
    for equations in ((inside, wall), (wall, inside)):
        problem = Problem(domain=Box(x=(0, 1), y=(0, 1)), fields="u", equations=equations)
        solution = solve_once(problem, KAN(3, 1, roughness=1.0), Adam(steps=1, rate=1e-12), points=1000, seed=3)
        told.append(solution.verdict.notes["share beyond the knots"])
    assert told[0] == pytest.approx(told[1], rel=0.1)
    shares = [one_region(solution, region) for region in ("interior", "boundary")]
    assert abs(shares[0] - shares[1]) > 0.3 * told[0]
    assert min(shares) < told[0] < max(shares)


def one_region(solution: Solution, region: str) -> float:
    """The share beyond the knots at random points of one region."""
    network, domain = solution.network, solution.domain
    sample = domain.sample(region, 4000, torch.Generator().manual_seed(5))
    return network.basis.remarks(network.inputs(sample.x, total_order(domain.axes, 0)))["share beyond the knots"]
