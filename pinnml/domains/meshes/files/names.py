"""Groups of cells and facets under the names that they get in a mesh."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pinnml.domains.meshes.files.kinds import FILE_KINDS, FileMesh
from pinnml.errors import MeshError, unknown_name

#: Kind of cells -> rows (k,) of a group.
Rows = dict[str, np.ndarray]


def named_groups(mesh: FileMesh, rename: Mapping[str, str]) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """The groups of the cells of the highest dimension and of their facets by name; `rename` gives other names.

    Where both have a group of one name, that of the facets is "<name> facets". "" in `rename` is a group whose name is
    empty. Raises UnknownNameError for a group that is not there, MeshError for a name that two groups would have.
    """
    highest = max(FILE_KINDS[kind].dimension for kind in mesh.cells)
    parts = {name: rows for (d, name), rows in mesh.groups.items() if d == highest}
    faces = {name: rows for (d, name), rows in mesh.groups.items() if d == highest - 1}
    faces = {f"{name} facets" if name in parts else name: rows for name, rows in faces.items()}
    _check(rename, {*parts, *faces, *([""] if mesh.empty_names & {*parts, *faces} else [])})

    def new(name: str) -> str:
        return rename.get(name, rename.get("", name) if name in mesh.empty_names else name)

    names = [*map(new, (*parts, *faces))]
    if twice := {name for name in names if names.count(name) > 1}:
        raise MeshError(
            f"two groups would have the name '{min(twice)}'",
            expected="a name of its own for every group",
            got=", ".join(f"{old!r}: {name!r}" for old, name in rename.items()),
            cure="rename them to different names; an equation may be stated on each",
        )
    return {new(name): rows for name, rows in parts.items()}, {new(name): rows for name, rows in faces.items()}


def notes_on_names(mesh: FileMesh, rename: Mapping[str, str]) -> list[str]:
    """What to say about the names of groups: what the reader has found, and names that are empty."""
    found = [*mesh.notes]
    if "" not in rename:
        empty = sorted(mesh.empty_names - {*rename})
        found += [
            f"a group with an empty name is called '{name}'; Mesh.read(path, rename=...) names it" for name in empty
        ]
    return found


def _check(rename: Mapping[str, str], names: set[str]) -> None:
    if not isinstance(rename, Mapping) or not all(isinstance(name, str) for name in rename.values()):
        raise MeshError("rename=", expected="a mapping from names to names", got=repr(rename), cure='{"old": "new"}')
    for name in rename:
        if name not in names:
            raise unknown_name("group", name, names, where="rename=")
