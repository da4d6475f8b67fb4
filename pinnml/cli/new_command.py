"""`pinnml new`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from pinnml.cli.terminal import errors_told, results
from pinnml.errors import SettingsError

Name = Annotated[Path, typer.Argument(metavar="NAME", help="The script to write: heat, heat.py or folder/heat.")]
TEMPLATE = files("pinnml.cli") / "template" / "plate.py"


def new(name: Name) -> None:
    """Write a commented problem script to start from. It solves as it stands; an existing file is left alone."""
    path = name if name.suffix == ".py" else name.with_name(f"{name.name}.py")
    with errors_told():
        if path.stem.startswith(".") or not path.stem:
            raise SettingsError("the script needs a name", expected="a name such as heat", got=f"'{name}'")
        if not path.parent.is_dir():
            raise SettingsError(
                f"there is no folder '{path.parent}'", expected="a folder that exists", got=f"'{name}'", cure="make it"
            )
        try:
            with path.open("x", encoding="utf-8") as stream:
                stream.write(TEMPLATE.read_text(encoding="utf-8").replace("plate.py", path.name))
        except FileExistsError:
            raise SettingsError(
                f"'{path}' is there already", expected="a name that is free", got=f"'{name}'", cure="choose another"
            ) from None
    console = results()
    console.print(f"Wrote {path}. Next:", soft_wrap=True)
    console.print(f"  pinnml check {path}", soft_wrap=True)
    console.print(f"  pinnml solve {path} --out runs/{path.stem}", soft_wrap=True)
