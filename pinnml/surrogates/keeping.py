"""A training that can go on: all that a step reads, in one file that is always whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from pinnml.errors import CheckpointError
from pinnml.results.checkpoint_file import read_archive, read_progress, write_archive
from pinnml.surrogates.training import Epoch, Trainer

KIND = "training of a surrogate"


def keep(trainer: Trainer, asked: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write what the training goes on from. asked: what it was asked for, in the words of JSON."""
    progress = {
        "weights": trainer.surrogate.network.state_dict(),
        "best": trainer.best,
        "optimiser": trainer.optimiser.state_dict(),
        "generator": trainer.generator.get_state(),
        "epoch": trainer.epoch,
        "seconds": trainer.seconds,
        "history": [list(asdict(each).values()) for each in trainer.history],
    }
    return write_archive(Path(path), {"kind": KIND, "asked": dict(asked)}, {}, progress)


def take_up(trainer: Trainer, asked: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Put a training back to where a file left it: the same weights follow, bit for bit, with as many threads.

    Raises CheckpointError for a file that is none, or of a training that was asked for something else.
    """
    record, _ = read_archive(Path(path))
    if record.get("kind") != KIND:
        cure = "give the file that an unfinished training left, or begin anew"
        raise CheckpointError("this file is no unfinished training", expected=KIND, got=f"'{path}'", cure=cure)
    for name, value in asked.items():
        if record["asked"].get(name) != value:
            got, cure = record["asked"].get(name), f"ask for the same, or delete '{path}' to begin anew"
            raise CheckpointError(f"the training in '{path}' has another {name}", expected=value, got=got, cure=cure)
    progress = read_progress(Path(path))
    try:
        assert progress is not None
        trainer.surrogate.network.load_state_dict(progress["weights"])
        trainer.optimiser.load_state_dict(_numbered(progress["optimiser"]))
        trainer.generator.set_state(progress["generator"])
        trainer.best = {name: _tensor(value) for name, value in progress["best"].items()}
        trainer.epoch, trainer.seconds = int(progress["epoch"]), float(progress["seconds"])
        trainer.history = [Epoch(int(number), *map(float, rest)) for number, *rest in progress["history"]]
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        got = str(error).partition("\n")[0] or type(error).__name__
        message, cure = f"the training in '{path}' is not whole", f"delete '{path}', and begin anew"
        raise CheckpointError(message, expected="weights and state that fit", got=got, cure=cure) from error


def _numbered(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimiser's state with numbers of parameters as keys, which JSON made texts of."""
    return {**state, "state": {int(number): each for number, each in state["state"].items()}}


def _tensor(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"{type(value).__name__} in the place of a tensor")
    return value.clone()
