"""A run that goes on ends as one that was never cut short, to the last bit, whatever the solver."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pinnml import KAN, LBFGS, LSGD, MLP, Adam, Features, LevenbergMarquardt, Multilevel, Recipe, load, solve
from pinnml.deadline import Deadline, OutOfTimeError
from pinnml.errors import CheckpointError, SettingsError
from pinnml.results import read_progress
from pinnml.run import loop as loops
from pinnml.solvers import Schedule, Status
from problems import heat
from tests.helpers.runs import cut_short, in_two_parts, numbers, without_pictures
from tests.helpers.solving import Scripted, rod

TANH, SPLINES = MLP(5, 2, "tanh"), KAN(3, intervals=2)
POINTS = {"points": 40, "verify": False}


@pytest.fixture(autouse=True)
def light(monkeypatch) -> None:
    """Nothing that takes long to write."""
    without_pictures(monkeypatch)


def heated():
    """The equation of heat with a diffusivity to be found."""
    known = heat.problem()
    inverse = heat.Problem(
        domain=known.domain,
        fields=("u",),
        equations=(heat.Equation(lambda u, kappa: u.d("t") - kappa * u.d("xx"), name="heat"), *known.equations[1:]),
        parameters={"kappa": 0.2},
    )
    return inverse


def levels(inner, **options) -> Multilevel:
    return Multilevel(inner=inner, levels=2, schedule=(3, 5), **options)


WAYS = {
    "lm": (TANH, LevenbergMarquardt(steps=8, tolerance=0.0)),
    "lm, rebalanced": (TANH, LevenbergMarquardt(steps=8, tolerance=0.0, balance=True, rebalance=0.3)),
    "lm, schedule": (TANH, LevenbergMarquardt(steps=8, tolerance=0.0, damping=Schedule(1.0, 1e-3, 6))),
    "adam": (TANH, Adam(steps=8, ramp=6, cycle=5, decay=0.5)),
    "lbfgs": (TANH, LBFGS(steps=8, inner=4, memory=6)),
    "lsgd": (Features(12, bandwidth=3), LSGD(steps=8, tolerance=0.0)),
    "lsgd, searched": (Features(6), LSGD(steps=8, tolerance=0.0, cutoff=1e-6)),
    "lsgd, projected": (Features(12, bandwidth=3), LSGD(steps=8, tolerance=0.0, hidden="gauss-newton", damping=1e-9)),
    "levels of lm": (SPLINES, levels(LevenbergMarquardt(tolerance=0.0), oversampling=1.5)),
    "levels of adam": (SPLINES, levels(Adam())),
    "levels of lbfgs": (SPLINES, levels(LBFGS(inner=3), coarse=Adam())),
    "levels where the residual is": (SPLINES, levels(LBFGS(inner=3), adaptive=0.6)),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_solver_ends_as_if_it_had_not_been_cut_short(tmp_path, way):
    network, solver = WAYS[way]
    problem = rod() if network is SPLINES else heated()
    whole = solve(problem, network, solver, **POINTS)
    for step in (2, 5):  # before and after a refinement
        both = in_two_parts(step, tmp_path / str(step), problem, network, solver, **POINTS)
        assert torch.equal(numbers(both), numbers(whole))
        assert (both.verdict.steps, both.verdict.status) == (whole.verdict.steps, whole.verdict.status)
        assert both.verdict.notes == whole.verdict.notes
        rows = [row["step"] for row in both.history]
        assert rows == sorted(rows)
        assert (rows[0], rows[-1]) == (whole.history[0]["step"], whole.verdict.steps)


def test_beginning_anew_from_the_fields_is_not_the_same(tmp_path):
    # the state of the solver matters, so that the tests above can tell
    network, solver = WAYS["lbfgs"]
    whole = solve(rod(), network, solver, **POINTS)
    half = solve(rod(), network, LBFGS(steps=4, inner=4, memory=6), **POINTS)
    anew = solve(rod(), solver=LBFGS(steps=4, inner=4, memory=6), start=half, **POINTS)
    assert not torch.equal(numbers(anew), numbers(whole))


def test_a_run_is_cut_short_again_and_again(tmp_path):
    network, solver = WAYS["lm"]
    given = (heated(), network, solver)
    whole = solve(*given, **POINTS)
    for step in (1, 3, 4, 7):
        with pytest.raises(RuntimeError):
            solve(*given, **POINTS, **{"out" if step == 1 else "resume": tmp_path / "run"}, callback=cut_short(step))
    both = solve(*given, **POINTS, resume=tmp_path / "run")
    assert torch.equal(numbers(both), numbers(whole))
    assert both.folder == tmp_path / "run"


def test_a_run_that_began_from_a_solution_goes_on(tmp_path):
    start = solve(rod(), TANH, Adam(steps=3), **POINTS)
    whole = solve(rod(), solver=Adam(steps=8), start=start, **POINTS)
    with pytest.raises(RuntimeError):
        solve(rod(), solver=Adam(steps=8), start=start, **POINTS, out=tmp_path / "run", callback=cut_short(4))
    assert torch.equal(numbers(solve(rod(), solver=Adam(steps=8), **POINTS, resume=tmp_path / "run")), numbers(whole))


def test_a_whole_run_that_a_limit_has_ended_goes_on_and_stays_until_it_has(tmp_path):
    whole = solve(rod(), TANH, Adam(steps=8), **POINTS)
    folder = tmp_path / "run"
    first = solve(rod(), TANH, Adam(steps=5), **POINTS, out=folder)
    assert first.verdict.status is Status.STEPS
    same = solve(rod(), TANH, Adam(steps=5), **POINTS, resume=folder)
    assert same.verdict.to_json() == first.verdict.to_json(), "nothing to go on with: it is handed back as it is"
    with pytest.raises(RuntimeError):
        solve(rod(), TANH, Adam(steps=8), **POINTS, resume=folder, callback=cut_short(6))
    assert load(folder / "checkpoint.pt").verdict.steps == 5
    again = solve(rod(), TANH, Adam(steps=8), **POINTS, resume=folder)
    assert torch.equal(numbers(again), numbers(whole))
    assert load(folder / "checkpoint.pt").verdict.steps == 8
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_a_run_that_has_ended_by_itself_is_handed_back(tmp_path):
    given = (rod(), Features(30, bandwidth=4), LSGD(hidden="fixed", tolerance=0.0))
    first = solve(*given, **POINTS, out=tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    again = solve(*given, **POINTS, resume=tmp_path / "run")
    assert torch.equal(numbers(again), numbers(first))
    assert again.verdict.to_json() == first.verdict.to_json()
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_random_streams_and_threads_go_on(tmp_path):
    drawn = []

    def watched(progress):
        drawn.append((float(torch.rand(1)), float(np.random.rand()), random.random()))  # noqa: NPY002
        if progress.step == 3 and len(drawn) == 3:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        solve(rod(), TANH, Adam(steps=6), **POINTS, out=tmp_path / "run", callback=watched)
    expected = [float(torch.rand(1)), float(np.random.rand()), random.random()]  # noqa: NPY002
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    seen = []

    def watched_again(progress):
        watched(progress)
        seen.append(torch.get_num_threads())

    try:
        solve(rod(), TANH, Adam(steps=6), **POINTS, resume=tmp_path / "run", callback=watched_again)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert list(drawn[3]) == expected
    assert set(seen) == {before}


@dataclass(frozen=True, kw_only=True)
class Foreign(Scripted):
    """A solver that says nothing of its state."""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "seed"),
        ({"network": MLP(5, 2, "sine")}, "network"),
        ({"network": MLP(6, 2, "tanh")}, "another network"),
        ({"solver": Adam(steps=8, rate=1e-2)}, "solver"),
        ({"points": 50}, "points"),
        ({"rule": "sobol"}, "rule"),
        ({"dtype": torch.float32}, "dtype"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_is_asked_otherwise_than_then_is_named(tmp_path, changes, words):
    asked = {"network": TANH, "solver": Adam(steps=8), **POINTS}
    with pytest.raises(RuntimeError):
        solve(rod(), **asked, out=tmp_path / "run", callback=cut_short(2))
    with pytest.raises((SettingsError, CheckpointError), match=words) as refused:
        solve(rod(), **(asked | changes), resume=tmp_path / "run")
    assert refused.value.cure


def test_another_problem_of_the_same_fields_is_refused(tmp_path):
    with pytest.raises(RuntimeError):
        solve(heat.problem(), TANH, Adam(steps=8), **POINTS, out=tmp_path / "run", callback=cut_short(2))
    with pytest.raises(CheckpointError, match="another problem"):
        solve(rod(), TANH, Adam(steps=8), **POINTS, resume=tmp_path / "run")


def test_where_there_is_nothing_to_go_on_with_this_is_told(tmp_path):
    with pytest.raises(SettingsError, match="no run to go on with"):
        solve(rod(), TANH, Adam(steps=8), **POINTS, resume=tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError):
        solve(rod(), TANH, Foreign(losses=(1.0,)), **POINTS, out=tmp_path / "run", callback=cut_short(2))
    with pytest.raises(CheckpointError, match="cannot be gone on with"):
        solve(rod(), TANH, Foreign(losses=(1.0,)), **POINTS, resume=tmp_path / "run")
    with pytest.raises(SettingsError, match="out"):
        solve(rod(), TANH, Adam(steps=8), **POINTS, resume=tmp_path / "run", out=tmp_path / "other")


def test_a_recipe_goes_on_as_well(tmp_path):
    recipe = Recipe(TANH, Adam(steps=8), points=40)
    whole = recipe.solve(rod(), verify=False)
    with pytest.raises(RuntimeError):
        recipe.solve(rod(), verify=False, out=tmp_path / "run", callback=cut_short(3))
    assert torch.equal(numbers(recipe.solve(rod(), verify=False, resume=tmp_path / "run")), numbers(whole))


def test_checkpoints_do_not_grow_with_the_history(tmp_path, monkeypatch):
    monkeypatch.setattr(loops, "LONGEST_HISTORY", 20)
    monkeypatch.setattr(loops, "MEASURE_PATIENCE", 0.0)
    solution = solve(rod(), TANH, Adam(steps=300), **POINTS, out=tmp_path / "run")
    rows = [row["step"] for row in solution.history]
    assert 8 <= len(rows) <= 20
    assert rows[-1] == 300
    assert max(np.diff(rows)) <= 2 * 300 / 10
    progress = read_progress(tmp_path / "run" / "checkpoint.pt")
    assert progress is not None
    assert progress["spacing"] >= 8


def test_a_step_that_time_has_cut_short_is_taken_anew(tmp_path, monkeypatch):
    solver = LBFGS(steps=6, inner=5, seconds=10**6)
    whole = solve(rod(), TANH, solver, **POINTS)
    calls, stop = [0], []

    def late(deadline: Deadline) -> None:
        if deadline.moment is None:
            return
        calls[0] += 1
        if len(stop) == 3:
            calls[0], stop[:] = 0, [0] * 4
        if len(stop) > 3 and calls[0] > 3:  # in the middle of the fourth step
            raise OutOfTimeError

    with monkeypatch.context() as patched:
        patched.setattr(Deadline, "check", late)
        cut = solve(rod(), TANH, solver, **POINTS, out=tmp_path / "run", callback=lambda _: stop.append(0))
    assert cut.verdict.status is Status.SECONDS
    assert cut.verdict.steps == 4
    assert torch.equal(numbers(solve(rod(), TANH, solver, **POINTS, resume=tmp_path / "run")), numbers(whole))
