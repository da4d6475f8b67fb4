"""Whether verdicts of predictions hold, and what a prediction costs beside a solve: flow through random ground.

    pinnml data problems/darcy_random.py case=two-valued --samples 1300 --split 1000,100,200 --out darcy.h5
    pinnml train problems/darcy_random.py case=two-valued --data darcy.h5 --out darcy.pt --modes 128 \\
        --network message-passing:width=24,steps=6 --epochs 4 --batch 4 --rate 3e-3 --seed 0
    python -m scripts.surrogate_study --case two-valued verdicts darcy.pt
    python -m scripts.surrogate_study --case two-valued speed fine.msh --samples 230 --modes 64 \\
        --network message-passing:width=8,steps=1 --epochs 4

`verdicts` takes 200 draws that no surrogate has seen (from number 100 000 of seed 0), and 50 from another distribution:
twice the amplitude of the logarithm, half the correlation length. It tells of both

    within 3          the share of estimates within a factor of 3 of the true error
    false goods       predictions called good at 1e-2 that are off by more than 3e-2
    right, good       of the predictions right to 5e-3 the share that is called good
    without solve     the share that a tolerance of 1e-2 ends good without the full solve
    estimate, mending seconds beside those of one solve, medians

`speed` takes a finer mesh of the same plate, such as `square_with_hole` of meshes/make.py with a size of 0.00755, which
has 18 417 nodes. It solves so many draws, trains a surrogate on all but 30 of them, and measures one prediction in a
batch beside one solve, by itself and as `pinnml data` solves many at once. All of it on one thread.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from pinnml import LogNormalField, Mesh, Problem, TwoValuedField
from pinnml.cli.script import load_script
from pinnml.cli.settings import chosen
from pinnml.cli.train_command import KINDS
from pinnml.surrogates import Predictor, Training, generate, train
from pinnml.surrogates.baselines import relative_errors
from pinnml.surrogates.families import Draws, Family, posed_on
from pinnml.surrogates.mending import SOLVED, mended

SCRIPT = Path(__file__).parents[1] / "problems" / "darcy_random.py"
#: The number of the first draw that is looked at, far from those of training.
FIRST = 100_000
GOOD, FALSE, RIGHT = 1e-2, 3e-2, 5e-3


@dataclass(frozen=True)
class Outcome:
    """The true error of a prediction, the estimate of it, how it was mended, and the seconds of each."""

    error: float
    estimate: float
    way: str
    left: float
    solving: float
    estimating: float
    mending: float


def problem(case: str) -> Problem:
    """That of the script."""
    return load_script(SCRIPT).problem(case=case)


def other(posed: Problem) -> Problem:
    """The same with twice the amplitude of the logarithm of kappa, and half its correlation length."""
    field: Any = posed.random["kappa"]
    if isinstance(field, TwoValuedField):
        ratio = (field.high / field.low) ** 0.5
        return replace(
            posed,
            random={"kappa": replace(field, length=field.length / 2, low=field.low / ratio, high=field.high * ratio)},
        )
    assert isinstance(field, LogNormalField)
    return replace(posed, random={"kappa": replace(field, length=field.length / 2, deviation=2 * field.deviation)})


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def outcomes(predictor: Predictor, posed: Problem, count: int) -> list[Outcome]:
    """Of so many draws of a problem with the same equations."""
    surrogate, estimator, by = predictor.surrogate, predictor.estimator, predictor.calibration
    inputs = Draws(posed, surrogate.family.mesh)(range(FIRST, FIRST + count))
    u, found = surrogate.predict(inputs), []
    for row in range(count):
        draw = {name: values[row] for name, values in inputs.items()}
        truth, solving = timed(lambda draw=draw: surrogate.family.solve(draw).u.numpy())
        estimate, estimating = timed(lambda row=row, draw=draw: estimator(u[row], draw))
        end, mending = timed(lambda row=row, draw=draw: mended(estimator, u[row], draw, GOOD, by))
        error = estimator.against(estimate.fields, truth).worst
        left = estimator.against(end.fields, truth).worst
        found.append(Outcome(error, by(estimate.worst), end.way, left, solving, estimating, mending))
    return found


def figures(rows: list[Outcome]) -> dict[str, str]:
    """What the table tells of a set of draws."""
    right = [row for row in rows if row.error <= RIGHT]
    good = [row for row in right if row.estimate <= GOOD]
    within = sum(1 / 3 <= row.estimate / row.error <= 3 for row in rows)
    false = sum(row.estimate <= GOOD and row.error > FALSE for row in rows)
    unsolved = sum(row.way != SOLVED for row in rows)
    solving = statistics.median(row.solving for row in rows)
    return {
        "draws": str(len(rows)),
        "error, median and worst": f"{statistics.median(r.error for r in rows):.2e} {max(r.error for r in rows):.1e}",
        "within 3": f"{within / len(rows):.1%}",
        "false goods": str(false),
        "right, good": f"{len(good)} of {len(right)}",
        "called good": f"{sum(row.estimate <= GOOD for row in rows) / len(rows):.1%}",
        "without solve": f"{unsolved / len(rows):.1%}",
        "error after mending, worst": f"{max(row.left for row in rows):.1e}",
        "solve": f"{1e3 * solving:.1f} ms",
        "estimate": f"{statistics.median(row.estimating for row in rows) / solving:.3f} of it",
        "mending": f"{statistics.median(row.mending for row in rows) / solving:.3f} of it",
    }


def verdicts(asked: argparse.Namespace, console: Console) -> None:
    posed = problem(asked.case)
    predictor = Predictor.load(asked.model, posed)
    predictor.estimator.corrector.family.solve(predictor.surrogate.family.middle)  # what is found once
    told = {"test draws": figures(outcomes(predictor, posed, asked.draws))}
    told["another distribution"] = figures(outcomes(predictor, other(posed), asked.others))
    console.print(table(f"{asked.case}, {predictor.surrogate.family.size} nodes", told))


def speed(asked: argparse.Namespace, console: Console) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mesh = Mesh.read(asked.mesh)
        posed = posed_on(problem(asked.case), mesh)
        shares = (asked.samples - 30, 10, 20)
        data, solving = timed(lambda: generate(posed, mesh, asked.samples, out=Path(folder) / "data.h5", shares=shares))
    network = chosen(asked.network, "network", KINDS, None)
    training = Training(epochs=asked.epochs, batch=2, learning_rate=3e-3)
    found, seconds = timed(lambda: train(data, posed, network=network, training=training, modes=asked.modes))
    surrogate = found.surrogate
    inputs = Draws(posed, mesh)(range(FIRST, FIRST + asked.batch))
    surrogate.predict(inputs)  # what is found once
    each = min(timed(lambda: surrogate.predict(inputs))[1] for _ in range(3)) / asked.batch
    coarse: Any = surrogate.coarse
    alone = min(timed(lambda: coarse(inputs))[1] for _ in range(3)) / asked.batch if coarse else 0.0
    test = data.part("test")[0]
    solves = [timed(lambda row=row: surrogate.family.solve(test.draw(row)))[1] for row in range(10)]
    solve = statistics.median(solves)
    errors = relative_errors(surrogate.family, surrogate.predict(test.inputs), test.outputs)
    rows = {
        "nodes": f"{surrogate.family.size}",
        "a solve by itself": f"{1e3 * solve:.1f} ms",
        "a solve of many": f"{1e3 * solving / asked.samples:.1f} ms",
        "a prediction": f"{1e3 * each:.2f} ms in a batch of {asked.batch}",
        "of which coarse": f"{1e3 * alone:.2f} ms",
        "times faster": f"{solve / each:.1f}, {solving / asked.samples / each:.1f}",
        "data and training": f"{solving + seconds:.0f} s, {1e3 * (solving + seconds) / 1000:.1f} ms of 1000 queries",
        "error of the solve": f"{discretisation_error(surrogate.family, test.draw(0)):.1e}",
        "error of a prediction": f"{errors.mean():.1e}, worst {errors.max():.1e}",
    }
    console.print(str(found.report))
    console.print(table(f"{asked.case}, {asked.network}, {asked.modes} modes", {"speed": rows}))


def discretisation_error(family: Family, draw: Mapping[str, Any]) -> float:
    """How far linear elements are off in relative L2, by quadratic ones on the same mesh."""
    finer = Family(family.problem, family.mesh, degree=2)
    best = finer.solve(draw).u.numpy()
    error = finer.corners_to_nodes @ family.solve(draw).u.numpy() - best
    return float(np.sqrt((error @ finer.mass @ error) / (best @ finer.mass @ best)))


def table(title: str, told: Mapping[str, Mapping[str, str]]) -> Table:
    made = Table(title=f"{title}; torch {torch.__version__}, one thread")
    made.add_column("")
    for name in told:
        made.add_column(name, justify="right")
    for row in next(iter(told.values())):
        made.add_row(row, *(each[row] for each in told.values()))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=("two-valued", "log-normal"), default="two-valued")
    parts = parser.add_subparsers(required=True)
    each = parts.add_parser("verdicts")
    each.add_argument("model", type=Path)
    each.add_argument("--draws", type=int, default=200)
    each.add_argument("--others", type=int, default=50)
    each.set_defaults(run=verdicts)
    each = parts.add_parser("speed")
    each.add_argument("mesh", type=Path)
    each.add_argument("--samples", type=int, default=100)
    each.add_argument("--modes", type=int, default=32)
    each.add_argument("--network", default="message-passing:width=8,steps=2")
    each.add_argument("--epochs", type=int, default=2)
    each.add_argument("--batch", type=int, default=64)
    each.set_defaults(run=speed)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.run(asked, Console(highlight=False, soft_wrap=True))


if __name__ == "__main__":
    main()
