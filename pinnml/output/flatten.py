"""Snapshots brought to what can be drawn on paper: a line, a flat triangulation or scattered points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnml.output.cells import CELL_KINDS
from pinnml.output.snapshot import Snapshot

_SLAB = 0.05
_STRENGTH = "strength"


class Flat(NamedTuple):
    """Fields at n points along one axis or in the plane of two.

    Attributes:
        points: `(n, 1)` or `(n, 2)`.
        triangles: `(m, 3)` numbers of points; None where there are only points.
        arrays: name -> `(n,)`.
        axes: the one or two of the axes 0, 1, 2 that are drawn.
        place: where the third axis was cut, or None.
    """

    points: np.ndarray
    triangles: np.ndarray | None
    arrays: dict[str, np.ndarray]
    axes: tuple[int, ...]
    place: float | None = None


def spread_axes(points: np.ndarray) -> tuple[int, ...]:
    """The axes along which the points `(n, 3)` differ; the first axis if they are all one."""
    extent = np.ptp(points, axis=0)
    return tuple(int(axis) for axis in np.flatnonzero(extent > 1e-12 * extent.max())) or (0,)


def flatten(snapshot: Snapshot, arrays: dict[str, np.ndarray], strength: np.ndarray) -> Flat:
    """The part of a snapshot that fits on paper: all of it up to two dimensions, a slice across z in three.

    The slice lies half way up, or, where the field is all but zero there, through its largest value. A cloud
    is cut to a slab of a tenth of its height. Curves in space become scattered points, surfaces are seen from
    above.

    Args:
        snapshot: the mesh or cloud of n points.
        arrays: name -> real `(n,)`.
        strength: `(n,)`, not negative: the size of the field, by which the height of a slice is chosen.
    """
    axes = spread_axes(snapshot.points)
    dimension = 0 if snapshot.cells is None else CELL_KINDS[str(snapshot.cell_type)].dimension
    if len(axes) == 1:
        return Flat(snapshot.points[:, axes], None, arrays, axes)
    if len(axes) == 3 and (dimension == 3 or snapshot.cells is None):
        return _cut(snapshot, arrays, strength)
    if dimension == 2:
        return _surface(snapshot, arrays, axes[:2])
    return Flat(snapshot.points[:, axes[:2]], None, arrays, axes[:2])


def _cut(snapshot: Snapshot, arrays: dict[str, np.ndarray], strength: np.ndarray) -> Flat:
    """The plane, or for a cloud the slab, across z."""
    part = _slab if snapshot.cells is None else _plane
    z, largest = snapshot.points[:, 2], np.nanmax(strength, initial=0.0)
    flat = part(snapshot, {**arrays, _STRENGTH: strength}, float(z.min() + z.max()) / 2)
    if len(flat.points) and np.nanmax(flat.arrays[_STRENGTH], initial=0.0) >= largest / 3:
        return flat
    return part(snapshot, arrays, float(z[np.argmax(np.nan_to_num(strength))]))


def _slab(snapshot: Snapshot, arrays: dict[str, np.ndarray], height: float) -> Flat:
    """The points of a cloud within a slab around a height."""
    z = snapshot.points[:, 2]
    near = np.abs(z - height) <= _SLAB * np.ptp(z)
    inside = {name: array[near] for name, array in arrays.items()}
    return Flat(snapshot.points[near, :2], None, inside, (0, 1), height)


def _plane(snapshot: Snapshot, arrays: dict[str, np.ndarray], height: float) -> Flat:
    """The plane across a mesh of volumes at a height, fields interpolated."""
    # A plane exactly along the bottom counts as missing every cell.
    thin = 1e-9 * np.ptp(snapshot.points[:, 2])
    inner = np.clip(height, snapshot.points[:, 2].min() + thin, snapshot.points[:, 2].max() - thin)
    mesh = Snapshot(snapshot.points, snapshot.cells, snapshot.cell_type, point_data=arrays).to_pyvista()
    cut = mesh.slice(normal="z", origin=(0.0, 0.0, float(inner))).triangulate()
    if not cut.n_points:
        return Flat(np.empty((0, 2)), np.empty((0, 3), dtype=np.int64), {}, (0, 1), height)
    inside = {name: np.asarray(cut.point_data[name]) for name in arrays}
    return Flat(cut.points[:, :2], cut.faces.reshape(-1, 4)[:, 1:], inside, (0, 1), height)


def _surface(snapshot: Snapshot, arrays: dict[str, np.ndarray], axes: tuple[int, ...]) -> Flat:
    """The triangles of a mesh of faces; curved and higher-order ones are refined first."""
    points, cells = snapshot.points, snapshot.cells
    if snapshot.cell_type == "triangle" and cells is not None:
        triangles = cells
    elif snapshot.cell_type == "quad" and cells is not None:
        triangles = np.concatenate([cells[:, [0, 1, 2]], cells[:, [0, 2, 3]]])
    else:
        points, triangles, arrays = _refined(snapshot, arrays)
    # From below upwards, so that what is seen from above is drawn last.
    order = np.argsort(points[triangles, 2].mean(axis=1), kind="stable")
    return Flat(points[:, axes], triangles[order], arrays, axes)


def _refined(snapshot: Snapshot, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Points `(m, 3)`, flat triangles `(k, 3)` and arrays `(m,)` that follow a mesh of curved faces."""
    import pyvista
    from vtkmodules.vtkFiltersGeometry import vtkDataSetSurfaceFilter

    surface = vtkDataSetSurfaceFilter()
    surface.SetInputData(Snapshot(snapshot.points, snapshot.cells, snapshot.cell_type, point_data=arrays).to_pyvista())
    surface.SetNonlinearSubdivisionLevel(2)
    surface.Update()
    mesh = pyvista.wrap(surface.GetOutput()).triangulate()
    inside = {name: np.asarray(mesh.point_data[name]) for name in arrays}
    return np.asarray(mesh.points), mesh.faces.reshape(-1, 4)[:, 1:], inside
