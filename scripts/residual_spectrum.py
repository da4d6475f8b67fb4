"""What each level adds: the spectrum of the residual along x, level by level, on the Allen-Cahn equation.

    python -m scripts.residual_spectrum --seed 0

A spline network is trained on its coarsest level, refined and trained on. After every level the residual is taken on a
uniform grid of points that the training did not see, and its Fourier transform along x squared and averaged over t: a
part of the mean square of the residual for each wave number. Finer splines should lower what lies at high ones. Writes
residual_spectrum.png and prints, for each level, the error and the mean square at low and at high wave numbers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch

from pinnml import KAN, LevenbergMarquardt, Problem, Solution, solve
from pinnml.solvers import Solver
from problems import allen_cahn

#: Points of the grid along x and along t.
ALONG_X, ALONG_T = 512, 64
#: The first wave number that counts as high: a wave of one eighth in the whole period of two.
HIGH = 16


@dataclass(frozen=True)
class Level:
    """What one level left: its intervals, the error, and the mean square of the residual by wave number (m,)."""

    intervals: int
    error: float | None
    spectrum: np.ndarray


def levels_of(
    problem: Problem, network: KAN, solvers: Sequence[Solver], points: Mapping[str, int], seed: int
) -> list[Level]:
    """Train one level after another, each with its solver, and look at the residual between."""
    solution, found = None, []
    for number, solver in enumerate(solvers):
        if solution is None:
            solution = solve(problem, network, solver, points=points, rule="sobol", seed=seed, verify=False)
        else:
            finer = replace(solution, network=solution.network.refined()[0])
            again = {"points": points, "rule": "sobol", "seed": seed, "start": finer, "verify": False}
            solution = solve(problem, solver=solver, **again)
        assert isinstance(network.intervals, int)
        found.append(Level(network.intervals * 2**number, solution.verdict.error, spectrum(solution)))
    return found


def spectrum(solution: Solution) -> np.ndarray:
    """The mean square of the residual by wave number along the first axis, (ALONG_X / 2 + 1,); the sum is the whole."""
    (low, high), (begin, end) = solution.domain.bounds
    x = low + (high - low) * np.arange(ALONG_X) / ALONG_X
    t = begin + (end - begin) * (np.arange(ALONG_T) + 0.5) / ALONG_T
    points = np.stack([each.ravel() for each in np.meshgrid(x, t)], axis=1)
    (residual,) = solution.residual(points).values()
    waves = np.fft.rfft(residual.reshape(ALONG_T, ALONG_X), axis=1) / ALONG_X
    twice = np.where(np.arange(waves.shape[1]) % (ALONG_X // 2) == 0, 1, 2)  # waves k and -k
    return twice * (np.abs(waves) ** 2).mean(axis=0)


def draw(levels: Sequence[Level], path: Path) -> None:
    mpl.use("Agg")
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for number, level in enumerate(levels):
        colour = plt.get_cmap("viridis")(0.85 * number / max(len(levels) - 1, 1))
        axes.loglog(level.spectrum, color=colour, label=f"after {level.intervals} intervals")
    axes.axvline(HIGH, color="#999999", linewidth=0.8, linestyle=":")
    axes.set(xlabel="wave number along x", ylabel="mean square of the residual")
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--intervals", type=int, default=4, help="on the coarsest level")
    parser.add_argument("--steps", type=int, default=60, help="of Levenberg-Marquardt on each level")
    parser.add_argument("--out", type=Path, default=Path("runs/residual_spectrum"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    each = LevenbergMarquardt(steps=arguments.steps, patience=arguments.steps)
    network = KAN(8, 2, order=6, intervals=arguments.intervals)
    points = {"interior": 6000, "initial": 400}
    found = levels_of(allen_cahn.problem(), network, [each] * arguments.levels, points, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw(found, arguments.out / "residual_spectrum.png")
    for level in found:
        low, high = level.spectrum[:HIGH].sum(), level.spectrum[HIGH:].sum()
        print(json.dumps({"intervals": level.intervals, "error": level.error, "low": low, "high": high}))
