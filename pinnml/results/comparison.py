"""Two runs side by side: how far apart their fields are, from the files that they left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pinnml.errors import ProblemError, SettingsError
from pinnml.output import Panel, RunFolder, Snapshot, draw
from pinnml.output.cells import CELL_KINDS

#: Points outside by this part of the extent are on the boundary, and are taken as far inside.
OUTSIDE = 1e-9
#: The part of a mesh that another run may leave uncovered, as its straight cells do a curved rim.
UNCOVERED = 0.05


@dataclass(frozen=True, eq=False)
class Run:
    """What a run left in its folder."""

    folder: RunFolder
    config: Mapping[str, Any]
    verdict: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | Path) -> Run:
        """The run in a folder. Raises SettingsError where there is none, or not all of one."""
        folder = RunFolder(Path(path))
        if not (folder.verdict.is_file() and folder.config.is_file() and folder.fields.is_file()):
            cure = "give the folder that 'pinnml solve ... --out FOLDER' wrote; series over time cannot be compared"
            expected = f"{folder.verdict.name}, {folder.config.name} and {folder.fields.name}"
            raise SettingsError(f"'{path}' holds no run to compare", expected=expected, got=str(path), cure=cure)
        return cls(folder, json.loads(folder.config.read_text()), json.loads(folder.verdict.read_text()))

    @property
    def name(self) -> str:
        """The name of the folder."""
        return str(self.folder.path)

    @cached_property
    def mesh(self) -> Any:
        """The fields as a PyVista mesh."""
        import pyvista

        return pyvista.read(self.folder.fields)

    @property
    def fields(self) -> list[str]:
        """The names of the fields, less what was derived from them."""
        derived = ("_exact", "_error", "_residual")
        return [name for name in self.mesh.point_data if not name.endswith(derived)]


@dataclass(frozen=True, eq=False)
class Comparison:
    """A run's fields beside those of a reference, on the mesh of the one that has fewer points.

    distance: by field, |u - u_ref| / |u_ref| in L2 over the points that both cover. snapshot: u and u_reference.
    """

    run: Run
    reference: Run
    distance: Mapping[str, float]
    snapshot: Snapshot

    def panels(self) -> list[Panel]:
        """A panel for each field, with its difference from the reference."""
        return [
            Panel(self.snapshot, name, f"{name}_reference", "reference", relative_error=value)
            for name, value in self.distance.items()
        ]

    def draw(self, path: str | Path) -> Path:
        """A picture of the fields and of the differences."""
        return draw(path, self.panels(), title=f"{self.run.name} beside {self.reference.name}")


def compared(run: Run, reference: Run) -> Comparison:
    """Bring two runs to the points of one of them. Raises ProblemError where they share no field or no place."""
    names = [name for name in reference.fields if name in run.fields]
    if not names:
        expected = f"one of {', '.join(reference.fields)} from {reference.name}"
        raise ProblemError(f"'{run.name}' has none of these fields", expected=expected, got=", ".join(run.fields))
    # the one with fewer points keeps them: the other, interpolated there, loses least
    keep, moved = (run, reference) if run.mesh.n_points <= reference.mesh.n_points else (reference, run)
    sampled = _sampled(moved.mesh, np.asarray(keep.mesh.points))
    covered = np.asarray(sampled.point_data["vtkValidPointMask"]).astype(bool)
    weight = _weights(keep.mesh)
    share = float(weight @ covered / weight.sum())
    if 1 - share > UNCOVERED:
        got = f"{share:.0%} of {keep.name}"
        raise ProblemError(f"'{moved.name}' lies on another domain", expected="the same domain", got=got)
    weight = weight * covered
    data, distance = {}, {}
    for name in names:
        stays, comes = (_components(mesh.point_data[name]) for mesh in (keep.mesh, sampled))
        if comes.shape != stays.shape:  # one of two vectors in space happens to lie in the plane
            stays, comes = (np.asarray(mesh.point_data[name], dtype=float) for mesh in (keep.mesh, sampled))
        comes = np.where(covered.reshape(-1, *(1,) * (stays.ndim - 1)), comes, stays)
        values, known = (stays, comes) if keep is run else (comes, stays)
        data |= {name: values, f"{name}_reference": known}
        distance[name] = _distance(values, known, weight)
    return Comparison(run, reference, distance, _snapshot(keep.mesh, data))


def _components(array: Any) -> np.ndarray:
    """An array of a file, without the third component that a vector of the plane has there."""
    values = np.asarray(array, dtype=float)
    return values[:, :2] if values.ndim == 2 and values.shape[1] == 3 and not values[:, 2].any() else values


def _sampled(mesh: Any, points: np.ndarray) -> Any:
    """The fields of a mesh at points; those that round-off has put outside are drawn back a little."""
    import pyvista

    found = pyvista.PolyData(points).sample(mesh)
    outside = np.flatnonzero(~np.asarray(found.point_data["vtkValidPointMask"]).astype(bool))
    if not len(outside):
        return found
    cells, closest = mesh.find_closest_cell(points[outside], return_closest_point=True)
    near = np.linalg.norm(closest - points[outside], axis=1) <= OUTSIDE * mesh.length
    inwards = np.asarray(mesh.cell_centers().points)[cells] - closest
    points = points.copy()
    points[outside[near]] = (closest + OUTSIDE * inwards)[near]
    return pyvista.PolyData(points).sample(mesh)


def _weights(mesh: Any) -> np.ndarray:
    """The measure of the cells around each point."""
    sizes = mesh.compute_cell_sizes()
    measure = sum(np.abs(np.asarray(sizes.cell_data[name])) for name in ("Length", "Area", "Volume"))
    cells = _cells(mesh)
    return np.bincount(cells.ravel(), np.repeat(measure / cells.shape[1], cells.shape[1]), mesh.n_points)


def _cells(mesh: Any) -> np.ndarray:
    """The numbers of the points of cells of one kind, (c, v)."""
    return np.asarray(mesh.cells).reshape(mesh.n_cells, -1)[:, 1:]


def _distance(values: np.ndarray, known: np.ndarray, weight: np.ndarray) -> float:
    scale = np.sqrt(weight).reshape(-1, *(1,) * (known.ndim - 1))
    norm = np.linalg.norm(scale * known)
    return float(np.linalg.norm(scale * (values - known)) / (norm if norm > 0 else 1.0))


def _snapshot(mesh: Any, data: Mapping[str, np.ndarray]) -> Snapshot:
    """A PyVista mesh of one kind of cells as a snapshot."""
    kind = next(name for name, kind in CELL_KINDS.items() if kind.vtk == mesh.celltypes[0])
    flat = not np.asarray(mesh.points)[:, 2].any()
    return Snapshot(np.asarray(mesh.points)[:, : 2 if flat else 3], _cells(mesh), kind, point_data=data)


def compare(runs: Sequence[str | Path], picture: str | Path | None = None) -> list[Comparison]:
    """Compare runs, by their folders, with the last of them; draw the first of these if a picture is asked for.

    Raises SettingsError for folders that hold no run, ProblemError for runs of different problems.
    """
    if len(runs) < 2:
        raise SettingsError("compare", expected="two runs or more", got=f"{len(runs)}", cure="name two folders")
    *others, reference = (Run.read(path) for path in runs)
    found = [compared(run, reference) for run in others]
    if picture is not None:
        found[0].draw(picture)
    return found
