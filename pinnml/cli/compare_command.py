"""`pinnml compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pinnml.cli.terminal import errors_told, results
from pinnml.results import Comparison, Run, Verdict
from pinnml.results import compare as compared


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of runs; the last is the reference.")
    ],
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the first run's fields and how far off they are.")
    ] = None,
) -> None:
    """Put runs of one problem side by side: what they took, how right they say they are, and how far apart they are."""
    with errors_told():
        found = compared(runs, picture)
    table = Table(box=None, pad_edge=False)
    for column in ("run", "network", "solver", "seconds", "error", "from the last"):
        table.add_column(column)
    for comparison in found:
        table.add_row(*_about(comparison.run), _distances(comparison))
    table.add_row(*_about(found[-1].reference), "")
    results().print(table)


def _about(run: Run) -> tuple[str, ...]:
    verdict, error = Verdict.from_json(run.verdict), "not known"
    if verdict.error is not None:
        error = f"{verdict.error:.1e}"
    elif verdict.worst_estimate is not None:
        error = f"{verdict.worst_estimate:.1e} (estimate)"
    return run.name, verdict.network, verdict.solver, f"{verdict.seconds:.2f}", error


def _distances(comparison: Comparison) -> str:
    return ", ".join(f"{name} {value:.1e}" for name, value in comparison.distance.items())
