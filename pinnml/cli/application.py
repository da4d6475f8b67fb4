"""The command `pinnml` and its subcommands."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from pinnml.cli.check_command import check
from pinnml.cli.compare_command import compare
from pinnml.cli.data_command import data
from pinnml.cli.list_command import list_scripts
from pinnml.cli.new_command import new
from pinnml.cli.predict_command import predict
from pinnml.cli.resume_command import resume
from pinnml.cli.solve_command import solve
from pinnml.cli.train_command import train_surrogate

app = typer.Typer(
    help="Solve partial differential equations with neural networks, and say how right the result is.",
    epilog="To begin: pinnml new plate; pinnml check plate.py; pinnml solve plate.py --out runs/plate",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("solve")(solve)
app.command("resume")(resume)
app.command("check")(check)
app.command("compare")(compare)
app.command("data")(data)
app.command("train")(train_surrogate)
app.command("predict")(predict)
app.command("list")(list_scripts)
app.command("new")(new)


def main() -> None:
    """The console command `pinnml`."""
    app(prog_name="pinnml")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"pinnml {_version()}")
        raise typer.Exit


def _version() -> str:
    try:
        return version("pinnml")
    except PackageNotFoundError:
        return "(not installed)"


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_show_version, is_eager=True, help="Show the version and leave."
        ),
    ] = False,
) -> None:
    """Options of `pinnml` itself."""
