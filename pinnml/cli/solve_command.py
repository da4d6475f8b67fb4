"""`pinnml solve`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from pinnml.cli.arguments import Parameters, ScriptPath, parameters_of
from pinnml.cli.elements_solve import by_elements, is_classical, test_space
from pinnml.cli.script import load_script
from pinnml.cli.settings import chosen, dtype_of, points_of
from pinnml.cli.summary import one_line, print_summary
from pinnml.cli.terminal import errors_told, exit_status, messages, results
from pinnml.domains import Mesh
from pinnml.domains.rules import RULES
from pinnml.errors import SettingsError
from pinnml.networks import NETWORKS
from pinnml.output.records import strict_json
from pinnml.problem import Problem
from pinnml.results import Solution, described, load, verdict_record
from pinnml.run import Recipe
from pinnml.solvers import LSGD, SOLVERS, Solver
from pinnml.surrogates.families.draws import with_draw

ON_SOLVER = f"{', '.join(SOLVERS)}; with options: lm:steps=200,target=0.3; or fem:degree=2, the classical answer"
ON_NETWORK = f"{', '.join(NETWORKS)}; with options: mlp:width=32,depth=2,activation=sine"
#: Options that mean nothing to finite elements.
UNUSED = ("network", "points", "steps", "seconds", "device", "threads", "tests", "rule", "expect", "start", "slabs")


def solve(
    script: ScriptPath,
    parameters: Parameters = None,
    solver: Annotated[str | None, typer.Option(metavar="KIND[:OPTIONS]", help=f"The solver: {ON_SOLVER}.")] = None,
    network: Annotated[str | None, typer.Option(metavar="KIND[:OPTIONS]", help=f"The network: {ON_NETWORK}.")] = None,
    points: Annotated[
        str | None,
        typer.Option(metavar="N", help="Collocation points in the interior, or interior=4000,boundary=500."),
    ] = None,
    tests: Annotated[
        str | None,
        typer.Option(
            metavar="OPTIONS",
            help="Train by the weak form, tested with finite elements: degree=2,family=N1curl,mesh=FILE.",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(metavar="MESH", help="Solve by finite elements instead, on the mesh of this file."),
    ] = None,
    slabs: Annotated[
        int | None, typer.Option(metavar="K", help="Solve K windows in time one after the other, each from the last.")
    ] = None,
    rule: Annotated[str | None, typer.Option(metavar="NAME", help=f"How points are drawn: {', '.join(RULES)}.")] = None,
    expect: Annotated[
        float | None, typer.Option(metavar="ERROR", help="The relative L2 error that is promised, for the verdict.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Begin with the solution of this run, its folder or checkpoint."),
    ] = None,
    draw: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Of a random problem, solve this draw; its random numbers are --seed's."),
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", metavar="", help="No second solve: the error is not estimated.")
    ] = False,
    steps: Annotated[int | None, typer.Option(metavar="N", help="At most so many steps.")] = None,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="At most so many seconds.")] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="PyTorch's threads; if left out OMP_NUM_THREADS, or what is faster.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="cpu, cuda or cuda:N; the CPU if left out.")
    ] = None,
    dtype: Annotated[str, typer.Option(metavar="NAME", help="float64, or float32 for gradient solvers.")] = "float64",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The one source of randomness.")] = 0,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder for verdict, history, checkpoint, fields (.vtu) and picture."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print the verdict as JSON, and nothing else.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", metavar="", help="Print one line, and no progress.")] = False,
) -> None:
    """Solve a problem script and say how right the solution is.

    The script's own recipe is used, less what is replaced here. Nothing is written without --out. Ctrl-C, SIGTERM and
    SIGHUP end the solve, keep the last good state, and still write and judge it; pinnml resume goes on with it.

    Exit status: 0 for a good solution, finished or not, 1 for one that is not good, 2 for an error in the script
    or the options, 3 for a solution that could not be written, 130 for a solve that was interrupted, whatever its
    verdict.
    """
    asked = {name: value for name, value in locals().items() if name not in ("out", "json", "quiet")}
    asked = {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()}
    solve_as_asked(asked, out, resume=False, json=json, quiet=quiet)


def solve_as_asked(asked: Mapping[str, Any], out: str | None, *, resume: bool, json: bool, quiet: bool) -> None:
    """Solve, or go on with a run, by options of `pinnml solve` by name; print and leave with the exit status."""
    script = Path(asked["script"])
    with redirect_stdout(sys.stderr) if json else nullcontext(), errors_told(script, "the solve"):
        solution = _solution(script, asked, out, resume=resume, watched=not (quiet or json))
    _print(solution, json=json, quiet=quiet)
    unwritten = out is not None and solution.folder is None
    if unwritten and (json or quiet):
        messages().print(solution.verdict.warnings[-1], soft_wrap=True)
    raise typer.Exit(exit_status(solution, unwritten=unwritten))


def _solution(script: Path, asked: Mapping[str, Any], out: str | None, *, resume: bool, watched: bool) -> Solution:
    """What the options ask for. watched: whether progress is shown."""
    loaded = load_script(script)
    values = parameters_of(loaded, asked["parameters"])
    problem, recipe = loaded.problem(**values), loaded.recipe(**values)
    mesh = None if asked["reference"] is None else Path(asked["reference"])
    if asked.get("draw") is not None:
        on = None if mesh is None else Mesh.read(mesh)
        problem = with_draw(problem, asked["draw"], seed=asked["seed"], mesh=on)
    if is_classical(asked["solver"], mesh):
        unused = {name: asked.get(name) for name in UNUSED} | {"no-verify": True if asked["no_verify"] else None}
        return by_elements(problem, recipe.elements, asked["solver"], mesh, out, unused)
    recipe = _changed(recipe, *(asked[name] for name in ("solver", "network", "points", "steps", "seconds")))
    recipe = replace(
        recipe, **{name: asked[name] for name in ("rule", "expect", "slabs") if asked.get(name) is not None}
    )
    begin = None
    if asked["start"] is not None and not resume:
        begin = started(Path(asked["start"]), problem, recipe, asked["network"])
    if asked["tests"] is not None:
        recipe = replace(recipe, tests=test_space(problem, recipe, asked["tests"]))
    command = {**asked, "script": str(script.absolute())}
    options = {"verify": not asked["no_verify"], "seed": asked["seed"], "device": asked["device"], "start": begin}
    options["threads"] = asked["threads"]
    options |= {"dtype": dtype_of(asked["dtype"]), "command": command, "resume" if resume else "out": out}
    return recipe.solve(problem, progress=None if watched else False, **options)


def started(path: Path, problem: Problem, recipe: Recipe, network: str | None) -> Solution:
    """The solution of a run, its folder or checkpoint; the script's network has the functions that no file holds."""
    if network is not None:
        cure = "leave --network out, or --start to begin anew"
        raise SettingsError("--start and --network", expected="one of them", got=f"--network {network}", cure=cure)
    own = recipe.network is not None and described(recipe.network)["functions"]
    return load(path, problem=problem, network=recipe.network if own else None)


def _changed(
    recipe: Recipe,
    solver: str | None,
    network: str | None,
    points: str | None,
    steps: int | None,
    seconds: float | None,
) -> Recipe:
    """The recipe with what the options replace in it."""
    if solver is not None:
        recipe = replace(recipe, solver=chosen(solver, "solver", SOLVERS, recipe.solver))
    limits = {name: value for name, value in (("steps", steps), ("seconds", seconds)) if value is not None}
    if limits:
        limited: Solver = recipe.solver or LSGD()
        recipe = replace(recipe, solver=replace(limited, **limits))
    if network is not None:
        recipe = replace(recipe, network=chosen(network, "network", NETWORKS, recipe.network))
    return recipe if points is None else replace(recipe, points=points_of(points))


def _print(solution: Solution, *, json: bool, quiet: bool) -> None:
    if json:
        print(strict_json(verdict_record(solution)))  # noqa: T201 - not broken into lines as a console would
    elif quiet:
        results().print(one_line(solution), soft_wrap=True)
    else:
        print_summary(results(), solution)
