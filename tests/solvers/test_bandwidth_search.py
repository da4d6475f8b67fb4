"""The search for bandwidth and activation: what it finds, what it leaves alone, and that it repeats."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from pinnml import LSGD, MLP, Box, Equation, Features, Problem
from pinnml.solvers.bandwidth_search import SCAN, best_ridges, searchable, with_ridges
from pinnml.solvers.head import fit_head
from pinnml.system import System
from problems import advection, heat, poisson
from tests.helpers.catalogue import system
from tests.helpers.solving import solve_once

FIXED = LSGD(hidden="fixed")


def held_out(problem, network, points: int = 150) -> System:
    s = system(problem, network, points)
    generator = torch.Generator().manual_seed(9)
    regions = [block.region for block in s.blocks]
    return s.with_held_out(s.on({region: problem.domain.held_out(region, points, generator) for region in regions}))


def judged(s: System, ridges) -> float:
    """The worst relative residual on held-out points of the fit in one basis."""
    trial = with_ridges(s, ridges)
    fit = fit_head(trial, trial.initial(), cutoffs=(1e-12,), balance=True)
    assert fit.system.held_out is not None
    return max(fit.system.held_out.relative(fit.theta).values())


def bandwidth(solution) -> list[float]:
    return [float(value) for value in solution.verdict.notes["bandwidth"].split()]


def bandwidth_of(verdict) -> float:
    return float(verdict.notes["bandwidth"])


@pytest.mark.slow
def test_bandwidth_of_fast_transport_is_found_unequal_and_reported():
    solution = solve_once(advection.problem(c=100.0), Features(300), FIXED, points=1000)
    in_x, again_in_x, in_t = bandwidth(solution)
    assert in_x == again_in_x  # the two inputs of the periodic axis move together
    assert in_t > 20 * in_x
    assert 50 < in_t < 300  # cos(100 t) needs a frequency of about 100
    assert solution.verdict.error is not None
    assert solution.verdict.error < 1e-4
    assert solution.settings["network"]["bandwidth"] == pytest.approx([in_x, in_x, in_t], rel=5e-3)
    equal = solve_once(advection.problem(c=100.0), Features(300, bandwidth=100.0), FIXED, points=1000)
    assert equal.verdict.error > 0.1


@pytest.mark.parametrize("given", [5.0, (3.0, 7.0)])
def test_a_given_bandwidth_is_left_alone(given):
    network = Features(60, bandwidth=given)
    s = system(heat.problem(), network)
    assert searchable(s) is None
    step = FIXED.step(s, s.initial(), FIXED.init(s, s.initial()))
    assert "bandwidth" not in step.report.notes
    assert torch.equal(step.theta[s.hidden], s.initial()[s.hidden])
    settled = solve_once(heat.problem(), network, FIXED, points=200).settings["network"]["bandwidth"]
    assert settled == list(given if isinstance(given, tuple) else (given, given))


@pytest.mark.parametrize("network", [MLP(20, 1), MLP(8, 2), MLP(20, 1, "tanh", init="box")])
def test_networks_that_leave_nothing_open_are_not_searched(network):
    assert searchable(system(heat.problem(), network)) is None


def test_a_search_can_be_forbidden():
    s = system(heat.problem(), Features(40))
    solver = replace(FIXED, search=False)
    step = solver.step(s, s.initial(), solver.init(s, s.initial()))
    assert "bandwidth" not in step.report.notes
    assert torch.equal(step.theta[s.hidden], s.initial()[s.hidden])


@pytest.mark.parametrize("make", [heat.problem, lambda: poisson.problem("expcos")])
def test_found_bandwidth_is_judged_better_than_every_equal_one_and_its_neighbours(make):
    s = held_out(make(), Features(60))
    ridges = searchable(s)
    assert ridges is not None
    found, _ = best_ridges(s, ridges)
    small = s.subset(120)
    assert s.held_out is not None
    small = small.with_held_out(s.held_out.subset(60))
    best = judged(small, found)
    scan = [judged(small, replace(ridges, bandwidth=torch.full_like(ridges.bandwidth, value))) for value in SCAN]
    assert best <= min(scan)
    assert best < 1e-2 * max(scan)
    for axis, factor in itertools.product((0, 1), (2.0, 0.5)):
        other = found.bandwidth.clone()
        other[axis] *= factor
        assert best <= 1.05 * judged(small, replace(found, bandwidth=other))


def test_search_changes_the_bandwidth_and_nothing_else_of_the_draw():
    s = held_out(heat.problem(), Features(60))
    ridges = searchable(s)
    assert ridges is not None
    found, _ = best_ridges(s, ridges)
    assert torch.equal(found.directions, ridges.directions)
    assert torch.equal(found.phases, ridges.phases)
    assert found.activation == "sine"
    assert not torch.equal(found.bandwidth, ridges.bandwidth)


def test_open_activation_is_settled_with_the_bandwidth():
    s = held_out(poisson.problem("sine"), Features(60, activation="search"))
    ridges = searchable(s)
    assert ridges is not None
    assert ridges.searched == ("bandwidth", "activation")
    found, _ = best_ridges(s, ridges)
    assert s.held_out is not None
    small = s.subset(120).with_held_out(s.held_out.subset(60))
    best = judged(small, found)
    for activation in ("sine", "tanh", "gaussian"):
        for value in SCAN:
            other = replace(ridges, activation=activation, bandwidth=torch.full_like(ridges.bandwidth, value))
            assert best <= judged(small, other)


def test_an_activation_can_be_searched_with_the_bandwidth_given():
    s = held_out(heat.problem(), Features(40, activation="search", bandwidth=6.0))
    ridges = searchable(s)
    assert ridges is not None
    assert torch.equal(best_ridges(s, ridges)[0].bandwidth, torch.full((2,), 6.0, dtype=torch.float64))


def test_search_happens_once():
    s = held_out(heat.problem(), Features(40))
    solver = LSGD()
    first = solver.step(s, s.initial(), solver.init(s, s.initial()))
    second = solver.step(first.system, first.theta, first.state)
    assert searchable(first.system) is None
    assert "bandwidth" in first.report.notes
    assert "bandwidth" not in second.report.notes


@pytest.mark.slow
def test_a_seed_repeats_the_search_and_the_solution_and_another_draws_anew():
    first, again, other = (solve_once(heat.problem(), Features(60), FIXED, points=200, seed=s) for s in (1, 1, 2))
    assert bandwidth(first) == bandwidth(again)
    assert first.verdict.error == again.verdict.error
    assert first.verdict.error != other.verdict.error


def bump(width: float) -> Problem:
    """A narrow Gaussian, to be fitted."""
    fit = Equation(lambda u, x: u - torch.exp(-(((x - 0.5) / width) ** 2)), name="fit")
    ends = Equation(lambda u: u, on="boundary", name="ends")
    return Problem(domain=Box(x=(0, 1)), fields="u", equations=(fit, ends))


def test_what_is_too_narrow_for_the_basis_is_told_with_the_bandwidth_and_how_to_raise_it():
    given = {"solver": FIXED, "points": 900}
    verdict = solve_once(bump(5e-3), Features(150), **given).verdict
    assert not verdict.good
    (complaint,) = (each for each in verdict.complaints if "hardly solved" in each)
    assert "something in them is too narrow, or too steep, for this basis" in complaint
    (warning,) = verdict.warnings
    found = bandwidth_of(verdict)
    assert found >= SCAN[-1]
    assert f"which scans 1 to 128, ended at {found:g}" in warning
    assert f"bandwidth=({2 * found:g},))" in warning
    wide = solve_once(bump(0.1), Features(150), **given).verdict
    assert wide.good
    assert wide.warnings == ()
    cured = solve_once(bump(5e-3), Features(600, bandwidth=(1200,)), **(given | {"points": 3000})).verdict
    assert max(cured.relative.values()) < 1e-3
