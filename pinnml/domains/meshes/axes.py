"""The names of the coordinates of a mesh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pinnml.calculus import Axes
from pinnml.domains.box import TIME
from pinnml.errors import MeshError


def checked_axes(names: Iterable[str] | None, columns: Sequence[int]) -> Axes:
    """The axes of a mesh, all of space: these of x, y, z if none are named; MeshError for names that cannot be."""
    given, dimension = tuple("xyz"[column] for column in columns) if names is None else tuple(names), len(columns)
    sound = all(isinstance(name, str) and name.isidentifier() and name != TIME for name in given)
    if len(given) != dimension or len(set(given)) != dimension or not sound:
        raise MeshError(
            "the axes of a mesh",
            expected=f"{dimension} different names of space, none of them {TIME}",
            got=repr(names),
            cure="leave them out for x, y, z; time is added by mesh.times(t=(0, 1))",
        )
    return Axes(given, given)
