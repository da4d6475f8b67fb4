"""Threads: the faster number is used, the user's own is kept, and the caller's setting is put back."""

from __future__ import annotations

import pytest
import torch

from pinnml import LBFGS, LSGD, Adam, Features, LevenbergMarquardt, Recipe, solve
from pinnml.errors import SettingsError
from pinnml.run import prepared, threads
from pinnml.run.threads import settle_threads
from pinnml.solvers import Solver
from tests.helpers.solving import rod


@pytest.fixture(autouse=True)
def several(monkeypatch):
    """Three threads that nobody has asked for, put back to what there were before."""
    before = torch.get_num_threads()
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    torch.set_num_threads(3)
    monkeypatch.setattr(threads, "AT_IMPORT", 3)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def paced(monkeypatch):
    """Work that takes as many seconds as are written down for a number of threads."""

    def pace(seconds: dict[int, float]) -> list[int]:
        timed: list[int] = []

        def pretend(number, solver, system, theta):
            timed.append(number)
            return seconds[number]

        monkeypatch.setattr(threads, "_timed", pretend)
        return timed

    return pace


def settled(asked: int | None = None, solver: Solver | None = None) -> int:
    system = prepared(rod(), Recipe(Features(10, bandwidth=2), points=20))
    settle_threads(asked, solver or LSGD(), system, system.initial())
    return torch.get_num_threads()


@pytest.mark.parametrize(("all_of_them", "expected"), [(0.5, 3), (0.9, 1), (1.0, 1), (40.0, 1)])
def test_all_threads_are_used_where_they_are_worth_it(paced, all_of_them, expected):
    timed = paced({3: all_of_them, 1: 1.0})
    assert settled() == expected
    assert sorted(timed) == [1, 3]


def test_what_the_user_has_set_is_not_even_timed(paced, monkeypatch):
    timed = paced({})
    assert settled(asked=2) == 2
    assert settled() == 2  # another number than at the import is the caller's
    torch.set_num_threads(3)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert settled() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    torch.set_num_threads(1)
    monkeypatch.setattr(threads, "AT_IMPORT", 1)
    assert settled() == 1
    assert timed == []


@pytest.mark.parametrize("solver", [LSGD(), LevenbergMarquardt(), Adam(), LBFGS()], ids=lambda s: type(s).__name__)
def test_the_work_of_every_solver_is_timed_with_both(solver, monkeypatch):
    seen: list[int] = []
    work = threads._work

    def counted(*arguments):
        seen.append(torch.get_num_threads())
        work(*arguments)

    monkeypatch.setattr(threads, "_work", counted)
    assert settled(solver=solver) in (1, 3)
    assert seen == [3] * threads.TIMES + [1] * threads.TIMES


def test_the_choice_is_recorded_and_the_callers_setting_comes_back(paced):
    paced({3: 1.0, 1: 1.0})
    inside: list[int] = []
    network = Features(20, bandwidth=3)
    solution = solve(rod(), network, points=60, callback=lambda _: inside.append(torch.get_num_threads()))
    assert set(inside) == {1}
    assert solution.settings["threads"] == 1
    assert solution.verdict.provenance["threads"] == 1
    assert torch.get_num_threads() == 3
    again = solve(rod(), network, points=60, threads=2)
    assert again.settings["threads"] == 2
    assert torch.get_num_threads() == 3


def test_an_error_puts_the_setting_back_too():
    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        solve(rod(), Features(20, bandwidth=3), points=60, threads=2, callback=fail)
    assert torch.get_num_threads() == 3


@pytest.mark.slow
def test_a_run_that_goes_on_has_the_threads_of_then(paced, tmp_path):
    paced({3: 1.0, 1: 0.5})
    solve(rod(), Features(20, bandwidth=3), LSGD(steps=1, tolerance=0.0), points=60, threads=2, out=tmp_path / "run")
    solver = LSGD(steps=2, tolerance=0.0)
    again = solve(rod(), Features(20, bandwidth=3), solver, points=60, resume=tmp_path / "run")
    assert again.verdict.steps == 2
    assert again.settings["threads"] == 2
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("number", [0, -1, 1.5, "many"])
def test_numbers_of_threads_that_cannot_be_are_refused(number):
    with pytest.raises(SettingsError, match="threads"):
        solve(rod(), threads=number)
