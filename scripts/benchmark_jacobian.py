"""System.jacobian beside torch.func.vmap(jacrev) of the same residual: seconds in turns, and peak memory.

The residual is -laplacian(u) - f on the unit square for a tanh network 2-32-32-32-1, 2000 rows x 2241 parameters; for
`vmap(jacrev)` it is written as trace(hessian(u)), as one writes it with torch.func. One thread, both warm.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from math import pi
from pathlib import Path

import torch
from torch import Tensor

from pinnml import MLP, Box, Equation, Problem, laplacian
from pinnml.system import System

ROWS = 2000


def poisson() -> Problem:
    def balance(u, x, y):
        return -laplacian(u) - torch.sin(pi * x) * torch.sin(pi * y)

    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=(Equation(balance),), ansatz=lambda u: u)


def ours() -> tuple[Callable[[], Tensor], System, Tensor]:
    problem, generator = poisson(), torch.Generator().manual_seed(0)
    network = MLP(32, 3, "tanh").build(problem.domain, 1, generator, torch.float64, torch.device("cpu"))
    samples = {"interior": problem.domain.sample("interior", ROWS, generator)}
    system = System.build(problem, network, samples)
    theta = system.initial()
    return lambda: system.jacobian(theta), system, theta


def theirs(system: System, theta: Tensor) -> Callable[[], Tensor]:
    """The same rows from plain functions: reverse over trace(hessian), vectorised over the points."""
    sample = system.blocks[0].sample

    def u(point: Tensor, parameters: dict[str, Tensor], coef: Tensor) -> Tensor:
        values = point
        for layer in range(3):
            values = torch.tanh(values @ parameters[f"weights.{layer}"] + parameters[f"biases.{layer}"])
        return (torch.cat([values, values.new_ones(1)]) @ coef).squeeze()

    def residual(theta: Tensor, point: Tensor, weight: Tensor) -> Tensor:
        parts = system.parts(theta)
        second = torch.func.hessian(u)(point, parts.hidden, parts.coef)
        source = torch.sin(pi * point[0]) * torch.sin(pi * point[1])
        return weight.sqrt() * (-torch.trace(second) - source)

    rows = torch.func.vmap(torch.func.jacrev(residual), in_dims=(None, 0, 0))
    return lambda: rows(theta, sample.x, sample.weight)


def seconds(function: Callable[[], Tensor]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def memory(line: str) -> int:
    """A line of Linux's account of this process, in bytes: VmRSS now, VmHWM at its highest."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition(f"{line}:")[2].split()[0])


def peak_beyond_result(which: str) -> float:
    """In a fresh process: peak memory while J is found, less the memory before and J itself, in units of J."""
    function, system, theta = ours()
    run = function if which == "ours" else theirs(system, theta)
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before must not hide what is taken now
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is now
    before = memory("VmRSS")
    result = run()
    size = result.numel() * result.element_size()
    return (memory("VmHWM") - before - size) / size


def measure(repeats: int) -> dict[str, float]:
    """Medians of A B A B ..., their ratio, the largest difference of the two Jacobians, and the memory of ours."""
    function, system, theta = ours()
    other = theirs(system, theta)
    difference = float((function() - other()).abs().max() / function().abs().max())
    pairs = [(seconds(function), seconds(other)) for _ in range(repeats)]
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    command = [sys.executable, "-m", "scripts.benchmark_jacobian", "--memory"]
    beyond = {which: float(subprocess.check_output([*command, which])) for which in ("ours", "theirs")}
    return {
        "ours": a,
        "vmap(jacrev)": b,
        "ratio": ratio,
        "difference": difference,
        "memory beyond J, ours": beyond["ours"],
        "memory beyond J, vmap(jacrev)": beyond["theirs"],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", choices=("ours", "theirs"), help="print the peak memory beyond J, in units of J")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    if arguments.memory:
        print(peak_beyond_result(arguments.memory))
    else:
        print(json.dumps(measure(arguments.repeats), indent=2))
