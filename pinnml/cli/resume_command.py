"""`pinnml resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from pinnml.cli.solve_command import solve_as_asked
from pinnml.cli.terminal import errors_told
from pinnml.errors import CheckpointError
from pinnml.output import RunFolder, unfinished
from pinnml.results import read_archive


def resume(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder that was --out of pinnml solve.")],
    steps: Annotated[int | None, typer.Option(metavar="N", help="At most so many steps, from the beginning.")] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="At most so many seconds, from the beginning.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print the verdict as JSON, and nothing else.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", metavar="", help="Print one line, and no progress.")] = False,
) -> None:
    """Go on with a run that a signal, a kill or a limit has ended, from its last checkpoint.

    It ends as it would have ended, to the last bit on the CPU, by the same script and options; only limits may change.
    A run that has ended by itself is shown as it is. Exit status: as for pinnml solve.
    """
    with errors_told():
        named = RunFolder.named(folder)
        place = named.path.resolve()
        checkpoint = next((each.checkpoint for each in reversed(unfinished(place))), named.checkpoint)
        asked = read_archive(checkpoint)[0].get("settings", {}).get("command")
        if not isinstance(asked, dict):
            raise CheckpointError(
                "this run does not say how it was asked for",
                expected="a run of pinnml solve",
                got=f"'{checkpoint}', which another program has written",
                cure="go on with it where it was begun: solve(..., resume=DIR)",
            )
    limits = {name: value for name, value in (("steps", steps), ("seconds", seconds)) if value is not None}
    solve_as_asked(asked | limits, folder, resume=True, json=json, quiet=quiet)
