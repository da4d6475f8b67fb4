"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pinnml.cli.script import Script
from pinnml.cli.values import pairs, read

ScriptPath = Annotated[Path, typer.Argument(metavar="SCRIPT", help="A file that defines problem(...).")]
Parameters = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Parameters of the problem, such as case=cube or kappa=0.2."),
]


def parameters_of(script: Script, items: list[str] | None) -> dict[str, Any]:
    """`key=value` items as values; text stays text where the script's default is a text."""
    texts = pairs(items or (), "parameters")
    return {name: read(text, as_text=isinstance(script.parameters.get(name), str)) for name, text in texts.items()}
