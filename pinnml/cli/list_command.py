"""`pinnml list`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pinnml.cli.script import REQUIRED, Script, load_script
from pinnml.cli.terminal import NOT_GOOD, errors_told, results
from pinnml.errors import PinnmlError, ScriptError

Folder = Annotated[
    Path | None,
    typer.Argument(metavar="FOLDER", help="A folder of problem scripts; if left out, problems, here or of pinnml."),
]
#: The problem scripts that come with pinnml's source.
OWN = Path(__file__).parents[2] / "problems"


def list_scripts(folder: Folder = None) -> None:
    """List the problem scripts of a folder: cases, parameters with their defaults, and the error they promise.

    Without a folder those in `problems` of the working directory, else those that come with pinnml's source. Files
    whose names begin with an underscore are left out. Exit status: 1 if a script is broken.
    """
    console, broken = results(), 0
    with errors_told():
        found = _found(folder)
        scripts = sorted(found.glob("[!_]*.py"))
        if not scripts:
            cure = "name another: pinnml list FOLDER; pinnml new NAME writes a script to begin with"
            raise ScriptError(f"no problem scripts in '{found}'", expected="*.py", got="none", cure=cure)
        console.print(Text(f"Problem scripts in {found.resolve()}\n", "dim"), soft_wrap=True)
        for path in scripts:
            broken += not _print_script(console, path)
    if broken:
        raise typer.Exit(NOT_GOOD)


def _found(folder: Path | None) -> Path:
    """The folder that was named, or the first there is of those that are looked at; ScriptError for none."""
    here = Path("problems")
    looked_at = (here, OWN) if folder is None else (folder,)
    for each in looked_at:
        if each.is_dir():
            return each
    cure = "name one: pinnml list FOLDER; pinnml new NAME writes a script to begin with"
    raise ScriptError(
        f"there is no folder '{looked_at[0]}'",
        expected="a folder of problem scripts",
        got="a file" if looked_at[0].exists() else "nothing of that name" + ", and none with pinnml" * (folder is None),
        cure=cure,
    )


def _print_script(console: Console, path: Path) -> bool:
    """Print what a script offers; False if it is broken."""
    try:
        script = load_script(path)
        rows = list(_rows(script))
    except PinnmlError as error:
        console.print(Text.assemble((path.name, "bold"), "  ", ("broken", "bold red")))
        console.print(Padding(Text(str(error)), (0, 0, 1, 2), expand=False))
        return False
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    console.print(Text(path.name, "bold"))
    console.print(Padding(Text(script.title or "(no title)"), (0, 0, 0, 2)))
    console.print(Padding(table, (0, 0, 1, 2), expand=False))
    return True


def _rows(script: Script) -> Iterator[tuple[str, str]]:
    """The cases, the parameters and the promises of a script."""
    if script.cases:
        yield "cases", ", ".join(script.cases) + f" (by default {script.parameters['case']})"
    others = {name: default for name, default in script.parameters.items() if not (name == "case" and script.cases)}
    if others:
        yield "parameters", ", ".join(_parameter(name, default) for name, default in others.items())
    if REQUIRED not in others.values():
        yield "promised error", _promises(script)


def _parameter(name: str, default: Any) -> str:
    if default is REQUIRED:
        return name
    return f"{name}={default:.6g}" if isinstance(default, float) else f"{name}={default}"


def _promises(script: Script) -> str:
    """The promise of each case, once if they are all the same."""
    expected = {case: script.recipe(case=case).expect for case in script.cases} or {"": script.recipe().expect}
    words = {case: "none" if value is None else f"{value:.1g}" for case, value in expected.items()}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{case} {word}" for case, word in words.items())
