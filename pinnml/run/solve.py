"""solve(): a problem, a network and a solver in; a solution with its verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from pinnml.calculus import with_gradients
from pinnml.errors import SettingsError
from pinnml.networks import NetworkSettings
from pinnml.output import RunFolder, workplace
from pinnml.problem import Problem, check_posed_at_points
from pinnml.results import Solution, check_known, written
from pinnml.run.display import followed
from pinnml.run.ending import ended
from pinnml.run.keeping import Keeper
from pinnml.run.loop import Callback, Loop
from pinnml.run.preparation import begun
from pinnml.run.recipe import Recipe
from pinnml.run.request import Request, check_problem
from pinnml.run.resume import gone_on, is_over
from pinnml.run.signals import Interruptions, interruptible
from pinnml.run.threads import threads_put_back
from pinnml.run.time_slabs import check_slabs, solved_in_slabs
from pinnml.solvers import Solver
from pinnml.system.weak import TestSpace
from pinnml.validation import flag, of_kind, or_none, shown


def solve(
    problem: Problem,
    network: NetworkSettings | None = None,
    solver: Solver | None = None,
    *,
    points: int | Mapping[str, int] | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float64,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    callback: Callback | None = None,
    start: Solution | None = None,
    rule: str = "chebyshev",
    expect: float | None = None,
    tests: TestSpace | None = None,
    slabs: int = 1,
    verify: bool = True,
    progress: bool | None = None,
    threads: int | None = None,
) -> Solution:
    """Find fields that satisfy the problem's equations; the verdict on the solution says how well.

    network: settings such as MLP(...) or Features(...); by default 400 sine features. solver: by default LSGD().
    points: collocation points in the interior (by default six for each basis function, three for each parameter of a
    KAN, or where a Jacobian is formed), or a mapping region -> number. seed: the one source of randomness. device: by
    default the CPU. dtype: float64, or float32 for gradient solvers. out: a folder for settings, history, verdict,
    checkpoint, fields and picture, which is this run's alone; without it nothing is written. resume: the folder of a
    run that a signal or a limit has ended, to go on with it, bit for bit on the CPU as if it had not; all else is given
    as it was then, but for limits, which count from the beginning. callback: called with a `Progress` after every step;
    returning True ends the solve. start: a solution of the same fields on the same domain to go on from, with its own
    network, so that `network` is left out, and from its trainable parameters. rule: how points are drawn: chebyshev
    (dense towards the faces), sobol, random, grid or gauss. expect: the relative L2 error that is promised, for the
    verdict. tests: the functions with which the problem's weak form is tested; then it stands for all equations but
    those for values on the boundary, integrals and measurements. slabs: windows of one length in time, solved one after
    the other, each begun from the last and with a network and points of its own; one solution over all. What is steady
    or couples all times is refused, and such a run cannot be gone on with. verify: whether a second solve, of which the
    callback hears nothing, estimates the error and tells what the equations determine. progress: whether a line on
    stderr shows how the solve goes; None shows it in a terminal and in a notebook, and nowhere else. threads: PyTorch's
    for this solve; by default those that the caller has set (OMP_NUM_THREADS, torch.set_num_threads), else one or all,
    whichever is faster at its first work. Runs are equal bit for bit at equal threads.

    Raises ProblemError and its kin where the problem does not hold together, SettingsError and DeviceError for
    options that cannot be. A solve that goes wrong numerically does not raise: its status says so. Nor does one that
    Ctrl-C, SIGTERM or SIGHUP ends; a second such signal does, and leaves the last checkpoint. What a function of the
    user's raises comes through; a note on the error names the checkpoint with the last state. An earlier run in `out`
    stays as it was until the new one is whole. A solution that was found is returned whatever the disk does:
    `verdict.warnings` says what could not be written, and `folder` is None.
    """
    check_problem(problem)
    recipe = Recipe(network, solver, points, expect, rule, tests=tests, slabs=slabs)
    options = {"seed": seed, "device": device, "dtype": dtype, "start": start, "verify": verify, "threads": threads}
    return _solved(problem, recipe, out=out, resume=resume, callback=callback, progress=progress, **options)


def solve_by(recipe: Recipe, problem: Problem, **overrides: Any) -> Solution:
    """Solve a problem by this recipe; keyword arguments are those of `pinnml.solve`, and win.

    A solution to go on from, `start`, brings its own network in place of the recipe's.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    changes = {each.name: given.pop(each.name) for each in fields(recipe) if each.name in given}
    if "start" in given:
        changes = {"network": None, **changes}
    return _solved(problem, replace(recipe, **changes), **given)


Recipe.solve = solve_by


@with_gradients
def _solved(
    problem: Problem,
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Solution:
    """The solution, written where it is to be; options: those of a Request. Raises what `solve` does."""
    request = Request.checked(problem, recipe, **options)
    if callback is not None and not callable(callback):
        cure = "write a function: def watch(progress): ..."
        raise SettingsError("callback", expected="a function of a Progress", got=shown(callback), cure=cure)
    folder = _folder(out, resume)
    if recipe.slabs > 1:
        check_slabs(request, resume)
    check_known(problem)
    if recipe.tests is None:
        check_posed_at_points(problem)
    or_none(flag)("progress", progress)
    watched = followed(problem.name or "solve", callback, progress)
    with interruptible() as interruptions, watched as callback, threads_put_back():
        if recipe.slabs > 1:
            return _in_slabs(request, folder, callback, interruptions)
        if folder is None:
            return ended(begun(request, callback), request)
        with workplace(folder, resume is not None) as place:
            keeper = Keeper(request, place, interruptions)
            if place.found is None:
                return _kept(begun(request, callback), keeper)
            with gone_on(request, place.found, callback) as (loop, loaded):
                if is_over(loop) and place.target.is_whole:
                    return replace(loaded, folder=place.named)
                return _kept(loop, keeper)


def _folder(out: object, resume: object) -> RunFolder | None:
    """Where to write; a run that goes on does so in its own folder. Raises SettingsError."""
    or_none(of_kind)("out", out, (str, Path), "the name of a folder", 'out="runs/first"')
    or_none(of_kind)("resume", resume, (str, Path), "the folder of a run", 'resume="runs/first"')
    named = {name: RunFolder.named(each) for name, each in (("out", out), ("resume", resume)) if each is not None}  # pyright: ignore
    if len({folder.path.resolve() for folder in named.values()}) > 1:
        cure = "leave out= away, and copy the folder first where the run as it is should stay"
        raise SettingsError("out", expected=f"the folder of resume=, '{resume}'", got=f"'{out}'", cure=cure)
    return next(iter(named.values()), None)


def _in_slabs(
    request: Request, folder: RunFolder | None, callback: Callback | None, interruptions: Interruptions
) -> Solution:
    """The solution over all slabs of time, written at the end if there is a folder."""
    if folder is None:
        return solved_in_slabs(request, callback)
    with workplace(folder, False) as place:
        solution = solved_in_slabs(request, callback)
        with interruptions.held():
            return written(solution, place)


def _kept(loop: Loop, keeper: Keeper) -> Solution:
    """The solution at the end of the loop, written; the state is kept on the way, and where something fails."""
    loop.keep = keeper.now_and_then
    try:
        solution = ended(loop, keeper.request, keeper)
    except Exception as error:
        keeper.rescue(loop, error)
        raise
    return keeper.finish(loop, solution)
