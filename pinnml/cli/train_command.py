"""`pinnml train`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pinnml.cli.arguments import Parameters, ScriptPath, parameters_of
from pinnml.cli.script import load_script
from pinnml.cli.settings import chosen
from pinnml.cli.terminal import INTERRUPTED, errors_told, messages, results
from pinnml.surrogates import Brackets, DataSet, GraphAttention, MessagePassing, Slices, Trained, Training, train
from pinnml.surrogates.report import Report
from pinnml.surrogates.training import Epoch

#: Networks by the names that they have on the command line.
KINDS = {
    "message-passing": MessagePassing,
    "attention": GraphAttention,
    "brackets": Brackets,
    "slices": Slices,
}


def train_surrogate(
    script: ScriptPath,
    data: Annotated[Path, typer.Option(metavar="FILE", help="The data set that `pinnml data` made.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file of the surrogate, such as darcy.pt.")],
    parameters: Parameters = None,
    network: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="message-passing (with options: message-passing:width=32,steps=6), attention, brackets, slices.",
        ),
    ] = "message-passing",
    modes: Annotated[
        int, typer.Option(metavar="N", help="Modes of the coarse answer that the network corrects; 0 for none.")
    ] = 64,
    epochs: Annotated[int, typer.Option(metavar="N", help="Rounds through the training draws.")] = 50,
    batch: Annotated[int, typer.Option(metavar="N", help="Draws in a step.")] = 8,
    rate: Annotated[float, typer.Option(metavar="X", help="The largest learning rate.")] = 2e-3,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="End after so many seconds of training.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The one source of randomness.")] = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="cpu or cuda.")] = "cpu",
    parts: Annotated[int, typer.Option(metavar="N", help="Train part by part: the same weights in less memory.")] = 1,
    partitioner: Annotated[str, typer.Option(metavar="NAME", help="metis, or bisection.")] = "metis",
    resume: Annotated[
        bool, typer.Option("--resume", metavar="", help="Go on with a training that ended early.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", metavar="", help="Print one line, and no progress.")] = False,
) -> None:
    """Train a surrogate on solved draws of a random problem, and tell what it is worth beside simple predictors.

    Exit status: 0 when it is trained and better than every baseline, 1 when it is trained and is not, 2 for an error in
    the script, the data or the options, 130 for a training that was interrupted: --resume goes on with it.
    """
    with errors_told(script, "the training"):
        problem = load_script(script)
        settings = Training(epochs=epochs, batch=batch, learning_rate=rate, seconds=seconds)
        try:
            with _bar(settings, show=not quiet) as progress:
                found = train(
                    DataSet.read(data),
                    problem.problem(**parameters_of(problem, parameters)),
                    network=chosen(network, "network", KINDS, None),
                    training=settings,
                    modes=modes,
                    seed=seed,
                    device=device,
                    parts=parts,
                    partitioner=partitioner,
                    out=out,
                    resume=resume,
                    progress=progress,
                )
        except KeyboardInterrupt:
            messages().print("Interrupted; the same command with --resume goes on from where it was kept last.")
            raise typer.Exit(INTERRUPTED) from None
    results().print(found.report.summary if quiet else _summary(found, out), soft_wrap=quiet)
    raise typer.Exit(int(found.report.surrogate.mean >= found.report.best_baseline.mean))


@contextmanager
def _bar(training: Training, *, show: bool) -> Iterator[Callable[[Epoch], None]]:
    """A callback that shows the epochs where somebody looks."""
    console = messages()
    words = TextColumn("[bold]{task.description}"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn()
    with Progress(*words, console=console, transient=True, disable=not (show and console.is_terminal)) as bar:
        task = bar.add_task("training", total=training.epochs)

        def update(epoch: Epoch) -> None:
            bar.update(task, completed=epoch.number, description=f"validation {epoch.validation:.2e}")

        yield update


def _summary(found: Trained, out: Path) -> Table:
    """The predictors and their errors, and what it took."""
    table = Table(box=None, padding=(0, 2), title=found.report.summary, title_justify="left", title_style="bold")
    for name in ("predictor", "mean error", "worst", "a draw"):
        table.add_column(name, justify="left" if name == "predictor" else "right", no_wrap=True)
    for row in found.report.rows:
        table.add_row(row.name, f"{row.mean:.2e}", f"{row.worst:.2e}", f"{1e3 * row.seconds:.2f} ms")
    table.caption = f"{_cost(found.report)}; the surrogate is in '{out}'"
    table.caption_justify = "left"
    return table


def _cost(report: Report) -> str:
    """The training over a thousand queries, and a solve by finite elements."""
    each = 1e3 * (report.seconds / 1000 + report.surrogate.seconds)
    return (
        f"trained on {report.training_draws} draws in {report.seconds:.0f} s: {each:.0f} ms a draw over 1000 draws; "
        f"a solve takes {1e3 * report.solve_seconds:.1f} ms"
    )
