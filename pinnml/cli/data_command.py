"""`pinnml data`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pinnml.cli.arguments import Parameters, ScriptPath, parameters_of
from pinnml.cli.script import load_script, problem_of
from pinnml.cli.terminal import INTERRUPTED, errors_told, messages, results
from pinnml.domains import Mesh
from pinnml.errors import SettingsError
from pinnml.run import shown
from pinnml.surrogates import DataSet, generate
from pinnml.surrogates.data import Made


def data(
    script: ScriptPath,
    samples: Annotated[int, typer.Option(metavar="N", help="How many draws.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file of the data set, such as darcy.h5.")],
    parameters: Parameters = None,
    mesh: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A mesh in the place of the problem's own; given again, meshes take turns."),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="A,B,C", help="Shares of training, validation and test, or their numbers of draws.")
    ] = "8,1,1",
    degree: Annotated[int, typer.Option(metavar="N", help="The degree of the finite elements.")] = 1,
    processes: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that solve; if left out one for each core.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The one source of randomness.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", metavar="", help="Print one line, and no progress.")] = False,
) -> None:
    """Solve a random problem for many draws of what is random, by finite elements, as data for a surrogate.

    Killed at any moment, the same command goes on where it was. Draw 7 by itself: pinnml solve SCRIPT --draw 7.

    Exit status: 0 when the data set is there, 2 for an error in the script or the options, or for a draw that cannot
    be solved, 130 for a run that was interrupted.
    """
    last: list[Made] = []
    with errors_told(script, "the data"):
        loaded = load_script(script)
        values = parameters_of(loaded, parameters)
        meshes = None if not mesh else [Mesh.read(each) for each in mesh]
        problem = loaded.problem(**values)
        try:
            with _bar(problem.name, last, show=not quiet) as progress:
                found = generate(
                    partial(problem_of, script.absolute(), values),
                    meshes,
                    samples,
                    out=out,
                    seed=seed,
                    degree=degree,
                    processes=_cores() if processes is None else processes,
                    shares=_shares(split),
                    origin={"script": script.name, **{name: str(value) for name, value in values.items()}},
                    progress=progress,
                )
        except KeyboardInterrupt:
            messages().print("Interrupted; the same command goes on from here.")
            raise typer.Exit(INTERRUPTED) from None
    if quiet:
        results().print(f"{found.problem}: {len(found)} draws in '{out}'", soft_wrap=True)
    else:
        results().print(_summary(found, out, last))


@contextmanager
def _bar(title: str, last: list[Made], *, show: bool) -> Iterator[Callable[[Made], None]]:
    """A callback that keeps the latest figures in `last`, and shows them where somebody looks."""
    console = messages()
    words = TextColumn("[bold]{task.description}"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn()
    with Progress(*words, console=console, transient=True, disable=not (show and console.is_terminal)) as bar:
        task = bar.add_task(title, total=None)

        def update(made: Made) -> None:
            last[:] = [made]
            bar.update(task, completed=made.done, total=made.samples)

        yield update


def _summary(data: DataSet, out: Path, last: list[Made]) -> Table:
    """What is in the set, what it took, and what its arrays are known by."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("problem", data.problem)
    for name, words in data.random.items():
        table.add_row("random", f"{name}, {words}")
    for each in data.samples:
        table.add_row("mesh", f"{each.mesh!r}, {len(each)} draws, {each.outputs.shape[-1]} unknowns")
    table.add_row("samples", f"{len(data)}: {data.split}")
    table.add_row("seconds", _seconds(last))
    table.add_row("file", f"{out}, {shown(out.stat().st_size)}")
    for name, value in data.hashes.items():
        table.add_row("sha256", f"{name} {value}")
    return table


def _seconds(last: list[Made]) -> str:
    if not last:
        return "none: the data set was there"
    made = last[0]
    before = made.done - made.solved
    there = f"; {before} were there" if before else ""
    return f"{made.seconds:.1f} for {made.solved} draws, {made.seconds / made.solved:.3g} each{there}"


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        cure = "write --split 8,1,1, or numbers of draws such as 1000,100,200"
        raise SettingsError("--split", expected="three numbers", got=f"'{text}'", cure=cure) from None


def _cores() -> int:
    """Those that this process may use."""
    allowed: Any = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
