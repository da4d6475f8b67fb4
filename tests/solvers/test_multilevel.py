"""Multilevel training: what each level gets, what is carried from one to the next, and what the next one adds."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from itertools import groupby, pairwise

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from pinnml import (
    KAN,
    LBFGS,
    MLP,
    Adam,
    Box,
    Equation,
    LevenbergMarquardt,
    MultichannelMLP,
    Multilevel,
    Points,
    Problem,
)
from pinnml.cli.settings import chosen
from pinnml.cli.summary import described_in_short, print_summary
from pinnml.errors import SettingsError
from pinnml.networks.knots import Knots
from pinnml.networks.nesting import change_of_basis
from pinnml.networks.spline_network import SplineNetwork
from pinnml.results import described
from pinnml.run import Recipe, prepared
from pinnml.solvers import SOLVERS
from pinnml.solvers.gradient import lifted
from pinnml.solvers.levenberg_marquardt import State as DampedState
from pinnml.system import System
from problems import poisson, regression
from tests.helpers.solving import solve_once


def wave() -> Problem:
    """The target of the regression, on few points."""
    return regression.problem(points=400)


def levels_of(solver: Multilevel, network: SplineNetwork | None = None) -> list[tuple[int, int, float]]:
    """For each level its number, its steps, and the work at its end."""
    seen: list[tuple[int, float]] = []

    def note(progress) -> None:
        seen.append((int(progress.notes["level"]), float(progress.notes["work"])))

    solve_once(wave(), network or KAN(3, 1, intervals=4), solver, callback=note)
    return [(level, len(group := list(rows)), group[-1][1]) for level, rows in groupby(seen, lambda row: row[0])]


def test_every_level_gets_the_steps_of_the_schedule_and_counts_its_work():
    solver = Multilevel(inner=Adam(), levels=3, schedule=(6, 4, 3))
    assert levels_of(solver) == [(0, 6, 6.0), (1, 4, 14.0), (2, 3, 26.0)]
    assert solver.most_steps == 13


def test_levels_before_the_last_have_a_solver_of_their_own():
    solver = Multilevel(coarse=Adam(steps=5), inner=LevenbergMarquardt(steps=3), levels=2)
    assert [(level, steps) for level, steps, _ in levels_of(solver)] == [(0, 5), (1, 3)]
    assert solver.most_steps == 8


def test_notes_of_a_solver_end_with_its_level():
    solver = Multilevel(coarse=LevenbergMarquardt(steps=2), inner=Adam(steps=2), levels=2)
    coarse = solve_once(wave(), KAN(3, 1, intervals=4), LevenbergMarquardt(steps=2))
    notes = solve_once(wave(), KAN(3, 1, intervals=4), solver).verdict.notes
    assert "damping" in coarse.verdict.notes
    assert "damping" not in notes
    assert (notes["level"], notes["work"]) == (1, 6.0)


def test_every_level_may_have_a_solver_of_its_own():
    coarse = (Adam(steps=5), LBFGS(steps=4))
    solver = Multilevel(coarse=coarse, inner=LevenbergMarquardt(steps=3), levels=3)
    assert [(level, steps) for level, steps, _ in levels_of(solver)] == [(0, 5), (1, 4), (2, 3)]
    record = described(solver)
    assert [each["kind"] for each in record["coarse"]] == ["adam", "lbfgs"]
    text = described_in_short(record, SOLVERS)
    assert "coarse=((adam:steps=5),(lbfgs:steps=4))" in text
    assert chosen(text, "solver", SOLVERS, None) == solver
    with pytest.raises(SettingsError, match="coarse") as caught:
        Multilevel(coarse=coarse, levels=2)
    assert "levels=3" in str(caught.value.cure)
    with pytest.raises(SettingsError, match="coarse"):
        Multilevel(coarse=(Adam(), Multilevel()), levels=3)


def test_a_level_that_stalls_is_refined_before_its_steps_are_up():
    solver = Multilevel(inner=LevenbergMarquardt(steps=200, patience=3), levels=2)
    (_, first, _), (_, _, _) = levels_of(solver, KAN(1, 1, intervals=2))
    assert first < 200


def test_coarse_levels_use_a_part_of_the_samples_and_the_last_one_all():
    system = prepared(wave(), Recipe(KAN(3, 1, intervals=4)))
    solver = Multilevel(inner=LevenbergMarquardt(steps=1), levels=2, oversampling=2.0)
    theta = system.initial()
    state = solver.init(system, theta)
    step = solver.step(system, theta, state)
    assert state.part is not None
    assert state.part.n_residuals == 2 * system.n_params < system.n_residuals
    assert step.state.part is None
    assert step.system.n_residuals == system.n_residuals
    # the loss is that of all samples again, so that what comes after can be compared with it
    assert step.report.loss == pytest.approx(float(step.system.loss(step.theta)), rel=1e-12)


def test_a_solve_that_is_interrupted_on_a_coarse_level_is_judged_on_all_samples():
    solver = Multilevel(inner=LevenbergMarquardt(steps=30), levels=2, oversampling=1.0)
    solution = solve_once(
        poisson.problem(), KAN(3, 1), solver, points=600, callback=lambda progress: progress.step == 5
    )
    assert solution.settings["points"]["interior"] == 600
    assert solution.verdict.notes["level"] == 0


def test_a_level_that_fits_its_few_samples_does_not_count_as_divergence():
    coarse = LevenbergMarquardt(steps=60, patience=60)
    solver = Multilevel(coarse=coarse, inner=LevenbergMarquardt(steps=10), levels=2, oversampling=1)
    solution = solve_once(regression.problem(2000), KAN(3, 1, intervals=4), solver, points=2000)
    assert solution.verdict.status.name != "DIVERGED"
    assert solution.verdict.notes["level"] == 1


def test_weights_that_a_level_settles_on_are_kept():
    inner = LevenbergMarquardt(steps=3, balance=True)
    solver = Multilevel(inner=inner, levels=2, oversampling=2.0)
    system = prepared(poisson.problem(), Recipe(KAN(3, 1), points=400))
    theta = system.initial()
    step = solver.step(system, theta, solver.init(system, theta))
    assert step.system.weights != system.weights
    for _ in range(2):
        step = solver.step(step.system, step.theta, step.state)
    assert step.state.level == 1
    assert step.system.weights != system.weights


def test_unknown_numbers_of_a_problem_survive_a_refinement():
    def cooling(u, rate):
        return u.d("t") + rate * u

    t = np.linspace(0, 1, 20)
    problem = Problem(
        domain=Box(t=(0, 1)),
        fields=("u",),
        equations=(Equation(cooling), Equation(lambda u, seen: u - seen, on="sensor", name="fit")),
        parameters={"rate": 1.0},
        data={"sensor": Points({"t": t}, {"seen": np.exp(-2.5 * t)})},
    )
    system = prepared(problem, Recipe(KAN(2, 1), points=40))
    theta = system.initial()
    theta[system.own] = 1.7
    for share in (None, 0.5):
        fine, start, prolong = system.refine(theta, share)
        assert float(start[fine.own]) == 1.7
        assert float(prolong(theta)[fine.own]) == 1.7
    verdict = solve_once(problem, KAN(2, 1, order=6), Multilevel(inner=LevenbergMarquardt(steps=20), levels=2)).verdict
    assert verdict.parameters_found["rate"] == pytest.approx(2.5, rel=1e-4)


@pytest.mark.slow
def test_local_refinement_takes_fewer_functions():
    def size(adaptive: float | None) -> int:
        solver = Multilevel(inner=LevenbergMarquardt(steps=5), levels=3, adaptive=adaptive)
        network = solve_once(wave(), KAN(3, 1, intervals=6, knots="input"), solver).network
        return sum(p.numel() for p in network.parameters())

    assert size(0.3) < size(0.7) < size(None)


# What is carried over


@pytest.mark.parametrize("network", [KAN(3, 1, intervals=4), KAN(2, 2, first="linear", bias=True)])
def test_a_lifted_gradient_is_seen_as_it_was_on_the_coarse_level(network):
    system = prepared(poisson.problem(), Recipe(network, points=60))
    theta = system.initial()
    _, _, prolong = system.refine(theta)
    gradient = system.loss_and_gradient(theta)[1]
    fine = lifted(gradient, prolong)
    transposed = torch.func.vjp(prolong, torch.zeros_like(theta))[1]
    torch.testing.assert_close(transposed(fine)[0], gradient, rtol=1e-10, atol=1e-12 * float(gradient.abs().max()))


def refined_state(inner, steps: int):
    """The states before and after the first refinement."""
    solver = Multilevel(inner=inner, levels=2, schedule=(steps, 1))
    system = prepared(wave(), Recipe(KAN(3, 1, intervals=4)))
    theta = system.initial()
    state, states = solver.init(system, theta), []
    for _ in range(steps):
        step = solver.step(system, theta, state)
        system, theta, state = step.system, step.theta, step.state
        states.append(state)
    return states[-2].inner, states[-1].inner


def test_curvature_is_carried_over():
    before, after = (s.optimiser.state[s.parameter] for s in refined_state(LBFGS(inner=1), 6))
    products = [[float(a @ b) for a, b in zip(s["old_stps"], s["old_dirs"], strict=True)] for s in (before, after)]
    # (P s) . y' = s . P^T y' = s . y; the last step of the level added one pair
    assert products[1][: len(products[0])] == pytest.approx(products[0], rel=1e-9)
    assert len(after["old_stps"][0]) > len(before["old_stps"][0])


def test_a_trust_radius_is_carried_over():
    solver, system = LevenbergMarquardt(), prepared(wave(), Recipe(KAN(3, 1, intervals=4)))
    fine, theta, prolong = system.refine(system.initial())
    after = solver.carried(DampedState(0.37, (3.0, 2.0, 1.0), (0.1, 0.2)), fine, theta, prolong)
    assert after == DampedState(0.37, (3.0,))


def test_moments_of_adam_are_carried_over():
    before, after = refined_state(Adam(), 4)
    old, new = before.optimiser.state[before.parameter], after.optimiser.state[after.parameter]
    assert float(new["step"]) == 4
    assert len(new["exp_avg"]) == len(after.parameter) > len(old["exp_avg"])
    # roots are prolonged: none becomes negative, and each is at most the largest
    assert bool((new["exp_avg_sq"] >= 0).all())
    assert float(new["exp_avg_sq"].max()) <= float(old["exp_avg_sq"].max()) * (1 + 1e-12)


def test_the_rate_of_adam_goes_on_where_it_was():
    solver = Adam(ramp=10, decay=0.5, cycle=7)
    before, after = refined_state(solver, 4)
    assert (before.step, after.step) == (3, 4)


def test_a_level_begins_anew_where_nothing_is_to_be_carried_over():
    solver = Multilevel(inner=Adam(), levels=2, schedule=(3, 1), transfer=False)
    system = prepared(wave(), Recipe(KAN(3, 1, intervals=4)))
    theta = system.initial()
    state = solver.init(system, theta)
    for _ in range(3):
        step = solver.step(system, theta, state)
        system, theta, state = step.system, step.theta, step.state
    assert state.level == 1
    assert not state.inner.optimiser.state


def test_the_last_level_ends_at_the_first_step_below_its_tolerance():
    network = KAN(6, 1, order=6, intervals=4)
    solver = Multilevel(inner=LevenbergMarquardt(steps=60, tolerance=1e-3), levels=2, schedule=(4, 60))
    left: list[float] = []

    def watch(progress):
        left.append(progress.notes["relative residual"])

    solution = solve_once(poisson.problem(), network, solver, points=400, callback=watch)
    assert solution.verdict.status.name == "CONVERGED"
    assert left[-1] <= 1e-3 < left[-2]
    system = prepared(poisson.problem(), Recipe(network, points=400)).with_network(solution.network)
    assert left[-1] == pytest.approx(max(system.relative(system.initial()).values()), rel=1e-6)


# What a level adds


def trained_on_coarse(problem: Problem) -> tuple[System, Tensor]:
    """A coarse spline network with nothing left to gain."""
    solver = LevenbergMarquardt(steps=60)
    system = prepared(problem, Recipe(KAN(3, 1, order=3, intervals=4)))
    theta, state = system.initial(), None
    state = solver.init(system, theta)
    for _ in range(60):
        step = solver.step(system, theta, state)
        theta, state = step.theta, step.state
    return system, theta


@pytest.mark.slow
def test_splines_add_what_the_coarse_level_could_not_and_relus_do_it_again():
    coarse, theta = trained_on_coarse(wave())
    fine, start, _ = coarse.refine(theta)
    gradient = fine.loss_and_gradient(start)[1]
    knots = [Knots.uniform(*ends, 8, 3) for ends in ((0.0, 1.0), (-1.0, 1.0))]
    inverse = [torch.linalg.inv(each.spacing**2 * change_of_basis(each)) for each in knots]
    matrix = _prolongation(coarse, theta)
    shares = {}
    for name, update in {"splines": gradient, "relus": _by_edge(gradient, inverse)}.items():
        inside = torch.linalg.lstsq(matrix, update.unsqueeze(1)).solution
        shares[name] = float((update - (matrix @ inside).squeeze(1)).square().sum() / update.square().sum())
    # at a minimum of the coarse level P^T g = 0: a step along g in splines adds nothing but new functions, while
    # one in power-ReLU weights, A^-T A^-1 g in splines, moves the smooth ones that are there already
    assert shares["splines"] > 0.9
    assert shares["relus"] < 0.1


def _prolongation(coarse: System, theta: Tensor) -> Tensor:
    _, _, prolong = coarse.refine(theta)
    return torch.stack([prolong(column) for column in torch.eye(len(theta), dtype=theta.dtype)], dim=1)


def _by_edge(gradient: Tensor, inverse: list[Tensor]) -> Tensor:
    """A^-T A^-1 g on every edge of a network 2-3-1."""
    parts, start = [], 0
    for (p, q), a in zip(((2, 3), (3, 1)), inverse, strict=True):
        size = p * len(a) * q
        part = gradient[start : start + size].view(p, len(a), q)
        parts.append(torch.einsum("piq,ik->pkq", part, (a.mT @ a)).reshape(-1))
        start += size
    return torch.cat(parts)


@pytest.mark.slow
def test_levels_of_splines_gain_and_levels_of_relus_stand_still():
    def losses(kind: type[SplineNetwork]) -> list[float]:
        rows: list[tuple[int, float]] = []
        network = kind(5, 1, order=4, intervals=5, first="linear", normalise="range")
        solver = Multilevel(inner=LBFGS(inner=1), levels=4, schedule=(32, 16, 8, 4))
        solve_once(
            regression.problem(2000), network, solver, callback=lambda p: rows.append((p.notes["level"], p.loss))
        )
        return [[loss for level, loss in rows if level == each][-1] for each in range(4)]

    splines, relus = losses(KAN), losses(MultichannelMLP)
    assert all(after < before / 1.5 for before, after in pairwise(splines))
    assert splines[-1] < splines[0] / 20
    assert relus[-1] > relus[0] / 3


# What is refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schedule": (3, 4)}, "3 numbers"),
        ({"schedule": (3, 0, 4)}, "whole number"),
        ({"adaptive": 1.5}, "share"),
        ({"adaptive": 0.0}, "above 0"),
        ({"oversampling": -1}, "above 0"),
        ({"oversampling": 0.7}, "1 or more"),
        ({"schedule": 5}, "3 numbers"),
        ({"schedule": "555"}, "3 numbers"),
        ({"coarse": 0}, "solver of one level"),
        ({"inner": LevenbergMarquardt(seconds=3)}, "time limit of its own"),
        ({"inner": Multilevel()}, "solver of one level"),
        ({"coarse": "lm"}, "solver of one level"),
        ({"transfer": "yes"}, "True or False"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(SettingsError, match=words):
        Multilevel(**options)


def test_a_network_without_levels_is_refused_before_the_first_step():
    seen: list[int] = []
    with pytest.raises(SettingsError, match="no levels to refine"):
        solve_once(poisson.problem(), MLP(10, 1), Multilevel(), points=100, callback=lambda p: seen.append(p.step))
    assert not seen


@pytest.mark.parametrize(
    ("network", "solver", "words"),
    [
        (KAN(2, 1), {"levels": 60}, "too many levels"),
        (KAN(2, 1, intervals=5), {"levels": 11}, "5 intervals, 10 times halved"),
        (MultichannelMLP(2, 1, order=6, intervals=16), {"levels": 3}, "too many digits"),
    ],
)
def test_levels_that_cannot_be_are_refused_before_the_first_step(network, solver, words):
    seen: list[int] = []
    with pytest.raises(SettingsError, match=words):
        solve_once(wave(), network, Multilevel(inner=Adam(steps=2), **solver), callback=lambda p: seen.append(p.step))
    assert not seen
    control = Multilevel(inner=Adam(steps=2, rate=1e-9), levels=2)
    assert solve_once(wave(), network, control).verdict.notes["level"] == 1


def test_knots_that_are_not_numbers_are_named():
    with pytest.raises(SettingsError, match="knots must increase") as caught:
        Knots(torch.tensor([0.0, 1.0, torch.nan, 3.0]), 2)
    assert "nan" in str(caught.value.got)


@pytest.mark.parametrize(("share", "told"), [(0.33, True), (0.001, False)])
def test_the_command_line_tells_of_values_beyond_the_knots(share, told):
    solution = solve_once(wave(), KAN(2, 1), Adam(steps=1))
    notes = {**solution.verdict.notes, "share beyond the knots": share}
    console = Console(file=StringIO(), width=200)
    print_summary(console, replace(solution, verdict=replace(solution.verdict, notes=notes)))
    assert ("33% of the values lie beyond them" in console.file.getvalue()) == told  # pyright: ignore


def test_a_verdict_tells_of_levels_that_were_not_reached():
    solver = Multilevel(inner=Adam(steps=5), levels=3, steps=7)
    assert any(text.startswith("Level 2 of 3") for text in solve_once(wave(), KAN(2, 1), solver).verdict.complaints)
    whole = solve_once(wave(), KAN(2, 1), Multilevel(inner=Adam(steps=5), levels=3)).verdict
    assert not any("last one reached" in text for text in whole.complaints)


@pytest.mark.slow
def test_a_schedule_of_numpy_is_kept_as_plain_numbers(tmp_path):
    solver = Multilevel(inner=LevenbergMarquardt(), levels=2, schedule=np.array([2, 2]))
    assert solver.schedule == (2, 2)
    solve_once(poisson.problem(), KAN(2, 1), solver, points=60, out=tmp_path / "run")
