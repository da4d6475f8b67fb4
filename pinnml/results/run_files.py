"""What a run leaves behind in its folder."""

from __future__ import annotations

from pinnml.output import RunFolder, draw
from pinnml.results.solution import Solution
from pinnml.results.views import history, panels, snapshots


def write_run(solution: Solution, folder: RunFolder) -> None:
    """Write everything that a run leaves behind: settings, history, verdict, checkpoint, fields and picture."""
    write_state(solution, folder)
    folder.write_config(solution.settings)
    folder.write_verdict(solution.verdict.to_json())
    shots = snapshots(solution)
    folder.write_fields(shots[0] if len(shots) == 1 else shots)
    name = solution.settings["problem"] or ", ".join(field.name for field in solution.fields)
    draw(folder.picture, panels(solution), history(solution), f"{name}: {solution.verdict.summary}")


def write_state(solution: Solution, folder: RunFolder) -> None:
    """Write checkpoint and history; what an earlier run left goes once the new checkpoint is there."""
    solution.save(folder.checkpoint)
    folder.clear(keep=(folder.checkpoint, folder.history))
    folder.write_history(solution.history)
