"""`train`: from solved draws to a surrogate, and an honest report of what it is worth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.errors import DataSetError
from pinnml.problem import Problem
from pinnml.surrogates.baselines import Baselines, relative_errors
from pinnml.surrogates.data import DataSet, Samples
from pinnml.surrogates.decomposed import PartedTrainer, cut_of, rank
from pinnml.surrogates.families.family import Family, posed_on
from pinnml.surrogates.keeping import keep, take_up
from pinnml.surrogates.networks import GraphNetworkSettings, MessagePassing
from pinnml.surrogates.predictor import calibrated
from pinnml.surrogates.report import Report, Row
from pinnml.surrogates.store import identity, save_surrogate
from pinnml.surrogates.surrogate import Surrogate
from pinnml.surrogates.training import Batches, Epoch, Trainer, Training
from pinnml.validation import flag, of_kind, whole_number

#: What an unfinished training is kept in, beside the file of the surrogate.
UNFINISHED = ".unfinished"
#: Seconds between two times that a training is kept.
EVERY = 30.0


@dataclass(frozen=True, eq=False)
class Trained:
    """A surrogate, how its training went, and what it is worth beside simpler predictors."""

    surrogate: Surrogate
    history: tuple[Epoch, ...]
    report: Report


def train(
    data: DataSet,
    problem: Problem,
    *,
    network: GraphNetworkSettings | None = None,
    training: Training | None = None,
    modes: int = 64,
    seed: int = 0,
    device: str | torch.device = "cpu",
    parts: int = 1,
    partitioner: str = "metis",
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train a network to answer draws of a random problem as its solved draws were answered.

    network: settings, by default MessagePassing(). modes: of the coarse answer that the network corrects, the equations
    projected on so many principal directions of the training solutions; 0 for none. parts: the mesh is cut into so many
    by the partitioner ("metis" or "bisection") and trained part by part: the same weights in less memory, and by
    several processes where torch.distributed has been set up, as torchrun does; the first of them writes. out: the file
    to save the surrogate to, .pt, with the report beside it as .json. resume: go on with a training that ended early,
    as if it had not.

    Raises DataSetError for data of another problem or on several meshes, SettingsError for settings that do not fit.
    """
    network, training = network or MessagePassing(), training or Training()
    of_kind("training", training, Training, "a Training", "training=Training(epochs=50)")
    whole_number("modes", modes, 0)
    flag("resume", resume)
    whole_number("parts", parts)
    data.check_problem(problem)
    split = {name: _only(data, name) for name in ("training", "validation", "test")}
    family = Family.of(posed_on(problem, data.mesh), data.mesh, data.degree)
    asked = {**identity(family), "data": data.hashes, "network": repr(network), "training": repr(training)}
    asked |= {"modes": modes, "seed": seed, "parts": parts}
    began = time.perf_counter()
    surrogate, batches, held = _set_up(family, split, network, modes, seed, torch.device(device))
    if parts == 1:
        trainer = Trainer(surrogate, training, batches, held, seed)
    else:
        cut = cut_of(surrogate, parts, partitioner, seed)
        trainer = PartedTrainer(surrogate, training, batches, held, seed, cut)
    seconds = time.perf_counter() - began
    path = None if out is None or rank() else Path(out)
    _run(trainer, asked, path, resume, progress)
    report = reported(surrogate, split, seconds + trainer.seconds)
    if path is not None:
        about = {"asked": asked, "history": [asdict(each) for each in trainer.history]}
        about["calibration"] = calibrated(surrogate, split["validation"]).to_json()
        save_surrogate(surrogate, path, about)
        report.write(path.with_suffix(".json"))
        _unfinished(path).unlink(missing_ok=True)
    return Trained(surrogate, tuple(trainer.history), report)


def reported(surrogate: Surrogate, split: Mapping[str, Samples], seconds: float) -> Report:
    """Errors on the test draws, of the surrogate and of baselines with settings chosen on validation draws."""
    test, family = split["test"], surrogate.family
    rows = []

    def add(name: str, predict: Callable[[Mapping[str, Tensor]], Tensor], settings: Mapping[str, float]) -> None:
        began = time.perf_counter()
        found = predict(test.inputs)
        each = (time.perf_counter() - began) / len(test)
        rows.append(Row.of(name, relative_errors(family, found, test.outputs), each, settings))

    baselines = Baselines(family, surrogate.features.normaliser, split["training"], split["validation"])
    for name, (predict, settings) in baselines.all().items():
        add(name, predict, settings)
    coarse = surrogate.coarse
    if coarse is not None:
        add("coarse answer alone", lambda inputs: coarse(inputs).u, {"modes": coarse.modes.shape[1]})
    add("surrogate", surrogate.predict, {})
    return Report(tuple(rows), len(split["training"]), len(test), seconds, _solve_seconds(family, test))


def _set_up(
    family: Family,
    split: Mapping[str, Samples],
    network: GraphNetworkSettings,
    modes: int,
    seed: int,
    device: torch.device,
) -> tuple[Surrogate, Batches, Batches]:
    """A surrogate that is not trained, and the draws for training and validation as it takes them."""
    training, validation = split["training"], split["validation"]
    surrogate, inputs = Surrogate.fresh(family, training, network, min(modes, len(training)), seed, device)
    held = Batches.from_samples(surrogate.inputs(validation.inputs), validation)
    return surrogate, Batches.from_samples(inputs, training), held


def _run(
    trainer: Trainer,
    asked: Mapping[str, Any],
    path: Path | None,
    resume: bool,
    progress: Callable[[Epoch], None] | None,
) -> None:
    """All epochs, kept from time to time where there is a path."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and _unfinished(path).exists():
            take_up(trainer, asked, _unfinished(path))
    kept = time.perf_counter()

    def after(epoch: Epoch) -> None:
        nonlocal kept
        if path is not None and time.perf_counter() - kept > EVERY:
            keep(trainer, asked, _unfinished(path))
            kept = time.perf_counter()
        if progress is not None:
            progress(epoch)

    trainer.run(after)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + UNFINISHED)


def _only(data: DataSet, name: str) -> Samples:
    """The samples of a part, on the one mesh. Raises DataSetError for none."""
    found = data.part(name)
    if len(found) != 1 or not len(found[0]):
        got = f"{len(found)} meshes" if len(found) != 1 else f"no draw for {name}"
        cure = "make a set on one mesh, with draws in each part: shares=(8, 1, 1)"
        raise DataSetError("a surrogate cannot be trained on this set", expected="one mesh", got=got, cure=cure)
    return found[0]


def _solve_seconds(family: Family, test: Samples, few: int = 5) -> float:
    """The median seconds of the finite-element solve of a draw."""
    family.solve(test.draw(0))  # what is found once and kept
    seconds = []
    for row in range(min(few, len(test))):
        began = time.perf_counter()
        family.solve(test.draw(row))
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))
