"""Multilevel training beside training on one level, at equal work: arXiv:2603.04827 and beyond it.

    python -m scripts.kan_study regression burgers --seeds 10 --jobs 2

For each experiment and seed the same network is trained on its coarsest level alone, on its finest level alone, and
through all levels, in some experiments in the power-ReLU basis too, and beside a tanh network. One unit of work is a
step on the coarsest level; a step costs as many units as there are times more intervals. Schedules, of which every
experiment has some:

    coarse, fine    on one level alone
    multilevel      through the levels; in the experiments on Burgers' equation with a quarter less work, as published
    equal           the same with as much work as the others, every level begun anew
    reset           nothing carried over from level to level but the function
    sampled         as "reset" or "equal", the function carried over by least squares on samples, as in pykan
    stalling        through the levels, each of which ends once it has stalled
    falling         the rate quartered with each level
    fast            the coarsest level alone at the rate at which "falling" begins
    tanh            the tanh network, with its own number of steps

Into the folder `--out` go <experiment>.jsonl, every run with its curve as soon as it ends; then <experiment>.csv, the
table; and <experiment>.png: loss and error against work and seconds, median and quartiles. A run that diverged, or
whose loss is ten times the median, counts as failed. The experiments themselves are in `kan_experiments.py`.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch

from pinnml import KAN, Adam, Multilevel, solve
from pinnml.networks import NetworkSettings
from pinnml.run import Progress
from pinnml.solvers import Solver
from problems import regression
from scripts.grid_extension import GridExtension
from scripts.kan_experiments import EXPERIMENTS, network_on, solver_on

FAILED = 10.0
#: What stands for the loss and the error of a run that has none.
LARGE = 1e300
#: How runs end that have failed, whatever the best state on their way was.
LOST = ("DIVERGED", "NOT_FINITE")
COLOURS = {
    "coarse": "#0072B2",
    "fine": "#D55E00",
    "multilevel": "#009E73",
    "equal": "#7B3294",
    "reset": "#CC79A7",
    "sampled": "#A6761D",
    "stalling": "#117733",
    "falling": "#56B4E9",
    "fast": "#E69F00",
    "tanh": "#555555",
}


@dataclass(frozen=True)
class Run:
    """One training: of which experiment, in which basis, on which levels, from which seed."""

    experiment: str
    basis: str
    schedule: str
    seed: int


def prepared(run: Run) -> tuple[NetworkSettings, Solver, int]:
    """The network of a run, its solver, and the level on which it begins."""
    experiment = EXPERIMENTS[run.experiment]
    if run.basis == "tanh":
        assert experiment.baseline is not None
        return experiment.baseline, replace(experiment.solver, steps=experiment.baseline_steps), 0
    steps = experiment.schedules[run.schedule]
    used = [level for level, number in enumerate(steps) if number]
    solvers = [solver_on(experiment, run.schedule, level) for level in range(len(used))]
    kind = GridExtension if run.schedule == "sampled" else Multilevel
    solver = kind(
        inner=solvers[-1],
        coarse=solvers[:-1] or None,
        levels=len(used),
        schedule=[steps[level] for level in used],
        transfer=run.schedule not in ("reset", "equal", "sampled"),
    )
    return network_on(experiment, run.basis, used[0]), solver, used[0]


def trained(run: Run) -> dict[str, Any]:
    """The outcome of one run: its curve by work and seconds, and its last loss and error."""
    torch.set_num_threads(1)
    experiment, (network, solver, first) = EXPERIMENTS[run.experiment], prepared(run)
    curve: list[dict[str, Any]] = []

    def record(progress: Progress) -> None:
        curve.append(
            {
                "work": 2**first * float(progress.notes.get("work", progress.step)),
                "seconds": progress.seconds,
                "level": first + int(progress.notes.get("level", 0)),
                "loss": experiment.scale * progress.loss,
                "error": progress.error,
            }
        )

    options = {"points": experiment.points, "rule": experiment.rule, "seed": run.seed, "callback": record}
    solution = solve(experiment.problem(), network, solver, dtype=experiment.dtype, **options)
    parameters = sum(p.numel() for p in solution.network.parameters())
    known = {"basis": run.basis, "schedule": run.schedule, "seed": run.seed, "parameters": parameters}
    diverged = {"work": 0.0, "seconds": 0.0, "level": first, "loss": float("inf"), "error": None}
    last = curve[-1] if curve else diverged
    return known | {
        "work": last["work"],
        "seconds": last["seconds"],
        "loss": last["loss"],
        "error": solution.verdict.error,
        "status": solution.verdict.status.name,
        "curve": curve,
    }


def runs_of(name: str, seeds: Sequence[int], schedules: Sequence[str] | None) -> list[Run]:
    experiment = EXPERIMENTS[name]
    pairs = [(basis, schedule) for basis in experiment.bases for schedule in experiment.schedules]
    pairs += [("tanh", "tanh")] * (experiment.baseline is not None)
    pairs = [pair for pair in pairs if schedules is None or pair[1] in schedules]
    return [Run(name, basis, schedule, seed) for seed in seeds for basis, schedule in pairs]


def table(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Median and quartiles of loss and error for each basis and schedule, and failures."""
    lines = []
    for basis, schedule in dict.fromkeys((r["basis"], r["schedule"]) for r in records):
        group = [r for r in records if (r["basis"], r["schedule"]) == (basis, schedule)]
        lost = np.array([r["status"] in LOST for r in group])
        losses = np.where(lost, np.inf, [r["loss"] for r in group])
        finite = losses[np.isfinite(losses)]
        middle = float(np.median(finite)) if len(finite) else np.nan
        line: dict[str, Any] = {"basis": basis, "schedule": schedule, "parameters": group[0]["parameters"]}
        line |= {"runs": len(group), "failed": int((~(losses <= FAILED * middle)).sum())}
        for level in sorted({row["level"] for r in group for row in r["curve"]}):
            line[f"loss after level {level}"] = float(np.median([loss_after(r, level) for r in group]))
        for name in ("loss", "error"):
            numbers = np.array([r[name] for r in group], dtype=float)
            numbers = np.where(np.isfinite(numbers) & ~lost, numbers, LARGE)
            low, half, high = np.quantile(numbers, [0.25, 0.5, 0.75])
            line |= {name: half, f"{name}, quartiles": f"{low:.2e} {high:.2e}"}
        lines.append(line | {"seconds": statistics.median(r["seconds"] for r in group)})
    return lines


def loss_after(record: Mapping[str, Any], level: int) -> float:
    """The last loss on a level, LARGE where a run did not come to its end."""
    ends = [row["loss"] for row in record["curve"] if row["level"] == level]
    is_lost = record["status"] in LOST and record["curve"][-1]["level"] == level
    return LARGE if is_lost or not ends else ends[-1]


def draw(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Loss and error against work and seconds: medians, and quartiles as bands."""
    seeds = len({r["seed"] for r in records})
    mpl.use("Agg")
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), sharey="row", layout="constrained")
    for basis, schedule in dict.fromkeys((r["basis"], r["schedule"]) for r in records):
        group = [r["curve"] for r in records if (r["basis"], r["schedule"]) == (basis, schedule) and r["curve"]]
        if not group:
            continue
        for row, value in zip(axes, ("loss", "error"), strict=True):
            for panel, along in zip(row, ("work", "seconds"), strict=True):
                band(panel, group, along, value, schedule, "--" if basis == "relu" else "-", basis)
                panel.set(xscale="log", yscale="log", xlabel=along, ylabel=value)
                panel.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes[0][0].legend(fontsize=9, frameon=False)
    figure.suptitle(f"{path.stem}: median and quartiles of {seeds} seeds")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def band(panel, curves, along: str, value: str, schedule: str, line: str, basis: str) -> None:
    """The median of curves over a common grid, each held until its next report."""
    ends = [max(row[along] for row in curve) for curve in curves]
    starts = [min(row[along] for row in curve if row[along] > 0) for curve in curves]
    grid = np.geomspace(max(starts), statistics.median(ends), 80)
    values = []
    for curve in curves:
        known = [(row[along], row[value]) for row in curve if row[value] is not None]
        when, what = np.array(known, dtype=float).T
        values.append(what[np.clip(np.searchsorted(when, grid, side="right") - 1, 0, None)])
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    label = schedule if basis in ("spline", "tanh") else f"{schedule}, ReLU basis"
    panel.plot(grid, middle, line, color=COLOURS[schedule], label=label)
    panel.fill_between(grid, low, high, color=COLOURS[schedule], alpha=0.15, linewidth=0)


def warmed() -> None:
    """What a process does once, so that no run is charged with it."""
    solve(regression.problem(100), KAN(2, 1), Adam(steps=1))


def study(
    name: str, seeds: Sequence[int], schedules: Sequence[str] | None, jobs: int, out: Path
) -> list[dict[str, Any]]:
    """Run an experiment, write what it gave, and return its table."""
    runs = runs_of(name, seeds, schedules)
    if not runs:
        raise SystemExit(f"{name} has none of these schedules; choose from {', '.join(EXPERIMENTS[name].schedules)}")
    out.mkdir(parents=True, exist_ok=True)
    records = []
    with (
        (out / f"{name}.jsonl").open("w") as lines,
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=warmed) as pool,
    ):
        for run, record in zip(runs, pool.map(trained, runs), strict=True):
            records.append(record)
            lines.write(json.dumps(record) + "\n")
            lines.flush()
            found = f"loss {record['loss']:.2e}, error {record['error'] or float('nan'):.2e}, {record['seconds']:.0f} s"
            print(f"{len(records)} of {len(runs)}: {run.basis} {run.schedule}, seed {run.seed}: {found}", flush=True)
    found = table(records)
    with (out / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for line in found for key in line)))
        writer.writeheader()
        writer.writerows(found)
    draw(out / f"{name}.png", records)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="+", choices=EXPERIMENTS)
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0 on")
    parser.add_argument("--schedules", nargs="*", choices=COLOURS, help="these alone")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/kan_study"))
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error("--seeds: one at least")
    for chosen in arguments.experiments:
        print(chosen)
        print(
            json.dumps(
                study(chosen, range(arguments.seeds), arguments.schedules, arguments.jobs, arguments.out), indent=2
            )
        )
