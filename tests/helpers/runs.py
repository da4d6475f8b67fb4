"""Runs that are cut short, and runs without the files that take long to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pinnml import Solution, solve
from pinnml.results import run_files


class CutShortError(RuntimeError):
    """What a callback ends a solve with, so that it is neither judged nor written but for its checkpoint."""


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs leave out picture and fields."""
    monkeypatch.setattr(run_files, "draw", lambda *_: None)
    monkeypatch.setattr(run_files, "snapshots", lambda _: [])
    monkeypatch.setattr(run_files, "panels", lambda _: [])
    monkeypatch.setattr(run_files.RunFolder, "write_fields", lambda *_: [])


def cut_short(step: int) -> Callable[[Any], None]:
    """A callback that ends a solve after this step."""

    def callback(progress: Any) -> None:
        if progress.step == step:
            raise CutShortError

    return callback


def in_two_parts(step: int, folder: Path, *given: Any, **named: Any) -> Solution:
    """A solve that is cut short after a step, and gone on with from its checkpoint."""
    with pytest.raises(CutShortError):
        solve(*given, **named, out=folder, callback=cut_short(step))
    return solve(*given, **named, resume=folder)


def numbers(solution: Solution) -> Tensor:
    """Everything that a solve has found, (P,)."""
    found = [each.reshape(-1) for each in solution.network.state_dict().values()]
    return torch.cat([*found, torch.tensor(list(solution.parameters.values()), dtype=found[0].dtype)])
