"""solve(): a problem, a network and a solver in; a solution with its verdict out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import total_order
from pinnml.elements import elements_of
from pinnml.errors import DeviceError, SettingsError
from pinnml.networks import NETWORKS, Features, Network, NetworkSettings
from pinnml.output import RunFolder, draw
from pinnml.problem import WEAK_FORM, Problem, check_data, check_posed_at_points, counts, drawn, held_out_sample
from pinnml.results import (
    Solution,
    Verdict,
    fields_at,
    history,
    known_solution,
    panels,
    relative_l2,
    snapshots,
    value_array,
)
from pinnml.run.arguments import check_arguments, plain_points
from pinnml.run.judge import judge, unjudged
from pinnml.run.known import check_known
from pinnml.run.loop import Callback, Loop, Measure
from pinnml.run.start import check_start, halved, network_of, theta_of
from pinnml.solvers import LSGD, SOLVERS, Solver, Status
from pinnml.system import System
from pinnml.system.weak import TestSpace, weak_residuals

#: Seconds between checkpoints.
CHECKPOINT_SECONDS = 30.0
#: Points on which the error is followed while a solve runs.
FOLLOWED_POINTS = 2000
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
    tests: TestSpace | None = None,
) -> Solution:
    """Find fields that satisfy the problem's equations; the verdict on the solution says how well.

    network: settings such as MLP(...) or Features(...); by default 400 sine features. solver: by default LSGD().
    points: collocation points in the interior (by default six for each basis function, and three for each parameter
    of a KAN), or a mapping region -> number. seed: the one source of randomness. device: by default the CPU. dtype:
    float64, or float32 for gradient solvers. out: a folder for settings, history, verdict, checkpoint, fields and
    picture; without it nothing is written. callback: called with a `Progress` after every step; returning True ends
    the solve. start: a solution of the same fields on the same domain to go on from, with its own network, so that
    `network` is left out, and from its trainable parameters. rule: how points are drawn: chebyshev (dense towards the
    faces), sobol, random, grid or gauss. expect: the relative L2 error that is promised, for the verdict; where
    nothing else can check it, a second solve with half the basis does, of which the callback hears nothing. tests: the
    functions with which the problem's weak form is tested; then it stands for all equations but those for values on
    the boundary, integrals and measurements.

    Raises ProblemError and its kin where the problem does not hold together, SettingsError and DeviceError for
    options that cannot be. A solve that goes wrong numerically does not raise: its status says so. What a function
    of the user's raises comes through; the last state is then kept in the checkpoint of `out`. An earlier run in
    `out` stays as it was until there is something new to write.
    """
    check_arguments(
        problem,
        network,
        solver,
        seed=seed,
        out=out,
        callback=callback,
        start=start,
        rule=rule,
        expect=expect,
        tests=tests,
    )
    points, seed = plain_points(points), int(seed)
    if start is not None:
        check_start(problem, network, start)
    wanted = network or Features(), solver or LSGD(), points, seed, _device(device), _float(dtype), rule, start, tests
    asked = _Asked(problem, *wanted)
    folder = None if out is None else RunFolder(Path(out))
    check_known(problem)
    if tests is None:
        check_posed_at_points(problem)
    loop = _loop(asked, callback)
    if folder is not None:
        loop.keep = _keeper(folder, asked, expect)
    try:
        solution = _solved(loop, asked, expect)
    except Exception as error:
        if folder is not None and loop.steps:
            _rescue(loop, asked, expect, folder, error)
        raise
    if folder is not None:
        write_run(solution, folder)
    return solution


def prepared(
    problem: Problem,
    network: NetworkSettings | None = None,
    *,
    points: int | Mapping[str, int] | None = None,
    rule: str = "chebyshev",
    tests: TestSpace | None = None,
) -> System:
    """The system that `solve` would start from, on the CPU in float64; the same errors, and no step taken."""
    check_arguments(problem, network, None, rule=rule, tests=tests)
    given = problem, network or Features(), LSGD(), plain_points(points), 0, _device(None), torch.float64, rule
    return _prepared(_Asked(*given, tests=tests))


def write_run(solution: Solution, folder: RunFolder) -> None:
    """Write everything that a run leaves behind: settings, history, verdict, checkpoint, fields and picture."""
    _write_state(solution, folder)
    folder.write_config(solution.settings)
    folder.write_verdict(solution.verdict.to_json())
    shots = snapshots(solution)
    folder.write_fields(shots[0] if len(shots) == 1 else shots)
    name = solution.settings["problem"] or ", ".join(field.name for field in solution.fields)
    draw(folder.picture, panels(solution), history(solution), f"{name}: {solution.verdict.summary}")


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
    start: Solution | None = None
    tests: TestSpace | None = None


def _loop(asked: _Asked, callback: Callback | None = None) -> Loop:
    """The loop before its first step."""
    started = time.perf_counter()
    system = _prepared(asked)
    theta = theta_of(system, asked.start)
    return Loop(asked.solver, system, theta, started, _measure(asked.problem, asked.seed), callback)


def _solved(loop: Loop, asked: _Asked, expect: float | None) -> Solution:
    """The solution at the end of the loop, judged."""
    status = loop.run()
    seconds = loop.seconds()
    loop.record()
    half = None if status is Status.INTERRUPTED else _half(asked, expect)
    return _solution(loop, status, asked, expect, seconds, half)


def _prepared(asked: _Asked) -> System:
    """The system with a network built, points drawn, equations tried."""
    problem, generator = asked.problem, torch.Generator().manual_seed(asked.seed)
    check_data(problem)
    if asked.start is None:
        network = asked.network.build(problem.domain, problem.columns, generator, asked.dtype, asked.device)
    else:
        network = network_of(asked.start, asked.device, asked.dtype)
    weak, unseen = (None, None) if asked.tests is None else weak_residuals(problem, asked.tests)
    terms = problem.terms if weak is None else weak.terms
    wanted = counts(problem, asked.points or _default_points(network, asked.solver), terms)
    samples = {region: drawn(problem, region, n, generator, asked.rule) for region, n in wanted.items()}
    system = System.build(problem, network, samples, terms=terms, weak=() if weak is None else weak.parts)
    generator = torch.Generator().manual_seed(asked.seed + HELD_OUT_STREAM)
    held_out = {region: held_out_sample(problem, region, n, generator) for region, n in wanted.items()}
    return system.with_held_out(system.on(held_out, () if unseen is None else unseen.parts))


def _default_points(network: Network, solver: Solver) -> int:
    """Six for each basis function; where functions are local, three for every parameter, of the level to come."""
    size = 6 * network.basis.size
    if network.basis.resolution is not None:
        size = max(size, 3 * sum(parameter.numel() for parameter in network.parameters()))
    return max(size * solver.growth, 500)


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
    """What writes the state now and then."""
    last = time.perf_counter()

    def keep(loop: Loop) -> None:
        nonlocal last
        if time.perf_counter() - last > CHECKPOINT_SECONDS:
            _write_state(_solution(loop, Status.INTERRUPTED, asked, expect, loop.seconds(), None), folder)
            last = time.perf_counter()

    return keep


def _write_state(solution: Solution, folder: RunFolder) -> None:
    """Write checkpoint and history; what an earlier run left goes once the new checkpoint is there."""
    solution.save(folder.checkpoint)
    folder.clear(keep=(folder.checkpoint, folder.history))
    folder.write_history(solution.history)


def _rescue(loop: Loop, asked: _Asked, expect: float | None, folder: RunFolder, error: Exception) -> None:
    """Keep the last state for the user whose function raised an error, and say so on it.

    Nothing of the user's is called again: the verdict stays empty.
    """
    record = _record(loop, asked, expect)
    verdict = unjudged(loop, record)
    try:
        _write_state(_with_verdict(loop, asked, record, verdict), folder)
    except OSError as failure:
        error.add_note(f"the last state could not be kept: {failure}")
    else:
        error.add_note(f"the state after step {loop.steps} is kept in '{folder.checkpoint}'")


def _solution(
    loop: Loop, status: Status, asked: _Asked, expect: float | None, seconds: float, half: Loop | None
) -> Solution:
    """The solution where the loop stands, with the verdict on it."""
    record = _record(loop, asked, expect)
    return _with_verdict(loop, asked, record, judge(loop, status, record, seconds, half))


def _with_verdict(loop: Loop, asked: _Asked, record: Mapping[str, Any], verdict: Verdict) -> Solution:
    system, problem = loop.system, asked.problem
    network, parameters = system.network_at(loop.theta), system.parameters_at(loop.theta)
    return Solution(problem.domain, problem.fields, network, parameters, verdict, tuple(loop.history), problem, record)


def _record(loop: Loop, asked: _Asked, expect: float | None) -> dict[str, Any]:
    """What was asked and settled, as plain values."""
    system = loop.system
    return {
        "problem": asked.problem.name,
        "network": _described_network(asked, system.network),
        "solver": described(asked.solver),
        "points": {block.region: len(block) for block in system.blocks if block.pairing is None},
        "tests": asked.tests and _recorded_tests(asked.tests, system),
        "weights": system.weights,
        "rule": asked.rule,
        "seed": asked.seed,
        "device": str(asked.device),
        "dtype": str(asked.dtype).removeprefix("torch."),
        "expect": expect,
    }


def _recorded_tests(space: TestSpace, system: System) -> dict[str, Any]:
    """The test functions as plain values: their elements by field, their number, and the mesh if it is another."""
    elements = elements_of(system.problem, space.degree, space.elements)
    rows = [rows for name, rows in system.rows.items() if name.startswith(WEAK_FORM)]
    return {
        "elements": {name: [element.family, element.degree] for name, element in elements.items()},
        "functions": sum(each.stop - each.start for each in rows),
        "mesh": None if space.mesh is None else str(space.mesh),
    }


def _half(asked: _Asked, expect: float | None) -> Loop | None:
    """The same solve with half the basis, where a promise has nothing else to be checked against.

    It begins anew, and is not shown to the callback; None if it was interrupted, for half a check is none.
    """
    problem = asked.problem
    if expect is None or problem.exact is not None or problem.reference is not None:
        return None
    smaller = halved(asked.network if asked.start is None else asked.start.settings["network"])
    if smaller is None:
        return None
    try:
        loop = _loop(replace(asked, network=smaller, start=None))
        return None if loop.run() is Status.INTERRUPTED else loop
    except KeyboardInterrupt:
        return None


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
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _described_network(asked: _Asked, network: Network) -> dict[str, Any]:
    """Settings with what the solve has settled in them, such as a bandwidth that was searched for."""
    settings = described(asked.network) if asked.start is None else dict(asked.start.settings["network"])
    return settings | dict(network.basis.settled) | {"settled": list(network.basis.settled)}


def _device(device: str | torch.device | None) -> torch.device:
    try:
        chosen = torch.device("cpu" if device is None else device)
        known = chosen.type in ("cpu", "cuda")
    except (RuntimeError, TypeError):
        known = False
    if not known:
        cure = "leave it out to use the CPU"
        raise DeviceError("unknown device", expected="cpu, cuda or cuda:N", got=repr(device), cure=cure)
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
        cure = "leave it out for float64, or write dtype=torch.float32 with a gradient solver"
        raise SettingsError("dtype", expected="torch.float64 or torch.float32", got=repr(dtype), cure=cure)
    return dtype
