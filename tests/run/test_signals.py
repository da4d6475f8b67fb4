"""What ends a solve from outside: Ctrl-C, SIGTERM, SIGHUP, once or twice; and what becomes of the handlers."""

from __future__ import annotations

import json
import signal
import threading

import pytest
import torch

from pinnml import LBFGS, MLP, Adam, Equation, Problem, load, solve
from pinnml.results import run_files
from pinnml.run import ending
from pinnml.run.signals import ENDING, interruptible
from pinnml.solvers import Status
from tests.helpers.runs import numbers, without_pictures
from tests.helpers.solving import rod

GIVEN = {"problem": rod(), "network": MLP(5, 2, "tanh"), "points": 40, "verify": False}


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    """The handlers that a program starts with; a shell may have had it ignore some."""
    without_pictures(monkeypatch)
    before = {name: signal.signal(getattr(signal, name), handler) for name, handler in ENDING.items()}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def handlers() -> list:
    return [signal.getsignal(getattr(signal, name)) for name in ENDING]


@pytest.mark.parametrize("name", ENDING)
def test_a_signal_ends_the_solve_and_the_run_is_written_and_goes_on_from_there(tmp_path, name):
    before = handlers()

    def callback(progress):
        if progress.step == 4:
            signal.raise_signal(getattr(signal, name))

    solution = solve(**GIVEN, solver=Adam(steps=9), out=tmp_path / "run", callback=callback)
    assert (solution.verdict.status, solution.verdict.steps) == (Status.INTERRUPTED, 4)
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["status"] == "interrupted"
    assert handlers() == before
    whole = solve(**GIVEN, solver=Adam(steps=9))
    assert torch.equal(numbers(solve(**GIVEN, solver=Adam(steps=9), resume=tmp_path / "run")), numbers(whole))


def test_a_signal_in_the_middle_of_a_step_leaves_the_state_of_the_step_before(tmp_path):
    calls = []

    def balance(u, x):
        calls.append(0)
        if len(calls) == stop:
            signal.raise_signal(signal.SIGTERM)
        return u.d("xx") - torch.sin(x)

    equations = (Equation(balance), Equation(lambda u: u, on="boundary", name="ends"))
    problem = Problem(domain=rod().domain, fields=("u",), equations=equations)
    given, stop = {**GIVEN, "problem": problem}, -1
    for solver in (Adam(steps=30), LBFGS(steps=10, inner=4)):
        stop = -1
        whole = solve(**given, solver=solver)
        for place in (30, 33, 37):
            calls.clear()
            folder, stop = tmp_path / f"{solver.steps} {place}", place
            cut = solve(**given, solver=solver, out=folder)
            assert cut.verdict.status is Status.INTERRUPTED
            assert 0 < cut.verdict.steps < solver.steps
            stop = -1
            assert torch.equal(numbers(solve(**given, solver=solver, resume=folder)), numbers(whole))


@pytest.mark.parametrize("again", ["while it judges", "while it writes"])
def test_a_second_signal_leaves_the_checkpoint(tmp_path, monkeypatch, again):
    module, name = (ending, "judge") if again == "while it judges" else (run_files, "history")
    monkeypatch.setattr(module, name, lambda *_: signal.raise_signal(signal.SIGINT))

    def callback(progress):
        if progress.step == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        solve(**GIVEN, solver=Adam(steps=9), out=tmp_path / "run", callback=callback)
    assert load(tmp_path / "run" / "checkpoint.pt").verdict.steps == 4
    assert not (tmp_path / "run" / "verdict.json").exists()
    monkeypatch.undo()
    without_pictures(monkeypatch)
    whole = solve(**GIVEN, solver=Adam(steps=9))
    assert torch.equal(numbers(solve(**GIVEN, solver=Adam(steps=9), resume=tmp_path / "run")), numbers(whole))
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_signals_wait_while_a_checkpoint_is_written():
    done = []

    def written() -> None:
        with interruptible() as interruptions, interruptions.held():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        written()
    assert done == ["written"]


def test_what_others_have_set_stays_as_it_is():
    mine = []
    signal.signal(signal.SIGTERM, lambda *_: mine.append("mine"))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with interruptible():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
    assert mine == ["mine"]


def test_another_thread_leaves_the_handlers_alone():
    seen, before = [], handlers()

    def work():
        with interruptible():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
