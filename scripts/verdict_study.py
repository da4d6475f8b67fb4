"""Whether "good" can be trusted: random statements whose solutions the solver is not told, and their verdicts.

    python -m scripts.verdict_study --jobs 2             500 by default recipe and fixed head, 60 by LM and by KAN
    python -m scripts.verdict_study --numbers 59 --ways fixed
    python -m scripts.verdict_study --count 100 --full   by the default recipe as it stands, without limits

Every fifth statement is broken. Rows go to `--out`, a CSV file, as they come; what stands there already is not solved
again. The table tells by the way of solving:

    false goods    solutions called good that are wrong by more than a hundredth, further off than ten times their
                   estimate, or to a statement without a solution, or with more than one
    right, not     the share of what is right to 1e-6, of well-posed statements, that is not called good
    within ten     the share of estimates within ten times of the true error, of well-posed statements
    verify         seconds of judging over seconds of solving, the median

Below it stands what went amiss, statement by statement.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from scripts.statements import statement
from scripts.statements.outcome import WAYS, Limits, Outcome, outcome

#: How many statements by each way.
COUNTS = {"default": 500, "fixed": 500, "lm": 60, "kan": 60}
Task = tuple[int, str]


def solved(task: Task, limits: Limits) -> Outcome:
    """One statement, one way."""
    number, way = task
    return outcome(statement(number), way, limits)


def known(path: Path) -> dict[Task, Outcome]:
    """What a file of rows holds."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = [Outcome.of_row(row) for row in csv.DictReader(file)]
    return {(row.number, row.way): row for row in rows}


def study(tasks: Sequence[Task], limits: Limits, out: Path, jobs: int = 1) -> Iterator[Outcome]:
    """Outcomes of all tasks, those that the file holds first; the others are added to it as they come."""
    there = known(out)
    yield from (there[task] for task in tasks if task in there)
    missing = [task for task in tasks if task not in there]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Outcome)])
        if not there:
            writer.writeheader()
        for row in _each(missing, limits, jobs):
            writer.writerow(row.row())
            file.flush()
            yield row


def _each(tasks: Sequence[Task], limits: Limits, jobs: int) -> Iterator[Outcome]:
    solve = partial(solved, limits=limits)
    if jobs == 1:
        yield from map(solve, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for future in as_completed([pool.submit(solve, task) for task in tasks]):
            yield future.result()


def _one_thread() -> None:
    torch.set_num_threads(1)


def figures(rows: Sequence[Outcome]) -> dict[str, float]:
    """What the table tells of some rows."""
    well = [row for row in rows if not row.broken]
    right = [row for row in well if row.right]
    estimated = [row for row in well if row.is_estimated]
    costs = [row.seconds_verify / row.seconds for row in rows if row.seconds]
    return {
        "statements": len(rows),
        "broken": len(rows) - len(well),
        "good": sum(row.good for row in well),
        "false goods": sum(row.falsely_good for row in rows),
        "right, not": _share(sum(not row.good for row in right), len(right)),
        "within ten": 1 - _share(sum(row.falls_short for row in estimated), len(estimated)),
        "verify": statistics.median(costs) if costs else 0.0,
        "seconds": statistics.median([row.seconds + row.seconds_verify for row in rows]) if rows else 0.0,
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def amiss(row: Outcome) -> str:
    """What went amiss with a row, in a line; "" where nothing did."""
    figures = f"error {row.error:.1e}, estimate {row.estimate:.1e}, residual {row.residual:.1e}, gain {row.gain:.1e}"
    what = ""
    if row.falsely_good:
        what = "FALSE GOOD"
    elif not row.broken and row.right and not row.good:
        what = "right, not good"
    elif not row.broken and row.falls_short:
        what = "estimate off"
    elif not row.broken and row.refused:
        what, figures = "refused", row.refused
    more = f", null {row.null:.1e}, reach {row.reach:.1e}, beside zero {row.beside_zero:.1e}. {row.complaints}"
    return f"{row.number} {row.way}, {row.family}: {what}: {figures}{'' if row.refused else more}" if what else ""


def table(by_way: Mapping[str, Sequence[Outcome]]) -> Table:
    made = Table(title=f"random statements; torch {torch.__version__}")
    told = {way: figures(rows) for way, rows in by_way.items()}
    made.add_column("")
    for way in told:
        made.add_column(way, justify="right")
    for name in figures(()):
        made.add_row(name, *(f"{each[name]:.3g}" for each in told.values()))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--count", type=int, help="statements by each way, in place of 500 or 60")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--numbers", type=int, nargs="+", help="these statements alone")
    parser.add_argument("--functions", type=float, default=1.0, help="times as many as suit the statement")
    parser.add_argument("--bandwidth", type=float, help="of the layer, in place of looking for one")
    parser.add_argument("--steps", type=int, default=Limits.steps)
    parser.add_argument("--seconds", type=float, default=Limits.seconds)
    parser.add_argument("--full", action="store_true", help="the default recipe without limits")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/verdict_study.csv"))
    asked = parser.parse_args()
    given = {each.name: getattr(asked, each.name) for each in fields(Limits)}
    limits = Limits(**given)
    numbers = {
        way: asked.numbers or range(asked.first, asked.first + (asked.count or COUNTS[way])) for way in asked.ways
    }
    tasks = [(number, way) for way in asked.ways for number in numbers[way]]
    torch.set_num_threads(1)
    console, rows = Console(highlight=False, soft_wrap=True), []
    for row in study(tasks, limits, asked.out, asked.jobs):
        rows.append(row)
        if line := amiss(row):
            console.print(line, markup=False)
    console.print(table({way: [row for row in rows if row.way == way] for way in asked.ways}))


if __name__ == "__main__":
    main()
