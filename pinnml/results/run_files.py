"""What a run leaves behind in its folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pinnml.output import RunFolder, Workplace, draw
from pinnml.results.checkpoint_file import write_archive
from pinnml.results.solution import Solution
from pinnml.results.views import history, panels, snapshots


def written(solution: Solution, place: Workplace, progress: Any = None) -> Solution:
    """Write everything that a run leaves behind; the solution with its folder, or with a warning where that failed.

    progress: what the run could go on from. Whatever goes wrong, the solution is handed back: what it took to find it
    is worth more than a picture of it.
    """
    solution = of_run(solution, place)
    try:
        _write_run(solution, place.folder, progress)
        place.finish()
    except Exception as error:
        kept = f"; its checkpoint is '{place.folder.checkpoint}'" if place.folder.checkpoint.is_file() else ""
        return warned(solution, f"The run could not be written to '{place.named}': {told(error)}{kept}.")
    return replace(solution, folder=place.named)


def of_run(solution: Solution, place: Workplace) -> Solution:
    """The solution with the name of the run in its settings, by which its files know each other."""
    return replace(solution, settings={**solution.settings, "run": place.run})


def warned(solution: Solution, *warnings: str) -> Solution:
    """The solution with more warnings in its verdict."""
    verdict = replace(solution.verdict, warnings=(*solution.verdict.warnings, *warnings))
    return replace(solution, verdict=verdict)


def told(error: BaseException) -> str:
    """An error in a few words."""
    words = str(error).splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__


def verdict_record(solution: Solution) -> dict[str, Any]:
    """What `verdict.json` holds: the verdict, and the run that it is of where there is a folder."""
    run = solution.settings.get("run")
    return solution.verdict.to_json() | ({} if run is None else {"run": run})


def write_state(solution: Solution, folder: RunFolder, progress: Any = None) -> None:
    """Write what a run can go on from: settings, checkpoint and history."""
    folder.write_config(solution.settings)
    write_archive(folder.checkpoint, solution.record(), solution.network.state_dict(), progress)
    folder.write_history([{**row, "run": solution.settings["run"]} for row in solution.history])


def _write_run(solution: Solution, folder: RunFolder, progress: Any) -> None:
    """Settings, checkpoint, history, fields, picture, and at last the verdict, which tells that all are there."""
    write_state(solution, folder, progress)
    shots = snapshots(solution)
    folder.write_fields(shots[0] if len(shots) == 1 else shots)
    name = solution.settings["problem"] or ", ".join(field.name for field in solution.fields)
    draw(folder.picture, panels(solution), history(solution), f"{name}: {solution.verdict.outcome}")
    folder.write_verdict(verdict_record(solution))
