"""The line that shows how a solve goes: what it says, where it is drawn, and that nothing is printed elsewhere."""

from __future__ import annotations

import io
import sys
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from pinnml import LSGD, Box, Equation, Features, Problem, solve
from pinnml.errors import SettingsError
from pinnml.run import Progress
from pinnml.run.display import clock, figures, is_watched, shown, time_left


def progress(**changes) -> Progress:
    values = {"step": 10, "steps": 100, "seconds": 20.0, "seconds_limit": None, "loss": 1e-3, "held_out": 2e-3}
    return Progress(**{**values, "error": None, "notes": {}, **changes})


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, 180.0),  # 90 steps of 2 s
        ({"seconds_limit": 50.0}, 30.0),
        ({"seconds_limit": 500.0}, 180.0),
        ({"step": 100}, 0.0),
        ({"seconds_limit": 15.0}, 0.0),
        ({"step": 0}, None),
    ],
)
def test_time_left_is_that_of_the_nearer_limit(changes, left) -> None:
    assert time_left(progress(**changes)) == (None if left is None else pytest.approx(left))


def test_figures_say_what_is_known() -> None:
    assert figures(progress()) == "step 10 of 100   loss 1.00e-03   held out 2.00e-03"
    assert figures(progress(held_out=None, notes={"level": 1})) == "step 10 of 100   level 2   loss 1.00e-03"
    assert figures(progress(held_out=None, error=0.5)) == "step 10 of 100   loss 1.00e-03   error 5.00e-01"


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (7, "0:07"), (750, "12:30"), (3723, "1:02:03")])
def test_seconds_are_written_as_on_a_clock(seconds, text) -> None:
    assert clock(seconds) == text


def terminal(stream: io.StringIO) -> Console:
    return Console(file=stream, force_terminal=True, width=80, color_system=None)


def test_progress_is_drawn_on_a_terminal_and_taken_away() -> None:
    stream = io.StringIO()
    with shown(terminal(stream), "rod sine") as display:
        display.update(progress(error=0.25))
        time.sleep(0.3)  # a few frames
    text = stream.getvalue()
    assert "rod sine" in text
    assert "step 10 of 100   loss 1.00e-03   held out 2.00e-03   error 2.50e-01" in text
    assert "at most 3:00 left" in text
    assert text.rstrip().endswith("\x1b[2K")  # the line is erased


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def fit(**options) -> list[Progress]:
    """A short solve; what its callback was told."""
    told: list[Progress] = []
    law = Equation(lambda u, x: u - x, on=("interior", "boundary"), name="law")
    problem = Problem(domain=Box(x=(0, 1)), fields="u", equations=law, name="a line")
    given = {"points": 30, "verify": False, "callback": told.append} | options
    solve(problem, Features(8, bandwidth=2.0), LSGD(hidden="fixed"), **given)
    return told


def streams(monkeypatch, error: io.StringIO) -> tuple[io.StringIO, io.StringIO]:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", error)
    return output, error


def test_in_a_terminal_solve_shows_the_line_on_stderr_and_takes_it_away(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    output, error = streams(monkeypatch, Terminal())
    assert len(fit()) == 1
    assert "a line" in error.getvalue()
    assert error.getvalue().rstrip().endswith("\x1b[2K")
    assert output.getvalue() == ""


def test_what_a_callback_prints_stays_on_stdout_while_the_line_is_shown(monkeypatch):
    output, _ = streams(monkeypatch, Terminal())
    fit(callback=lambda progress: print("step", progress.step))  # noqa: T201 - as a user would
    assert output.getvalue() == "step 1\n"


@pytest.mark.parametrize(("stream", "progress"), [(io.StringIO(), None), (Terminal(), False)], ids=["pipe", "off"])
def test_in_pipes_and_where_it_is_turned_off_nothing_is_written(monkeypatch, stream, progress):
    output, error = streams(monkeypatch, stream)
    assert len(fit(progress=progress)) == 1
    assert (output.getvalue(), error.getvalue()) == ("", "")


def test_a_callback_still_ends_the_solve(monkeypatch):
    streams(monkeypatch, Terminal())
    law = Equation(lambda u, x: u - x, on=("interior", "boundary"), name="law")
    problem = Problem(domain=Box(x=(0, 1)), fields="u", equations=law)
    solution = solve(problem, Features(5, bandwidth=2.0), points=30, verify=False, callback=lambda _: True)
    assert solution.verdict.steps == 1


def test_notebooks_are_told_from_other_shells(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for kind, watched in (("ZMQInteractiveShell", True), ("TerminalInteractiveShell", False)):
        shell = type(kind, (), {})()
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert is_watched() is watched


def test_progress_is_yes_no_or_left_open():
    with pytest.raises(SettingsError, match="progress"):
        fit(progress="yes")
