"""What moving the basis is worth: LSGD on a boundary layer, and beside Adam on a sine.

The layer: advection.py case=layer2d on at most 100 box functions of plain x and y. Reported is how many times the
error falls below that of the first least-squares solve, by gradient steps and by Gauss-Newton steps.
The sine: sin(2 pi x) on (0, 1), a residual box network of 4 layers of width 32, equal numbers of steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
from math import pi
from typing import Any

import torch

from pinnml import LSGD, MLP, Adam, Box, Equation, Parameter, Problem, Solution, solve
from problems import advection

LAYER_SECONDS = 100.0
SINE_STEPS = 2000


def layer_gain(hidden: str, seed: int, seconds: float = LAYER_SECONDS) -> tuple[float, float, float]:
    """Error of the first solve, of the last, and seconds."""
    first: list[float | None] = []
    solution = solve(
        advection.problem("layer2d"),
        MLP(99, depth=1, activation="tanh", init="box"),
        LSGD(hidden=hidden, damping=1e-8, steps=10**6, seconds=seconds, patience=10**6),
        points={"interior": 2000, "boundary": 300},
        rule="gauss",
        seed=seed,
        callback=lambda progress: first.append(progress.error) if not first else None,
    )
    assert first[0] is not None
    return first[0], worst_error(solution), solution.verdict.seconds


def regression() -> Problem:
    def difference(u, x):
        return u - torch.sin(2 * pi * x)

    return Problem(
        domain=Box(x=Parameter(0, 1)),
        fields=("u",),
        equations=(Equation(difference),),
        exact=lambda x: torch.sin(2 * pi * x),
    )


def sine_errors(seed: int, steps: int = SINE_STEPS) -> tuple[float, float]:
    """Errors of LSGD and of Adam after equal numbers of steps."""
    network = MLP(32, depth=4, activation="relu", init="box", residual=True)
    solvers = (LSGD(steps=steps, patience=10**6), Adam(steps=steps))
    solutions = [solve(regression(), network, solver, points=256, rule="grid", seed=seed) for solver in solvers]
    lsgd, adam = map(worst_error, solutions)
    return lsgd, adam


def worst_error(solution: Solution) -> float:
    error = solution.verdict.error
    assert error is not None
    return error


def measure_layer(hidden: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    runs = [layer_gain(hidden, seed) for seed in seeds]
    gains = sorted(before / after for before, after, _ in runs)
    return {
        "gain, median": statistics.median(gains),
        "gain, worst": gains[0],
        "errors": [[before, after] for before, after, _ in runs],
        "seconds, worst": max(seconds for *_, seconds in runs),
    }


def measure_sine(seeds: tuple[int, ...]) -> dict[str, float]:
    pairs = [sine_errors(seed) for seed in seeds]
    lsgd, adam = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"LSGD, median": lsgd, "Adam, median": adam, "ratio": adam / lsgd}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("gradient", "gauss-newton", "sine"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    arguments = parser.parse_args()
    chosen = tuple(arguments.seeds)
    print(
        json.dumps(
            measure_sine(chosen) if arguments.which == "sine" else measure_layer(arguments.which, chosen), indent=2
        )
    )
