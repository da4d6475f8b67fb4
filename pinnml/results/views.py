"""A solution to look at: snapshots for ParaView and panels for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from pinnml.calculus import Axes
from pinnml.domains import TIME, Grid
from pinnml.output import History, Panel, Snapshot
from pinnml.results.known_solution import known_solution
from pinnml.results.solution import Solution

#: Points along each side of a mesh of space, by its dimension, and instants of a series.
RESOLUTION = {1: 401, 2: 121, 3: 41}
INSTANTS = 21
#: A mesh has no more axes than this.
MOST_SHOWN = 3
#: Points along each side where only the size of a field is wanted.
COARSE = 9


def snapshots(solution: Solution) -> list[Snapshot]:
    """The fields on a mesh of space, of its first three axes: one snapshot, or a series where there is time.

    Beside every field u stand `u_exact` and `u_error` = |u - u_exact| where something is known to compare with, and
    the residual of every equation on the interior as `<equation>_residual`; where the equations do not determine u,
    `u_undetermined` is what can be added to it. Other axes of space and those of
    parameters are held in the middle.
    """
    axes = solution.domain.axes
    space, middle = _shown_space(axes), _middle(solution)
    if TIME not in axes.names or TIME in space:
        return [_snapshot(solution, _grid(solution, space, middle), space, None)]
    return [_snapshot(solution, _grid(solution, space, {**middle, TIME: t}), space, t) for t in _instants(solution)]


def panels(solution: Solution) -> list[Panel]:
    """One panel a field: over space at a telling instant, or over the plane of x and t for one axis of space."""
    axes = solution.domain.axes
    space = _shown_space(axes)
    shown = (*space, TIME) if TIME in axes.names and len(axes.space) == 1 else space
    middle = _middle(solution)
    instant = _telling_instant(solution, shown, middle) if TIME in axes.names and TIME not in shown else None
    if instant is not None:
        middle[TIME] = instant
    snapshot = _snapshot(solution, _grid(solution, shown, middle), shown, instant)
    known, labels = solution.verdict.relative_l2, (*shown, *("x", "y", "z")[len(shown) :])
    held = {name: middle[name] for name in axes.names if name not in (*shown, TIME)}
    found = [
        Panel(
            snapshot,
            field.name,
            exact=f"{field.name}_exact" if f"{field.name}_exact" in snapshot.point_data else None,
            relative_error=known.get(field.name),
            axis_labels=labels,
            held=held,
        )
        for field in solution.fields
    ]
    open_ones = [name for name in map(open_name, known) if name in snapshot.point_data]
    return [*found, *(Panel(snapshot, name, axis_labels=labels, held=held) for name in open_ones)]


def open_name(field: str) -> str:
    """The array of what can be added to a field without the equations' seeing it."""
    return f"{field}_undetermined"


def history(solution: Solution) -> History | None:
    """The columns of the history that are drawn; None where no step has a loss."""
    rows = [row for row in solution.history if row.get("loss") is not None]
    if not rows:
        return None
    return History(
        loss=[row["loss"] for row in rows],
        held_out=[row.get("held_out") for row in rows],
        error=[row.get("error") for row in rows],
        steps=[row["step"] for row in rows],
        levels=[row.get("level") for row in rows],
    )


def _shown_space(axes: Axes) -> tuple[str, ...]:
    """The axes of space that fit into a picture; the first of all axes where there is no space."""
    return axes.space[:MOST_SHOWN] or axes.names[:1]


def _instants(solution: Solution) -> list[float]:
    low, high = solution.domain.bounds[solution.domain.axes.position(TIME)]
    return np.linspace(low, high, INSTANTS).tolist()


def _telling_instant(solution: Solution, shown: tuple[str, ...], fixed: Mapping[str, float]) -> float:
    """The last instant at which no field is below a fifth of the largest that it becomes, or the last of all."""
    instants = _instants(solution)
    grids = (solution.domain.grid(COARSE, shown, {**fixed, TIME: t}) for t in instants)
    values = [solution(grid.points) for grid in grids]
    sizes = np.array([[np.linalg.norm(value) for value in at_instant.values()] for at_instant in values])
    telling = (sizes >= 0.2 * sizes.max(axis=0)).all(axis=1)
    return instants[int(np.flatnonzero(telling)[-1]) if telling.any() else -1]


def _middle(solution: Solution) -> dict[str, float]:
    return dict(zip(solution.domain.axes.names, solution.domain.bounds.mean(axis=1).tolist(), strict=True))


def _grid(solution: Solution, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
    own = solution.network.basis.grid()
    if own is not None:
        return own
    return solution.domain.grid(RESOLUTION[len(axes)], axes, fixed)


def _snapshot(solution: Solution, grid: Grid, shown: tuple[str, ...], time: float | None) -> Snapshot:
    data = solution(grid.points)
    fields = list(data)
    if solution.problem is not None:
        known = known_solution(solution.problem, torch.from_numpy(grid.points))
        for name in (name for name in fields if name in known):
            data[f"{name}_exact"] = known[name]
            difference = np.abs(data[name] - known[name])
            data[f"{name}_error"] = difference if difference.ndim == 1 else np.linalg.norm(difference, axis=1)
        data |= {f"{name}_residual": values for name, values in solution.residual(grid.points).items()}
    if solution.alternative is not None:
        others = replace(solution, network=solution.alternative[0], parameters=solution.alternative[1])(grid.points)
        data |= {open_name(name): others[name] - data[name] for name in solution.verdict.undetermined}
    columns = [solution.domain.axes.position(name) for name in shown]
    points, marks = grid.points[:, columns], grid.cell_data
    return Snapshot(points, grid.cells, grid.cell_type, point_data=data, cell_data=marks, time=time)
