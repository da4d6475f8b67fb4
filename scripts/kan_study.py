"""Multilevel training beside training on one level, at equal work: arXiv:2603.04827 and beyond it.

    python -m scripts.kan_study regression burgers --seeds 10 --jobs 2

For each experiment and seed the same network is trained on its coarsest level alone, on its finest level alone, and
through all levels, with B-splines and with the power-ReLU basis, beside a tanh network; "falling" quarters the rate
with each level, and "fast" is the coarsest level alone at the rate at which that begins. (Of Burgers' equation
"multilevel" has a quarter less, as published, and "equal" as much as the others; the tanh network has its own number
of steps.) One unit of work is a step on
the coarsest level; a step costs as many units as there are times more intervals. Into the folder `--out` go
<experiment>.csv, one line a run; <experiment>.json, all curves; and <experiment>.png: loss and error against work and
seconds, median and quartiles. A run whose loss is not finite, or ten times the median, counts as failed.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch

from pinnml import KAN, LBFGS, MLP, Adam, Box, Equation, MultichannelMLP, Multilevel, Problem, solve
from pinnml.loop import Progress
from pinnml.networks.spline_settings import SplineNetwork
from pinnml.solvers import Solver
from problems import allen_cahn, burgers, interface, regression

FAILED = 10.0
#: What stands for the loss of a run that has none.
LARGE = 1e300
#: A start that suits gradient solvers.
SMOOTH = {"roughness": 0.03, "reach": 3, "spread": True}
COLOURS = {
    "coarse": "#0072B2",
    "fine": "#D55E00",
    "multilevel": "#009E73",
    "equal": "#F0E442",
    "reset": "#CC79A7",
    "falling": "#56B4E9",
    "fast": "#E69F00",
    "tanh": "#555555",
}


@dataclass(frozen=True)
class Experiment:
    """A problem, the network at its coarsest level, and how many steps every level gets.

    schedules: name -> steps of levels, a level with none being left out. scale turns the solver's loss into the
    figure that is reported; fast is the rate at which "falling" and "fast" begin.
    """

    problem: Callable[[], Problem]
    network: Mapping[str, Any]
    schedules: Mapping[str, tuple[int, ...]]
    solver: Solver
    points: Any
    rule: str = "grid"
    bases: tuple[str, ...] = ("spline",)
    baseline: MLP | None = None
    baseline_steps: int = 0
    scale: float = 2.0
    fast: float = 1e-2
    dtype: torch.dtype = torch.float64


@dataclass(frozen=True)
class Run:
    """One training: of which experiment, in which basis, on which levels, from which seed."""

    experiment: str
    basis: str
    schedule: str
    seed: int


def balance_of_burgers(u):
    return u.d("t") + u * u.d("x") - 0.01 * u.d("xx")


def burgers_sine() -> Problem:
    """Burgers' equation with nu = 1e-2 from -sin(pi x), the start and the ends as equations of weight one."""

    def start(u, x):
        return u + torch.sin(torch.pi * x)

    def wall(u):
        return u

    return Problem(
        domain=Box(x=(-1, 1), t=(0, 1)),
        fields=("u",),
        equations=(
            Equation(balance_of_burgers),
            Equation(start, on="initial"),
            Equation(wall, on=("x=-1", "x=1")),
        ),
        reference=lambda points: burgers.cole_hopf(points, 0.01),
    )


def burgers_wave() -> Problem:
    """The same equation from a front between 1 and 0: u = (1 - tanh((x + 1/2 - t/2) / (4 nu))) / 2 travels on."""

    def wave(x, t):
        return (1 - torch.tanh((x + 0.5 - t / 2) / 0.04)) / 2

    def match(u, x, t):
        return u - wave(x, t)

    return Problem(
        domain=Box(x=(-1, 1), t=(0, 1)),
        fields=("u",),
        equations=(Equation(balance_of_burgers), Equation(match, on=("initial", "x=-1", "x=1"))),
        exact=wave,
    )


def _longer(schedules: Mapping[str, tuple[int, ...]], factor: int) -> dict[str, tuple[int, ...]]:
    return {name: tuple(factor * steps for steps in each) for name, each in schedules.items()}


REGRESSION = Experiment(
    regression.problem,
    {"width": 5, "depth": 1, "order": 4, "intervals": 5, "first": "linear", "normalise": "range"},
    {"coarse": (128, 0, 0, 0), "fine": (0, 0, 0, 16), "multilevel": (32, 16, 8, 4), "reset": (32, 16, 8, 4)},
    LBFGS(inner=1, steps=10**6, patience=10**6),
    None,
    bases=("spline",),
    baseline=MLP(20, 2, "tanh"),
    baseline_steps=128,
)
BURGERS = Experiment(
    burgers_sine,
    {"width": 20, "depth": 2, "order": 4, "intervals": 5, "first": "linear", "normalise": "tanh"} | SMOOTH,
    {
        "coarse": (3200, 0, 0),
        "fine": (0, 0, 800),
        "multilevel": (800, 400, 200),
        "falling": (800, 400, 200),
        "fast": (3200, 0, 0),
    },
    Adam(steps=10**6, rate=1e-3, patience=10**6),
    {"interior": 4096, "initial": 64, "x=-1": 64, "x=1": 64},
    baseline=MLP(56, 2, "tanh"),
    baseline_steps=3200,
    dtype=torch.float32,
)
EXPERIMENTS: dict[str, Experiment] = {
    "regression": REGRESSION,
    **{
        f"regression-{n}": replace(REGRESSION, schedules=_longer(REGRESSION.schedules, n), baseline=None)
        for n in (2, 4, 8)
    },
    "burgers": BURGERS,
    "burgers-wave": replace(
        BURGERS,
        problem=burgers_wave,
        network={"width": 20, "depth": 2, "order": 4, "intervals": 5, "first": "linear", "normalise": "tanh"}
        | {"spread": True},
        schedules={
            "coarse": (3200, 0, 0),
            "fine": (0, 0, 800),
            "multilevel": (800, 400, 200),
            "equal": (800, 400, 400),
        },
        solver=Adam(steps=10**6, rate=2e-3, cycle=100, decay=0.9995**1000, patience=10**6),
    ),
    "interface": Experiment(
        interface.problem,
        {"width": 5, "depth": 1, "order": 4, "intervals": 4, "inputs": interface.stretched},
        {
            "coarse": (18750, 0, 0, 0),
            "fine": (0, 0, 0, 2344),
            "multilevel": (1250, 1250, 1250, 1250),
            "falling": (1250, 1250, 1250, 1250),
        },
        Adam(steps=10**6, rate=1e-2, ramp=10, patience=10**6),
        {"interior": 2401, "boundary": 200},
        bases=("spline", "relu"),
        baseline=MLP(16, 2, "tanh", inputs=interface.stretched),
        baseline_steps=5000,
    ),
    "allen-cahn": Experiment(
        allen_cahn.problem,
        {"width": 5, "depth": 2, "order": 4, "intervals": 4, "normalise": "sigmoid"},
        {"coarse": (37500, 0, 0, 0), "fine": (0, 0, 0, 4687), "multilevel": (2500, 2500, 2500, 2500)},
        Adam(steps=10**6, rate=1e-2, ramp=10, patience=10**6),
        {"interior": 20000, "initial": 501},
        rule="random",
        bases=("spline", "relu"),
    ),
}


def settings(experiment: Experiment, basis: str, level: int) -> SplineNetwork:
    """The network as it is on a level, drawn there."""
    kind = KAN if basis == "spline" else MultichannelMLP
    coarse = kind(**experiment.network)
    assert isinstance(coarse.intervals, int)
    return replace(coarse, intervals=coarse.intervals * 2**level)


def solver_of(experiment: Experiment, schedule: str, level: int) -> Solver:
    """The solver of a level: with "falling" its rate is a quarter of that of the level before."""
    if schedule not in ("falling", "fast"):
        return experiment.solver
    assert isinstance(experiment.solver, Adam)
    return replace(experiment.solver, rate=experiment.fast / 4**level)


def trained(run: Run) -> dict[str, Any]:
    """The outcome of one run: its curve by work and seconds, and its last loss and error."""
    torch.set_num_threads(1)
    experiment = EXPERIMENTS[run.experiment]
    if run.basis == "tanh":
        network, solver, first = experiment.baseline, replace(experiment.solver, steps=experiment.baseline_steps), 0
    else:
        steps = experiment.schedules[run.schedule]
        used = [level for level, number in enumerate(steps) if number]
        first = used[0]
        network = settings(experiment, run.basis, first)
        solvers = [solver_of(experiment, run.schedule, level) for level in range(len(used))]
        solver = Multilevel(
            inner=solvers[-1],
            coarse=solvers[:-1] or None,
            levels=len(used),
            schedule=[steps[level] for level in used],
            transfer=run.schedule != "reset",
        )
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
        losses = np.array([r["loss"] for r in group])
        finite = losses[np.isfinite(losses)]
        middle = float(np.median(finite)) if len(finite) else np.nan
        line: dict[str, Any] = {"basis": basis, "schedule": schedule, "parameters": group[0]["parameters"]}
        line |= {"runs": len(group), "failed": int((~(losses <= FAILED * middle)).sum())}
        for name in ("loss", "error"):
            numbers = np.array([r[name] for r in group], dtype=float)
            numbers = np.where(np.isfinite(numbers), numbers, LARGE)
            low, half, high = np.quantile(numbers, [0.25, 0.5, 0.75])
            line |= {name: half, f"{name}, quartiles": f"{low:.2e} {high:.2e}"}
        lines.append(line | {"seconds": statistics.median(r["seconds"] for r in group)})
    return lines


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
                _band(panel, group, along, value, schedule, "--" if basis == "relu" else "-", basis)
                panel.set(xscale="log", yscale="log", xlabel=along, ylabel=value)
                panel.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes[0][0].legend(fontsize=9, frameon=False)
    figure.suptitle(f"{path.stem}: median and quartiles of {seeds} seeds")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _band(panel, curves, along: str, value: str, schedule: str, line: str, basis: str) -> None:
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


def _warmed() -> None:
    """What a process does once, so that no run is charged with it."""
    solve(regression.problem(100), KAN(2, 1), Adam(steps=1))


def study(
    name: str, seeds: Sequence[int], schedules: Sequence[str] | None, jobs: int, out: Path
) -> list[dict[str, Any]]:
    """Run an experiment, write what it gave, and return its table."""
    runs = runs_of(name, seeds, schedules)
    if not runs:
        raise SystemExit(f"{name} has none of these schedules; choose from {', '.join(EXPERIMENTS[name].schedules)}")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_warmed) as pool:
        records = []
        for run, record in zip(runs, pool.map(trained, runs), strict=True):
            records.append(record)
            found = f"loss {record['loss']:.2e}, error {record['error'] or float('nan'):.2e}, {record['seconds']:.0f} s"
            print(f"{len(records)} of {len(runs)}: {run.basis} {run.schedule}, seed {run.seed}: {found}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(records))
    with (out / f"{name}.csv").open("w", newline="") as file:
        columns = [key for key in records[0] if key != "curve"]
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(records)
    draw(out / f"{name}.png", records)
    return table(records)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="+", choices=EXPERIMENTS)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--schedules", nargs="*", choices=COLOURS, help="these alone")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/kan_study"))
    arguments = parser.parse_args()
    for chosen in arguments.experiments:
        print(chosen)
        print(
            json.dumps(
                study(chosen, range(arguments.seeds), arguments.schedules, arguments.jobs, arguments.out), indent=2
            )
        )
