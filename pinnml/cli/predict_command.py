"""`pinnml predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinnml.cli.arguments import Parameters, ScriptPath, parameters_of
from pinnml.cli.script import load_script
from pinnml.cli.summary import one_line, print_summary
from pinnml.cli.terminal import errors_told, exit_status, results
from pinnml.domains import Mesh
from pinnml.output import RunFolder, workplace
from pinnml.results import written
from pinnml.surrogates import Predictor


def predict(
    script: ScriptPath,
    model: Annotated[Path, typer.Option(metavar="FILE", help="The surrogate that `pinnml train` made.")],
    parameters: Parameters = None,
    draw: Annotated[
        int, typer.Option(metavar="N", min=0, help="The number of the draw; its numbers are --seed's.")
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="The source of what is random.")] = 0,
    mesh: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The mesh of the surrogate, if it is not the problem's own.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(metavar="X", help="Mend, or solve, what is estimated to be further off than this.")
    ] = None,
    expect: Annotated[float | None, typer.Option(metavar="X", help="The error at which it is good; 1e-2.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to write fields and verdict.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", metavar="", help="Print one line.")] = False,
) -> None:
    """Answer a draw of a random problem by a surrogate, with a verdict from the equations themselves.

    Exit status: 0 when the answer is good, 1 when it is not, 2 for an error in the script, the surrogate or the
    options.
    """
    with errors_told(script, "the prediction"):
        loaded = load_script(script)
        on = None if mesh is None else Mesh.read(mesh)
        predictor = Predictor.load(model, loaded.problem(**parameters_of(loaded, parameters)), on)
        found = predictor.draw(draw, seed=seed, tolerance=tolerance, expect=expect)
        if out is not None:
            with workplace(RunFolder.named(out)) as place:
                found = written(found, place)
    if quiet:
        results().print(one_line(found), soft_wrap=True)
    else:
        print_summary(results(), found)
    raise typer.Exit(exit_status(found, unwritten=out is not None and found.folder is None))
