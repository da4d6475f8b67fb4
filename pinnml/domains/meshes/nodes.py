"""The nodes of a mesh, checked: as many axes as the cells have, none unused, no two in one place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pinnml.domains.meshes.files.kinds import FILE_KINDS, unknown_kind
from pinnml.domains.meshes.repairs import completed
from pinnml.errors import MeshError

#: Two nodes are in one place within this part of the diagonal of the bounding box.
SAME_PLACE = 1e-10
#: A mesh does not extend along an axis if it does so by less than this part of its size: files round their numbers.
FLAT = 1e-9
#: Beyond this a volume is not a number any more.
LARGEST = 1e90


class Nodes(NamedTuple):
    """Points (N, s), cells (C, g) and their kind.

    number (N0,): the new number of every point given, -1 if it is unused. axes (s,): the columns given that are left.
    """

    points: np.ndarray
    cells: np.ndarray
    kind: str
    number: np.ndarray
    axes: list[int]


def sound_nodes(points: Any, cells: Any, kind: str) -> Nodes:
    """The nodes of cells: serendipity cells are completed, unused points dropped.

    Of more axes than the cells have those are dropped along which the mesh does not extend. Raises MeshError for
    arrays that do not fit, for a mesh that does not lie flat in them, and for two points in one place.
    """
    points, cells = _checked(points, cells, kind)
    given = len(points)
    points, cells, kind = completed(points, cells, kind)
    used, flat = np.unique(cells, return_inverse=True)
    axes = _axes(points[used], FILE_KINDS[kind].dimension)
    points = points[used][:, axes]
    _check_apart(points)
    number = np.full(given, -1)
    number[used[used < given]] = np.flatnonzero(used < given)
    return Nodes(points, flat.reshape(cells.shape), kind, number, axes)


def whole_numbers(what: str, values: Any, columns: int | None, below: int) -> np.ndarray:
    """Whole numbers (k,) or (k, columns) from 0 up, less than `below`; MeshError otherwise."""
    array = np.asarray(values)
    if array.size == 0:
        array = np.zeros((0, columns or 1), dtype=np.int64)[:, 0 if columns is None else slice(None)]
    shaped = array.ndim == 1 if columns is None else array.shape[1:] == (columns,)
    if array.dtype.kind not in "iu" or not shaped:
        shape = "(k,)" if columns is None else f"(k, {columns})"
        cure = "give their numbers, counted from 0"
        raise MeshError(what, expected=f"whole numbers {shape}", got=f"{array.dtype} {array.shape}", cure=cure)
    if array.size and not 0 <= array.min() <= array.max() < below:
        got = f"numbers from {array.min()} to {array.max()}"
        raise MeshError(what, expected=f"numbers from 0 to {below - 1}", got=got, cure="count from 0")
    return array.astype(np.int64)


def _checked(points: Any, cells: Any, kind: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(kind, str) or kind not in FILE_KINDS or kind == "vertex":
        raise unknown_kind(repr(kind))
    points = np.asarray(points)
    dimension = FILE_KINDS[kind].dimension
    if points.dtype.kind not in "iuf" or points.ndim != 2 or not dimension <= points.shape[1] <= 3 or not len(points):
        raise MeshError(
            "the points of a mesh",
            expected=f"real numbers (N, {dimension})",
            got=f"{points.dtype} {points.shape}",
            cure="one row for each point",
        )
    points = points.astype(np.float64)
    if bad := np.flatnonzero(~(np.abs(points) < LARGEST).all(axis=1)).tolist():
        got = f"{points[bad[0]].tolist()} for point {bad[0]}"
        raise MeshError("a point of a mesh is nowhere", expected="finite numbers", got=got, cure="mend or remove it")
    cells = whole_numbers(f"the cells of kind '{kind}'", cells, FILE_KINDS[kind].nodes, len(points))
    if not len(cells):
        raise MeshError("a mesh without cells", expected="at least 1", got=0, cure="save the cells as well")
    return points, cells


def _axes(points: np.ndarray, dimension: int) -> list[int]:
    """The columns of points (N, s0) along which cells of a dimension lie; MeshError if they extend along more."""
    extent = np.ptp(points, axis=0)
    surplus = points.shape[1] - dimension
    flat = np.flatnonzero(extent <= FLAT * extent.max())[-surplus:] if surplus else []
    if len(flat) < surplus:
        raise MeshError(
            f"a mesh of {'lines' if dimension == 1 else 'faces'} that does not lie flat",
            expected=f"points that extend along {dimension} of the axes x, y, z",
            got=", ".join(f"{name} from {x.min():g} to {x.max():g}" for name, x in zip("xyz", points.T, strict=False)),
            cure="turn it into a plane; a mesh of a volume needs its cells saved too, a closed surface is a Solid",
        )
    return [axis for axis in range(points.shape[1]) if axis not in flat]


def _check_apart(points: np.ndarray) -> None:
    from scipy.spatial import KDTree

    if len(points) < 2:
        return
    reach = SAME_PLACE * np.linalg.norm(np.ptp(points, axis=0))
    distance, nearest = map(np.asarray, KDTree(points).query(points, k=2))
    if count := int((distance[:, 1] <= reach).sum()):
        first = int(np.flatnonzero(distance[:, 1] <= reach)[0])
        raise MeshError(
            f"{count} nodes stand in one place with another",
            expected="every node once, so that cells beside each other share theirs",
            got=f"nodes {first} and {nearest[first].max()} at {place(points[first])}",
            cure="merge them: `Coherence Mesh;`, gmsh.model.mesh.removeDuplicateNodes() in Gmsh; a crack cannot stay",
        )


def place(x: np.ndarray) -> str:
    """A place in words."""
    return f"({', '.join(f'{value:g}' for value in x)})"
