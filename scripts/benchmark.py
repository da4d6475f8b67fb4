"""All promises in one table: errors and seconds of every case, median and worst of five seeds.

    python -m scripts.benchmark                   everything, about two hours on two cores
    python -m scripts.benchmark poisson guide     the bars with these words in their names
    python -m scripts.benchmark --seeds 0 1       fewer seeds

A bar is met if the median meets it and the worst stays within ten times of it. Exit status 1 if one is not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from pinnml import KAN, MLP, LevenbergMarquardt, Multilevel
from pinnml.cli.script import load_script
from scripts import benchmark_fem, benchmark_jacobian, benchmark_kan, benchmark_lsgd, verdict_study
from scripts.statements.outcome import Limits

Seeds = tuple[int, ...]
SCRIPTS = Path(__file__).resolve().parent.parent / "problems"
#: The worst seed may miss a bar by this factor.
SPREAD = 10.0


@dataclass(frozen=True)
class Row:
    """One line of the table: what was asked, what was found, and whether that is enough."""

    name: str
    bar: str
    found: str
    met: bool


@dataclass(frozen=True)
class Solve:
    """A script's case, by its recipe or by other settings, and the relative L2 error and seconds asked of it."""

    name: str
    error: float
    seconds: float
    script: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, seeds: Seeds) -> Iterator[Row]:
        script = load_script(SCRIPTS / f"{self.script}.py")
        problem, recipe = script.problem(**self.parameters), script.recipe(**self.parameters)
        verdicts = [recipe.solve(problem, seed=seed, **self.settings).verdict for seed in seeds]
        errors = [v.error for v in verdicts if v.error is not None]
        seconds = [v.seconds for v in verdicts]
        middle, worst = statistics.median(errors), max(errors)
        met = middle <= self.error and worst <= SPREAD * self.error and statistics.median(seconds) <= self.seconds
        good = sum(v.good for v in verdicts)
        found = f"{middle:.1e} (worst {worst:.1e}), {statistics.median(seconds):.1f} s (worst {max(seconds):.1f} s)"
        note = "" if good == len(seeds) else f", verdict good in {good} of {len(seeds)}"
        yield Row(self.name, f"{self.error:.0e}, {self.seconds:.0f} s", found + note, met and good == len(seeds))


def levenberg_marquardt(activation: str, error: float) -> Solve:
    """Poisson's sine with a network of at most 400 parameters."""
    network = MLP(16, 2, "tanh") if activation == "tanh" else MLP(90, 1, "sine", bandwidth=3)
    solver = LevenbergMarquardt(steps=2000, tolerance=2e-8 if activation == "tanh" else 3e-9)
    settings = {"network": network, "solver": solver, "points": 900, "expect": error}
    return Solve(f"poisson sine, {activation} mlp, lm", error, 60, "poisson", {}, settings)


def layer(hidden: str, gain: float) -> Callable[[Seeds], Iterator[Row]]:
    def measure(seeds: Seeds) -> Iterator[Row]:
        found = benchmark_lsgd.measure_layer(hidden, seeds)
        middle, worst = found["gain, median"], found["gain, worst"]
        text = f"{middle:.0f} times (worst {worst:.0f}), {found['seconds, worst']:.0f} s"
        yield Row(
            f"layer 2-D, {hidden} steps", f"{gain:.0f} times in 120 s", text, middle >= gain and worst >= gain / SPREAD
        )

    return measure


def sine(seeds: Seeds) -> Iterator[Row]:
    found = benchmark_lsgd.measure_sine(tuple(range(8)))
    text = f"{found['ratio']:.1f} times ({found['LSGD, median']:.1e}, Adam {found['Adam, median']:.1e})"
    yield Row("LSGD beside Adam, 8 seeds", "4 times lower", text, found["ratio"] >= 4)


def jacobian(seeds: Seeds) -> Iterator[Row]:
    found = benchmark_jacobian.measure(9)
    yield Row("Jacobian beside vmap(jacrev)", "3 times faster", f"{found['ratio']:.1f} times", found["ratio"] >= 3)
    beyond = found["memory beyond J, ours"]
    yield Row("Jacobian, memory beyond J", "0.5 J", f"{beyond:.2f} J", beyond <= 0.5)


def elements(seeds: Seeds) -> Iterator[Row]:
    found = benchmark_fem.measure(seeds)
    text = f"{found['network, seconds']:.2f} s beside {found['elements, seconds']:.2f} s of quartic elements"
    yield Row("poisson sine to 1e-9", "no slower than scikit-fem", text, found["ratio"] >= 1)


def levels(name: str, parameters: Mapping[str, Any], seconds: float) -> Callable[[Seeds], Iterator[Row]]:
    """A recipe with levels beside its inner solver on the finest level alone, for equal seconds."""

    def measure(seeds: Seeds) -> Iterator[Row]:
        script = load_script(SCRIPTS / f"{name}.py")
        problem, recipe = script.problem(**parameters), script.recipe(**parameters)
        solver, network = recipe.solver, recipe.network
        assert isinstance(solver, Multilevel)
        assert isinstance(network, KAN)
        assert isinstance(network.intervals, int)
        finest = replace(network, intervals=network.intervals * 2 ** (solver.levels - 1))
        errors: list[list[float]] = [[], []]
        for seed in seeds:
            for found, kan, way in zip(errors, (network, finest), (solver, solver.inner), strict=True):
                limited = replace(way, seconds=seconds)
                verdict = recipe.solve(problem, network=kan, solver=limited, seed=seed).verdict
                assert verdict.error is not None
                found.append(verdict.error)
        middle = [statistics.median(found) for found in errors]
        text = " beside ".join(f"{m:.1e} (worst {max(e):.1e})" for m, e in zip(middle, errors, strict=True))
        yield Row(f"{name}, levels beside the finest", f"less in {seconds:.0f} s", text, middle[0] < middle[1])

    return measure


def splines(seeds: Seeds) -> Iterator[Row]:
    found = benchmark_kan.measure(5, torch.device("cpu"))
    yield _times("KAN step beside Cox and de Boor", 5, found["recursion / ours"])
    if found["pykan / ours"] is not None:
        yield _times("KAN step beside pykan", 20, found["pykan / ours"])
    ratio = found["ours, 160 / 20"]
    assert ratio is not None
    gap = found["ours / tanh network"]
    yield Row("KAN step beside a tanh network of its widths", "to be told", f"{gap:.1f} times as long", gap is not None)
    yield Row("KAN step, 160 beside 20 intervals", "1.5 times", f"{ratio:.2f} times", ratio <= 1.5)


def _times(name: str, bar: float, ratio: float | None) -> Row:
    assert ratio is not None
    return Row(name, f"{bar:.0f} times faster", f"{ratio:.0f} times", ratio >= bar)


def verdicts(seeds: Seeds) -> Iterator[Row]:
    """Random statements by all ways of `verdict_study`, whatever the seeds."""
    tasks = [(number, way) for way, count in verdict_study.COUNTS.items() for number in range(count)]
    with TemporaryDirectory() as folder:
        rows = list(verdict_study.study(tasks, Limits(), Path(folder) / "rows.csv", jobs=torch.get_num_threads()))
    for way in verdict_study.COUNTS:
        found = verdict_study.figures([row for row in rows if row.way == way])
        false, lost, near = found["false goods"], found["right, not"], found["within ten"]
        text = f"{false:.0f} false, {lost:.1%} of right ones lost, {near:.1%} of estimates within ten times"
        met = false == 0 and lost <= 0.02 and near >= 0.95
        yield Row(f"verdicts, {found['statements']:.0f} by {way}", "0 false, 2 % lost, 95 % near", text, met)


BARS: dict[str, Callable[[Seeds], Iterator[Row]]] = {
    bar.name: bar
    for bar in (
        Solve("poisson sine", 1e-10, 5, "poisson", {"case": "sine"}),
        Solve("poisson expcos", 1e-10, 10, "poisson", {"case": "expcos"}),
        Solve("poisson cube", 1e-8, 30, "poisson", {"case": "cube"}),
        Solve("poisson mixed", 1e-10, 10, "poisson", {"case": "mixed"}),
        levenberg_marquardt("tanh", 1e-6),
        levenberg_marquardt("sine", 1e-8),
        Solve("heat", 1e-10, 10, "heat"),
        Solve("advection periodic, c = 100", 1e-7, 60, "advection", {"case": "periodic"}),
        Solve("advection layer", 1e-11, 10, "advection", {"case": "layer"}),
        Solve("advection layer2d", 1e-10, 30, "advection", {"case": "layer2d"}),
        Solve("maxwell cavity", 1e-7, 60, "maxwell", {"case": "cavity"}),
        Solve("maxwell guide, k = 32", 1e-6, 120, "maxwell", {"case": "guide"}),
        Solve("maxwell cube", 1e-6, 120, "maxwell", {"case": "cube"}),
        Solve("burgers", 1e-5, 600, "burgers"),
        Solve("burgers, nu = 0.01", 1e-5, 300, "burgers", {"nu": 0.01}),
        Solve("interface", 1e-5, 120, "interface"),
        Solve("allen-cahn", 1e-2, 300, "allen_cahn"),
        Solve("L-shape", 1e-6, 60, "poisson_lshape"),
        Solve("plate with a hole", 1e-4, 120, "plate_with_hole"),
        Solve("two materials", 1e-6, 60, "two_materials"),
    )
} | {
    "layer 2-D, gradient steps": layer("gradient", 10),
    "layer 2-D, gauss-newton steps": layer("gauss-newton", 100),
    "LSGD beside Adam": sine,
    "jacobian": jacobian,
    "fem": elements,
    "levels, burgers": levels("burgers", {"nu": 0.01}, 40),
    "levels, interface": levels("interface", {}, 45),
    "splines": splines,
    "verdicts": verdicts,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="words in the names of bars; none for all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    arguments = parser.parse_args()
    chosen = {name: bar for name, bar in BARS.items() if not arguments.words or any(w in name for w in arguments.words)}
    console, rows = Console(), []
    for name, bar in chosen.items():
        with console.status(name):
            new = list(bar(tuple(arguments.seeds)))
        rows += new
        for row in new:
            line = f"{'met   ' if row.met else 'MISSED'} {row.name}: {row.found}; asked: {row.bar}"
            console.print(line, highlight=False, soft_wrap=True)
    console.print(table(rows, tuple(arguments.seeds)))
    if arguments.out:
        arguments.out.write_text(json.dumps([vars(row) for row in rows], indent=2) + "\n")
    return 0 if rows and all(row.met for row in rows) else 1


def table(rows: list[Row], seeds: Seeds) -> Table:
    made = Table(
        title=f"seeds {', '.join(map(str, seeds))}; {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    for heading in ("case", "asked", "found", ""):
        made.add_column(heading)
    for row in rows:
        made.add_row(row.name, row.bar, row.found, "met" if row.met else "MISSED")
    return made


if __name__ == "__main__":
    sys.exit(main())
