"""`pinnml resume`: a run goes on by the script and the options that it was begun with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from pinnml import load
from tests.helpers.commands import pinnml
from tests.helpers.places import ROOT
from tests.helpers.rod import ROD
from tests.helpers.runs import numbers, without_pictures

ASKED = ("solve", "rod.py", "case=cosine", "--network", "mlp:width=6,activation=tanh", "--seed", "3", "--no-verify")
ADAM = ("--solver", "adam:rate=2e-3")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with one script."""
    monkeypatch.chdir(tmp_path)
    without_pictures(monkeypatch)
    Path("rod.py").write_text(ROD)
    return tmp_path


def test_a_run_that_a_limit_has_ended_goes_on_as_if_it_had_not() -> None:
    pinnml(*ASKED, *ADAM, "--steps", "9", "--out", "whole")
    pinnml(*ASKED, *ADAM, "--steps", "4", "--out", "parts")
    same = pinnml("resume", "parts", "--quiet")
    assert (same.status, ", 4 steps," in same.out) == (1, True)
    on = pinnml("resume", "parts", "--steps", "9", "--quiet")
    assert (on.status, ", 9 steps," in on.out) == (1, True)
    whole, parts = (load(f"{name}/checkpoint.pt") for name in ("whole", "parts"))
    assert torch.equal(numbers(parts), numbers(whole))
    assert sorted(path.name for path in Path().iterdir() if path.is_dir()) == ["parts", "whole"]


def test_what_cannot_go_on_is_named() -> None:
    assert "there is no such checkpoint" in pinnml("resume", "nothing").err
    assert "has no name" in pinnml("resume", "").err
    shutil.copytree(ROOT / "tests" / "data" / "runs" / "rod_features", "old")
    result = pinnml("resume", "old")
    assert (result.status, "does not say how it was asked for" in result.err) == (2, True)


def test_an_empty_name_a_full_disk_and_a_stranger_are_told_by_the_exit_status(monkeypatch) -> None:
    empty = pinnml(*ASKED, *ADAM, "--steps", "2", "--out", "")
    assert (empty.status, "has no name" in empty.err) == (2, True)
    Path("mine").mkdir()
    Path("mine/notes.txt").touch()
    strange = pinnml(*ASKED, *ADAM, "--steps", "2", "--out", "mine")
    assert (strange.status, "notes.txt" in strange.err) == (2, True)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    unwritten = pinnml("solve", "rod.py", "--no-verify", "--quiet", "--out", "run")
    assert unwritten.status == 3
    assert "good" in unwritten.out
    assert "No space left" in unwritten.err
    assert "exit" in pinnml("solve", "--help").out.lower()
