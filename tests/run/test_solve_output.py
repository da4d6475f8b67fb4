"""What a solve writes, when, and what becomes of an earlier run and of a state when something fails."""

from __future__ import annotations

import json
import signal
import sys
import threading

import numpy as np
import pytest
import pyvista
import torch

from pinnml import MLP, Adam, Box, Equation, Features, Points, Problem, load, solve
from pinnml.errors import NonFiniteError, ProblemError, SettingsError, ShapeError
from pinnml.solvers import Status
from problems import heat, poisson
from tests.helpers.solving import SMALL, Scripted, rod

# What is written, and where


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solve(rod(), **SMALL)
    assert not list(tmp_path.iterdir())


def test_a_run_folder_holds_everything_and_paraview_reads_it(tmp_path):
    folder = tmp_path / "run"
    solution = solve(poisson.problem(), Features(120, bandwidth=6), points=600, out=folder, expect=1e-4)
    assert {file.name for file in folder.iterdir()} == {
        *("config.json", "history.csv", "verdict.json", "checkpoint.pt", "fields.vtu", "picture.png")
    }
    record = json.loads((folder / "verdict.json").read_text())
    wanted = "status converged relative_l2 held_out seconds steps parameters seed device dtype solver network"
    assert set(wanted.split()) <= set(record)
    assert record["relative_l2"]["u"] == solution.verdict.error
    mesh = pyvista.read(folder / "fields.vtu")
    assert {"u", "u_exact", "u_error", "poisson_residual"} <= set(mesh.point_data)
    np.testing.assert_allclose(mesh["u"], solution(mesh.points[:, :2])["u"], atol=1e-12)
    rows = (folder / "history.csv").read_text().splitlines()
    assert rows[0].startswith("step,seconds,loss,held_out,error")
    assert (folder / "picture.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("unpictured")
def test_a_problem_in_time_is_a_series_and_one_on_points_a_cloud(tmp_path):
    solve(heat.problem(), Features(60, bandwidth=5), points=300, out=tmp_path / "heat", verify=False)
    series = pyvista.get_reader(tmp_path / "heat" / "fields.pvd")
    assert (series.time_values[0], series.time_values[-1], len(series.time_values)) == (0.0, 1.0, 21)
    rng = np.random.default_rng(0)
    places = {"x": rng.random(80), "y": rng.random(80)}
    cloud = Points(places, {"value": places["x"] * places["y"]})

    def measured(u, value):
        return u - value

    problem = Problem(domain=cloud, fields=("u",), equations=(Equation(measured),))
    solve(problem, Features(30, bandwidth=3), out=tmp_path / "cloud", verify=False)
    points = pyvista.read(tmp_path / "cloud" / "fields.vtp")
    np.testing.assert_allclose(points["u"], places["x"] * places["y"], atol=1e-6)


@pytest.mark.usefixtures("unpictured")
def test_a_second_run_replaces_all_of_the_first(tmp_path):
    folder = tmp_path / "run"
    solve(heat.problem(), Features(30, bandwidth=3), points=100, out=folder, verify=False)
    solution = solve(poisson.problem(), Features(30, bandwidth=3), points=100, out=folder, verify=False)
    names = {file.name for file in folder.iterdir()}
    assert "fields.vtu" in names
    assert not names & {"fields.pvd", "fields"}
    assert solution.folder == folder
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_an_error_before_the_solve_leaves_an_earlier_run_as_it_was(tmp_path):
    solve(rod(), **SMALL, out=tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def broken(u, x):
        return u.d("xx") - torch.log(x - 0.5)

    problem = Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        equations=(Equation(broken), Equation(lambda u: u, on="boundary", name="ends")),
    )
    with pytest.raises(NonFiniteError, match="broken"):
        solve(problem, **SMALL, out=tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(SettingsError, match="a run needs a folder"):
        solve(rod(), **SMALL, out=tmp_path / "run")


@pytest.fixture
def interruptible():
    """Ctrl-C interrupts, also in a process that a shell started in the background with interruptions ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_from_the_keyboard_keeps_and_saves_what_there_is(tmp_path, interruptible):
    timer = threading.Timer(0.4, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    solver = Scripted(losses=(1.0,), steps=10**9, seconds=30)
    solution = solve(rod(), Features(5), solver, points=20, out=tmp_path / "run")
    assert solution.verdict.status is Status.INTERRUPTED
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["status"] == "interrupted"
    assert load(tmp_path / "run" / "checkpoint.pt")(np.array([[0.5]]))["u"].shape == (1,)


def test_checkpoints_are_written_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["pinnml.run.keeping"], "CHECKPOINT_SECONDS", 0.0)
    folder, sizes = tmp_path / "run", []

    def callback(progress):
        sizes.append(len(load(folder / "checkpoint.pt").history))
        return progress.step == 2

    solve(rod(), Features(5, bandwidth=2), Scripted(losses=(1.0,)), points=20, out=folder, callback=callback)
    assert len(sizes) == 2


# What is known of the solution is looked over first, and an earlier run lives until there is a new one


def files(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def known(exact=None, reference=None, fields=("u",)) -> Problem:
    """u'' = 1 between zeros, with something said to be its solution."""

    def balance(u):
        return u.d("xx") - 1

    def ends(u):
        return u

    equations = (Equation(balance), Equation(ends, on="boundary"))
    return Problem(domain=Box(x=(0, 1)), fields=fields, equations=equations, exact=exact, reference=reference)


@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        (known(reference=lambda p: {"u": p * (p - 1) / 2}), ShapeError, "reference gives the field 'u' in another"),
        (known(reference=lambda p: {"u": p[:5, 0]}), ShapeError, "reference gives the field 'u' in another"),
        (known(reference=lambda p: {"w": p[:, 0]}), ProblemError, "reference returns 'w'"),
        (known(reference=lambda p: None), ProblemError, "reference gives the wrong thing for 'u'"),
        (known(reference=lambda p: {"u": np.where(p[:, 0] > 0.9, np.nan, 0)}), NonFiniteError, "reference gives nan"),
        (known(reference=lambda p: {"u": p[:, 0].astype(str)}), ProblemError, "reference gives the wrong kind"),
        (known(exact=lambda x: torch.log(x - 0.5)), NonFiniteError, "exact gives nan for the field 'u' at x = 0."),
        (known(exact=lambda x: {"w": x}), ProblemError, "exact returns 'w'"),
        (known(exact=lambda x: 1j * x), ProblemError, "exact gives the wrong kind of numbers for the field 'u'"),
        (known(exact=lambda x: torch.zeros(7)), ShapeError, "exact gives the field 'u' in another shape"),
    ],
    ids=["column", "short", "name", "nothing", "nan", "text", "log", "exact name", "complex", "length"],
)
def test_a_solution_that_is_none_is_refused_before_the_solve_and_an_earlier_run_stays(tmp_path, problem, kind, words):
    solve(rod(), **SMALL, out=tmp_path)
    before, steps = files(tmp_path), []
    with pytest.raises(kind, match=words) as refused:
        solve(problem, **SMALL, out=tmp_path, callback=steps.append)
    assert all((refused.value.expected, refused.value.got, refused.value.cure))
    assert files(tmp_path) == before
    assert steps == []


@pytest.mark.parametrize(
    "problem",
    [
        known(exact=lambda x: x * (x - 1) / 2),
        known(exact=lambda x: {"u": x * (x - 1) / 2}),
        known(reference=lambda p: {"u": p[:, 0] * (p[:, 0] - 1) / 2}),
        known(reference=lambda p: p[:, 0] * (p[:, 0] - 1) / 2),
    ],
)
def test_a_solution_in_any_of_its_forms_is_taken(problem):
    assert solve(problem, **SMALL, expect=1e-8).verdict.good


def test_a_vector_may_be_known_as_an_array_or_by_its_components():
    def balance(v2):
        return v2[0].d("x") - 1, v2[1].d("x") - 2

    def start(v2):
        return v2

    equations = (Equation(balance), Equation(start, on="x=0"))
    for exact, reference in (
        (lambda x: (x, 2 * x), None),
        (None, lambda p: {"v2": np.stack([p[:, 0], 2 * p[:, 0]], axis=1)}),
        (None, lambda p: {"v2": (p[:, 0], 2 * p[:, 0])}),
    ):
        problem = Problem(domain=Box(x=(0, 1)), fields={"v2": 2}, equations=equations, exact=exact, reference=reference)
        assert solve(problem, Features(20, bandwidth=3), points=60, expect=1e-6).verdict.good


def breaking(calls: float) -> Problem:
    """u'' = 1, an equation that fails after so many calls."""
    count = [0]

    def balance(u):
        count[0] += 1
        if count[0] > calls:
            raise ValueError("too late")
        return u.d("xx") - 1

    return Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        equations=(Equation(balance), Equation(lambda u: u, on="boundary", name="ends")),
    )


def test_an_error_in_the_middle_comes_through_and_the_last_state_is_kept(tmp_path):
    folder = tmp_path / "run"
    solve(rod(), **SMALL, out=folder)
    before = files(folder)
    with pytest.raises(ValueError, match="too late") as raised:
        solve(breaking(200), MLP(10, 1), Adam(steps=1000), points=40, out=folder)
    assert files(folder) == before
    (beside,) = (each for each in tmp_path.iterdir() if each != folder)
    assert any(f"'{beside / 'checkpoint.pt'}'" in note for note in raised.value.__notes__)
    assert set(files(beside)) == {"checkpoint.pt", "history.csv", "config.json"}
    kept = load(beside / "checkpoint.pt")
    assert kept.verdict.steps > 0
    assert kept.verdict.status is Status.INTERRUPTED
    assert not kept.verdict.good
    same = solve(breaking(np.inf), MLP(10, 1), Adam(steps=kept.verdict.steps), points=40)
    x = np.linspace(0, 1, 5)
    np.testing.assert_array_equal(kept(x)["u"], same(x)["u"])


def test_an_error_before_the_first_step_ends_leaves_an_earlier_run_as_it_was(tmp_path):
    solve(rod(), **SMALL, out=tmp_path)
    before = files(tmp_path)

    def fails(self, system, theta, state):
        raise ValueError("at once")

    broken = type("Broken", (Scripted,), {"step": fails})(losses=(1.0,))
    with pytest.raises(ValueError, match="at once"):
        solve(rod(), Features(5), broken, points=20, out=tmp_path)
    assert files(tmp_path) == before


def test_an_error_of_the_callback_keeps_the_state_that_it_saw(tmp_path):
    def callback(progress):
        if progress.step == 3:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        solve(rod(), Features(5), Scripted(losses=(1.0,)), points=20, out=tmp_path / "run", callback=callback)
    kept = load(tmp_path / "run" / "checkpoint.pt")
    assert kept.verdict.steps == 3
    torch.testing.assert_close(kept.network.coef, torch.full_like(kept.network.coef, 3.0))


def test_a_run_that_cannot_be_saved_leaves_the_earlier_one(tmp_path, monkeypatch):
    solve(rod(), **SMALL, out=tmp_path)
    before = files(tmp_path)

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", full)
    solution = solve(rod(), **SMALL, out=tmp_path)
    assert solution.verdict.good
    assert solution.folder is None
    assert "could not be written" in solution.verdict.warnings[-1]
    assert "disk is full" in solution.verdict.warnings[-1]
    assert files(tmp_path) == before
