"""The two streams of a command, and how errors are told on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from pinnml.cli.script import script_error
from pinnml.errors import PinnmlError
from pinnml.results import Solution
from pinnml.solvers import Status

#: Exit statuses: not good, a named error, solved but not written, interrupted.
NOT_GOOD, REFUSED, UNWRITTEN, INTERRUPTED = 1, 2, 3, 130


def exit_status(solution: Solution, *, unwritten: bool) -> int:
    """How a command ends that has a solution to show; unwritten: its files were asked for, and are not there."""
    if solution.verdict.status is Status.INTERRUPTED:
        return INTERRUPTED
    if unwritten:
        return UNWRITTEN
    return 0 if solution.verdict.good else NOT_GOOD


def results() -> Console:
    """Where results go: stdout, plain words where it is no terminal."""
    return Console(highlight=False, markup=False, emoji=False)


def messages() -> Console:
    """Where progress and errors go: stderr."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


@contextmanager
def errors_told(script: Path | None = None, doing: str = "it") -> Iterator[None]:
    """Named errors, and exceptions from the lines of a script, end the command with a message and no traceback."""
    try:
        yield
    except PinnmlError as error:
        tell(error)
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt:
        messages().print("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        named = None if script is None else script_error(error, script, doing)
        if named is None:
            raise
        tell(named)
        raise typer.Exit(REFUSED) from None


def tell(error: PinnmlError) -> None:
    """Write an error in full; lines are left to the terminal to break, so that they can be copied."""
    messages().print(Text.assemble(("Error: ", "bold red"), str(error)), soft_wrap=True)
