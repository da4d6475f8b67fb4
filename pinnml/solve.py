"""solve(): a problem, a network and a solver in; a solution with its verdict out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import total_order
from pinnml.domains import Sample
from pinnml.errors import DeviceError, SettingsError
from pinnml.judge import judge
from pinnml.loop import Callback, Loop, Measure
from pinnml.networks import NETWORKS, Features, Network, NetworkSettings
from pinnml.output import RunFolder, draw
from pinnml.problem import Problem
from pinnml.solution import Solution, fields_at, known_solution, relative_l2, value_array
from pinnml.solvers import LSGD, SOLVERS, Solver, Status
from pinnml.system import System
from pinnml.views import history, panels, snapshots

#: Seconds between checkpoints.
CHECKPOINT_SECONDS = 30.0
#: Points on which the error is followed while a solve runs.
FOLLOWED_POINTS = 2000
#: Held-out points of a region at least.
FEWEST_HELD_OUT = 64
#: The held-out points of a seed are drawn from a stream of their own.
HELD_OUT_STREAM = 2**31


def solve(
    problem: Problem,
    network: NetworkSettings | None = None,
    solver: Solver | None = None,
    *,
    points: int | Mapping[str, int] | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float64,
    out: str | Path | None = None,
    callback: Callback | None = None,
    start: Solution | None = None,
    rule: str = "chebyshev",
    expect: float | None = None,
) -> Solution:
    """Find fields that satisfy the problem's equations; the verdict on the solution says how well.

    network: settings such as MLP(...) or Features(...); by default 400 sine features. solver: by default LSGD().
    points: collocation points in the interior (by default six for each basis function), or a mapping region ->
    number. seed: the one source of randomness. device: by default the CPU. dtype: float64, or float32 for
    gradient solvers. out: a folder for settings, history, verdict, checkpoint, fields and picture; without it
    nothing is written. callback: called with a `Progress` after every step; returning True ends the solve.
    start: a solution of the same problem to go on from. rule: how points are drawn: chebyshev (dense towards the
    faces), sobol, random, grid or gauss. expect: the relative L2 error that is promised, for the verdict.

    Raises ProblemError and its kin where the problem does not hold together, SettingsError and DeviceError for
    options that cannot be. A solve that goes wrong numerically does not raise: its status says so.
    """
    asked = _Asked(problem, network or Features(), solver or LSGD(), points, seed, _device(device), _float(dtype), rule)
    folder = None if out is None else RunFolder(Path(out))
    loop = _loop(asked, callback, start)
    if folder is not None:
        folder.clear()
        loop.keep = _keeper(folder, asked, expect)
    status = loop.run()
    seconds = loop.seconds()
    loop.record()
    half = None if status is Status.INTERRUPTED else _half(asked, expect)
    solution = _solution(loop, status, asked, expect, seconds, half)
    if folder is not None:
        write_run(solution, folder)
    return solution


def prepared(
    problem: Problem,
    network: NetworkSettings | None = None,
    *,
    points: int | Mapping[str, int] | None = None,
    rule: str = "chebyshev",
) -> System:
    """The system that `solve` would start from, on the CPU in float64; the same errors, and no step taken."""
    return _prepared(_Asked(problem, network or Features(), LSGD(), points, 0, _device(None), torch.float64, rule))


def write_run(solution: Solution, folder: RunFolder) -> None:
    """Write everything that a run leaves behind: settings, history, verdict, checkpoint, fields and picture."""
    folder.write_config(solution.settings)
    folder.write_history(solution.history)
    folder.write_verdict(solution.verdict.to_json())
    solution.save(folder.checkpoint)
    shots = snapshots(solution)
    folder.write_fields(shots[0] if len(shots) == 1 else shots)
    title = f"{solution.settings.get('problem') or 'solution'}: {solution.verdict.summary}"
    draw(folder.picture, panels(solution), history(solution), title)


@dataclass(frozen=True)
class _Asked:
    """What a solve was asked for."""

    problem: Problem
    network: NetworkSettings
    solver: Solver
    points: int | Mapping[str, int] | None
    seed: int
    device: torch.device
    dtype: torch.dtype
    rule: str


def _loop(asked: _Asked, callback: Callback | None = None, start: Solution | None = None) -> Loop:
    """The loop before its first step."""
    started = time.perf_counter()
    system = _prepared(asked, start)
    return Loop(asked.solver, system, system.initial(), started, _measure(asked.problem, asked.seed), callback)


def _prepared(asked: _Asked, start: Solution | None = None) -> System:
    """The system with a network built, points drawn, equations tried."""
    problem, generator = asked.problem, torch.Generator().manual_seed(asked.seed)
    if start is None:
        network = asked.network.build(problem.domain, problem.columns, generator, asked.dtype, asked.device)
    elif start.fields != problem.fields:
        raise SettingsError("start", expected="a solution of this problem", got=f"fields {start.fields}")
    else:
        network = copy.deepcopy(start.network).to(asked.device, asked.dtype).requires_grad_(True)
    counts = _counts(problem, max(6 * network.basis.size, 500) if asked.points is None else asked.points)
    system = System.build(
        problem, network, {r: _drawn(problem, r, n, generator, asked.rule) for r, n in counts.items()}
    )
    generator = torch.Generator().manual_seed(asked.seed + HELD_OUT_STREAM)
    held_out = {r: _held_out(problem, r, max(n // 2, FEWEST_HELD_OUT), generator) for r, n in counts.items()}
    return system.with_held_out(system.on(held_out))


def _counts(problem: Problem, points: int | Mapping[str, int]) -> dict[str, int]:
    """Points by canonical region: what was asked, else a share of the interior's."""
    asked = {"interior": points} if isinstance(points, int) else {problem.canonical(k): n for k, n in points.items()}
    for region, n in asked.items():
        if not isinstance(n, int) or n < 1:
            raise SettingsError(f"points in '{region}'", expected="a whole number of 1 or more", got=repr(n))
    interior = asked.get("interior") or max(asked.values())
    regions = dict.fromkeys(term.region for term in problem.terms)
    if bare := [region for region in asked if region not in regions and region != "interior"]:
        raise SettingsError(
            f"points in '{bare[0]}'",
            expected=f"regions that bear an equation: {', '.join(regions)}",
            got=f"'{bare[0]}', on which there is none",
            cure="name those regions one by one, or leave this one out",
        )
    return {r: asked.get(r) or (1 if r in problem.data else problem.domain.shares(r, interior)) for r in regions}


def _drawn(problem: Problem, region: str, n: int, generator: torch.Generator, rule: str) -> Sample:
    if region in problem.data:
        return problem.data[region].all()
    return problem.domain.sample(region, n, generator, rule)


def _held_out(problem: Problem, region: str, n: int, generator: torch.Generator) -> Sample:
    if region in problem.data:
        return problem.data[region].all()
    return problem.domain.held_out(region, n, generator)


def _measure(problem: Problem, seed: int) -> Measure:
    """How the loop follows a solve: the loss on held-out points, and the worst field's error on some points."""
    generator = torch.Generator().manual_seed(seed + 2 * HELD_OUT_STREAM)
    sample = problem.domain.held_out("interior", FOLLOWED_POINTS, generator)
    x, weight = sample.x, sample.weight.numpy()
    known, indices = known_solution(problem, x), total_order(problem.domain.axes, 0)

    def measure(system: System, theta: Tensor) -> tuple[float | None, float | None]:
        with torch.no_grad():
            held_out = None if system.held_out is None else float(system.held_out.loss(theta))
        if not known:
            return held_out, None
        fields = fields_at(system.network_at(theta), system.parameters_at(theta), x, indices, problem)
        found = {name: value_array(fields[name], len(x)) for name in known}
        return held_out, max(relative_l2(found[name], array, weight) for name, array in known.items())

    return measure


def _keeper(folder: RunFolder, asked: _Asked, expect: float | None) -> Callable[[Loop], None]:
    """What writes a checkpoint and the history now and then."""
    last = time.perf_counter()

    def keep(loop: Loop) -> None:
        nonlocal last
        if time.perf_counter() - last > CHECKPOINT_SECONDS:
            _solution(loop, Status.INTERRUPTED, asked, expect, loop.seconds(), None).save(folder.checkpoint)
            folder.write_history(loop.history)
            last = time.perf_counter()

    return keep


def _solution(
    loop: Loop, status: Status, asked: _Asked, expect: float | None, seconds: float, half: Loop | None
) -> Solution:
    """The solution where the loop stands, with the verdict on it."""
    system, theta, problem = loop.system, loop.theta, asked.problem
    network = system.network_at(theta)
    record = {
        "problem": problem.name,
        "network": _described_network(asked.network, network),
        "solver": described(asked.solver),
        "points": {block.region: len(block) for block in system.blocks},
        "weights": system.weights,
        "rule": asked.rule,
        "seed": asked.seed,
        "device": str(asked.device),
        "dtype": str(asked.dtype).removeprefix("torch."),
        "expect": expect,
    }
    verdict = judge(loop, status, record, seconds, half)
    parameters, rows = system.parameters_at(theta), tuple(loop.history)
    return Solution(problem.domain, problem.fields, network, parameters, verdict, rows, problem, record)


def _half(asked: _Asked, expect: float | None) -> Loop | None:
    """The same solve with half the basis, where a promise has nothing else to be checked against."""
    halved, problem = asked.network.halved(), asked.problem
    if expect is None or halved is None or problem.exact is not None or problem.reference is not None:
        return None
    loop = _loop(replace(asked, network=halved))
    loop.run()
    return loop


def described(settings: Any) -> dict[str, Any]:
    """Settings as plain values: their kind, their options, and the names of those that are functions."""
    registry = {**NETWORKS, **SOLVERS}
    kind = next((name for name, known in registry.items() if known is type(settings)), type(settings).__name__)
    options = {f.name: getattr(settings, f.name) for f in fields(settings)} if is_dataclass(settings) else {}
    functions = [name for name, value in options.items() if callable(value) or isinstance(value, torch.nn.Module)]
    plain = {name: _plain(value) for name, value in options.items() if name not in functions}
    return {"kind": kind, "functions": functions, **plain}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return described(value)
    return list(value) if isinstance(value, tuple) else value


def _described_network(settings: NetworkSettings, network: Network) -> dict[str, Any]:
    """Settings with what the solve has settled in them, such as a bandwidth that was searched for."""
    return described(settings) | dict(network.basis.settled) | {"settled": list(network.basis.settled)}


def _device(device: str | torch.device | None) -> torch.device:
    try:
        chosen = torch.device(device or "cpu")
    except RuntimeError as error:
        raise DeviceError("unknown device", expected="cpu, cuda or cuda:N", got=str(device)) from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "there is no CUDA device here",
            expected="a GPU that PyTorch can use",
            got=f"torch {torch.__version__}, CUDA not available",
            cure="leave --device out to use the CPU, or install a CUDA build of PyTorch",
        )
    return chosen


def _float(dtype: torch.dtype) -> torch.dtype:
    if dtype not in (torch.float64, torch.float32):
        raise SettingsError("dtype", expected="torch.float64 or torch.float32", got=str(dtype))
    return dtype
