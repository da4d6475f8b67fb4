"""Runs that are killed at random and gone on with: does each end as the run that nobody killed, to the last bit?

    python -m scripts.run_kills [KILLS]

Every solver in turn is killed so many times (20 by default) within its run, each time by SIGKILL and at a random
moment, writing its checkpoint included; then the run is gone on with. At last the numbers of both runs are compared.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from math import pi
from pathlib import Path
from typing import Any

import torch

from pinnml import (
    KAN,
    LBFGS,
    LSGD,
    MLP,
    Adam,
    Box,
    Equation,
    Features,
    LevenbergMarquardt,
    Multilevel,
    Problem,
    laplacian,
    load,
    solve,
)
from pinnml.output import unfinished
from pinnml.run import keeping

TANH = MLP(10, 2, "tanh")
WAYS = {
    "lm": (TANH, LevenbergMarquardt(steps=80, tolerance=0.0)),
    "adam": (TANH, Adam(steps=1500)),
    "lbfgs": (TANH, LBFGS(steps=60)),
    "lsgd": (Features(30, bandwidth=4), LSGD(steps=80, tolerance=0.0, patience=80)),
    "multilevel": (
        KAN(4, intervals=3),
        Multilevel(inner=LevenbergMarquardt(tolerance=0.0), levels=3, schedule=(20, 20, 20)),
    ),
}


def problem() -> Problem:
    """-laplacian(u) + u^3 = f on the unit square, u = sin(pi x) sin(pi y)."""

    def exact(x, y):
        return torch.sin(pi * x) * torch.sin(pi * y)

    def balance(u, x, y):
        return -laplacian(u) + u**3 - 2 * pi**2 * exact(x, y) - exact(x, y) ** 3

    laws = (Equation(balance), Equation(lambda u: u, on="boundary", name="wall"))
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=laws, exact=exact)


def run(way: str, folder: Path) -> None:
    """One go at a run: from its last checkpoint, if there is one."""
    network, solver = WAYS[way]
    there = unfinished(folder) or (folder / "checkpoint.pt").is_file()
    where: dict[str, Any] = {"resume" if there else "out": folder}
    solve(problem(), network, solver, points=300, verify=False, **where)


def started(work: Callable[[], None]) -> int:
    """A child process that does the work."""
    if child := os.fork():
        return child
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def killed(way: str, folder: Path, longest: float, kills: int, rng: random.Random) -> int:
    """Kill the run again and again, until that has been done so often or the run has ended; how often."""
    for n in range(kills):
        child = started(lambda: run(way, folder))
        time.sleep(rng.uniform(0, longest))
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return n
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if os.waitpid(started(lambda: run(way, folder)), 0)[1]:
        raise RuntimeError(f"{way}: the run does not go on")
    return kills


def numbers(folder: Path) -> torch.Tensor:
    """All numbers of the network that a run has left."""
    state = load(folder / "checkpoint.pt", problem()).network.state_dict()
    return torch.cat([each.reshape(-1) for each in state.values()])


def main() -> None:
    """Print, for every solver, how often it was killed and whether it ended as it should."""
    torch.set_num_threads(1)
    keeping.CHECKPOINT_SECONDS = 0.05
    kills, rng, base = int(sys.argv[1]) if len(sys.argv) > 1 else 20, random.Random(0), Path(tempfile.mkdtemp())
    equal = True
    for way in WAYS:
        began = time.perf_counter()
        os.waitpid(started(lambda way=way: run(way, base / way)), 0)
        seconds = time.perf_counter() - began
        n = killed(way, base / f"{way}, killed", seconds / 6, kills, rng)
        same = torch.equal(numbers(base / way), numbers(base / f"{way}, killed"))
        left = [each.name for each in base.iterdir() if each.name.startswith(".")]
        equal = equal and same and not left
        words = "the same" if same else "NOT the same"
        print(f"{way}: {seconds:.1f} s, killed {n} times: {words}; left beside: {left or 'nothing'}", flush=True)
    shutil.rmtree(base)
    sys.exit(not equal)


if __name__ == "__main__":
    main()
