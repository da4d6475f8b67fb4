"""A run that goes on where a checkpoint left it, and ends as it would have ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnml.errors import CheckpointError, SettingsError
from pinnml.results import Solution, load, parts_there, read_progress
from pinnml.run.loop import Callback, Loop, Standing
from pinnml.run.measurement import measure_of
from pinnml.run.preparation import prepared_system
from pinnml.run.record import record_of
from pinnml.run.request import Request
from pinnml.run.streams import set_streams, streams
from pinnml.solvers import Report, Status, Step
from pinnml.system import System

#: What a run must have been asked as well to go on; limits may change.
SAME = ("problem", "network", "solver", "points", "tests", "rule", "seed", "device", "dtype")
LIMITS = ("steps", "seconds")


def progress_of(loop: Loop, request: Request) -> dict[str, Any]:
    """All that a loop needs to go on, in numbers, texts, tensors, and lists and mappings of these."""
    status, at = loop.at.status, loop.at.before or loop.at
    over = status is not None and at.by_solver
    return {
        "steps": at.steps,
        "seconds": loop.seconds(),
        "loss": at.loss,
        "theta": at.theta,
        "state": None if over or not at.steps else request.solver.packed(at.state),
        "best": at.best and {"theta": at.best.theta, "loss": at.best.report.loss},
        "status": status and status.name,
        "by_solver": at.by_solver,
        "weights": dict(at.system.weights),
        "notes": dict(loop.notes),
        "held_out": loop.held_out,
        "error": loop.error,
        "spacing": loop.spacing,
        "started": request.start is not None,
        "threads": torch.get_num_threads(),
        "points": _digest(at.system),
        "streams": streams(),
    }


@contextmanager
def gone_on(request: Request, path: Path, callback: Callback | None) -> Iterator[tuple[Loop, Solution]]:
    """The loop where the checkpoint left it, and the solution there, with the threads of then while the block runs.

    Raises CheckpointError where the file says too little, SettingsError where something else is asked now than then.
    """
    progress = _progress(path)
    with parts_there():
        started, threads = bool(progress["started"]), int(progress["threads"])
        own = None if started else request.network
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        loaded = load(path, request.problem, own)
        yield _loop(replace(request, start=loaded if started else None), loaded, progress, callback), loaded
    finally:
        torch.set_num_threads(before)


def is_over(loop: Loop) -> bool:
    """Whether there is nothing to go on with: the solver has ended, or a limit is where it was."""
    status, limit = loop.at.status, loop.solver.seconds
    if status is None or loop.at.by_solver:
        return status is not None
    return loop.steps >= loop.solver.steps if status is Status.STEPS else limit is not None and loop.seconds() >= limit


def _progress(path: Path) -> Mapping[str, Any]:
    progress = read_progress(path)
    if progress is None or (progress.get("state") is None and not progress.get("by_solver")):
        raise CheckpointError(
            "this run cannot be gone on with",
            expected="a checkpoint with the state of its solver",
            got=f"'{path}', which has none",
            cure="begin anew from its fields: solve(..., start=pinnml.load(path, problem))",
        )
    return progress


def _loop(request: Request, loaded: Solution, progress: Mapping[str, Any], callback: Callback | None) -> Loop:
    """The loop as it was."""
    began, system = time.perf_counter(), prepared_system(request)
    if request.start is None:
        network = loaded.network.to(request.device, request.dtype).requires_grad_(True)
        system = system.with_network(network)
    with parts_there():
        system = system.with_weights({str(name): float(value) for name, value in progress["weights"].items()})
        points = str(progress["points"])
    _check_same(request, system, loaded, points)
    with parts_there():
        theta = progress["theta"].to(request.device, copy=True)
        state = None
        if progress["state"] is not None:
            state = request.solver.unpacked(_moved(progress["state"], request.device), system, theta)
        best = progress["best"]
        if best is not None:
            best = Step(system, best["theta"].to(request.device), None, Report(float(best["loss"])))
        status = progress["status"] and Status[progress["status"]]
        steps, loss, by_solver = int(progress["steps"]), float(progress["loss"]), bool(progress["by_solver"])
        at = Standing(system, theta, state, steps, loss, best, status, by_solver)
        loop = Loop(request.solver, at, began - float(progress["seconds"]), measure_of(request.problem, request.seed))
        loop.callback, loop.notes, loop.history = callback, dict(progress["notes"]), [dict(r) for r in loaded.history]
        loop.held_out, loop.error, loop.spacing = progress["held_out"], progress["error"], int(progress["spacing"])
        set_streams(progress["streams"])
    return loop


def _check_same(request: Request, system: System, loaded: Solution, points: str) -> None:
    """Refuse to go on with another problem, or with other settings than the run was begun with."""
    now, then = (_compared(record) for record in (record_of(request, system), loaded.settings))
    cure = "ask for the same; only steps= and seconds= may change, and expect="
    for name in SAME:
        if now.get(name) != then.get(name):
            expected, got = f"{name} as the run has it: {then.get(name)}", str(now.get(name))
            raise SettingsError("a run goes on as it was begun", expected=expected, got=got, cure=cure)
    if _digest(system) != points:
        cure = "restore the problem as it was, or begin anew from the fields with start="
        expected, got = "the problem, mesh and data that it was begun with", "other collocation points"
        raise SettingsError("a run goes on as it was begun", expected=expected, got=got, cure=cure)


def _compared(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without limits, in the words of JSON."""
    solver = {name: value for name, value in record["solver"].items() if name not in LIMITS}
    return _listed({**record, "solver": solver})


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _listed(each) for name, each in value.items()}
    return [_listed(each) for each in value] if isinstance(value, (tuple, list)) else value


def _digest(system: System) -> str:
    """What tells the collocation points, with their weights, from others."""
    digest = hashlib.sha256()
    for block in system.blocks:
        for tensor in (block.sample.x, block.sample.weight):
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _moved(tree: Any, device: torch.device) -> Any:
    """The tensors of a tree on a device."""
    if isinstance(tree, Tensor):
        return tree.to(device)
    if isinstance(tree, Mapping):
        return {name: _moved(each, device) for name, each in tree.items()}
    return [_moved(each, device) for each in tree] if isinstance(tree, list) else tree
