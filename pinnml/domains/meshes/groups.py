"""The regions of a mesh: its parts and faces by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnml.domains.cells import Cells
from pinnml.domains.meshes.facets import Facets
from pinnml.domains.meshes.nodes import whole_numbers
from pinnml.domains.meshes.sampling import Pieces
from pinnml.errors import MeshError

UNNAMED = "unnamed boundary"
#: Names that a mesh gives itself.
OWN = ("interior", "boundary", "initial", UNNAMED)


@dataclass(frozen=True, eq=False)
class Groups:
    """The regions in order: "interior", parts, "boundary", faces, and "unnamed boundary" where there is one.

    faces: name -> numbers of facets, of the named ones and of the unnamed boundary. outer (k,): those outside.
    """

    pieces: dict[str, Pieces]
    faces: dict[str, np.ndarray]
    outer: np.ndarray

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The groups of which some facets are not outside."""
        return tuple(name for name, facets in self.faces.items() if not np.isin(facets, self.outer).all())

    def is_inside(self, name: str) -> bool:
        """Whether a region is a group of facets none of which is outside."""
        return name in self.faces and not np.isin(self.faces[name], self.outer).any()

    def between(self, cells: Cells, facets: Facets, first: str, second: str, but: Iterable[str]) -> Pieces:
        """The facets between two parts that are in none of some groups, as those of cells of the first."""
        inside = [np.isin(facets.cell, self.pieces[name].cell) for name in (first, second)]
        straight, turned = (inside[0][:, side] & inside[1][:, 1 - side] for side in (0, 1))
        left = straight | turned
        left[np.concatenate([np.zeros(0, dtype=np.int64), *(self.faces[name] for name in but)])] = False
        rows = np.flatnonzero(left)
        side = (~straight[rows]).astype(np.int64)
        return Pieces(cells, facets.cell[rows, side], facets.local[rows, side])

    def bare(self, said: set[str]) -> list[str]:
        """The groups with an outer facet that is in none of the `said` regions."""
        if "boundary" in said:
            return []
        covered = [facets for name, facets in self.faces.items() if name in said]
        left = np.setdiff1d(self.outer, np.concatenate([np.zeros(0, dtype=np.int64), *covered]))
        if not self.faces:
            return ["boundary"]
        return [name for name, facets in self.faces.items() if np.isin(facets, left).any()]


def groups_of(
    cells: Cells, facets: Facets, parts: Mapping[str, Any], faces: Mapping[str, Any], number: np.ndarray
) -> Groups:
    """The regions from numbers of cells by part and from corners of facets by face.

    number (N0,): what became of the points by whose numbers the corners are given, -1 for those that are gone. A part
    "interior" of all cells and a face "boundary" of all outer facets say nothing new.
    """
    for groups, what in ((parts, "parts"), (faces, "faces")):
        if not isinstance(groups, Mapping):
            got, cure = type(groups).__name__, 'parts={"steel": [0, 1]}, faces={"left": [[0, 3]]}'
            raise MeshError(f"{what} of a mesh", expected="a mapping from names to numbers", got=got, cure=cure)
    members = {name: np.unique(_members(name, numbers, len(cells))) for name, numbers in parts.items()}
    found = {name: facets.find(name, _corners(name, corners, facets, number)) for name, corners in faces.items()}
    if len(members.get("interior", ())) == len(cells):
        del members["interior"]
    if "boundary" in found and np.array_equal(found["boundary"], facets.outer):
        del found["boundary"]
    _check_names(members, found)
    named = np.concatenate([np.zeros(0, dtype=np.int64), *found.values()])
    unnamed = np.setdiff1d(facets.outer, named)
    if 0 < len(unnamed) < len(facets.outer):
        found[UNNAMED] = unnamed
    rank = np.full(len(cells), len(members))
    for place, rows in reversed([*enumerate(members.values())]):
        rank[rows] = place
    pieces = {"interior": Pieces(cells, np.arange(len(cells)))}
    pieces |= {name: Pieces(cells, rows) for name, rows in members.items()}
    sides = {"boundary": facets.outer, **found}
    pieces |= {name: _sided(cells, facets, rows, rank) for name, rows in sides.items()}
    return Groups(pieces, found, facets.outer)


def _members(name: str, numbers: Any, count: int) -> np.ndarray:
    found = whole_numbers(f"the cells of part '{name}'", numbers, None, count)
    if not len(found):
        raise MeshError(f"part '{name}' has no cells", expected="at least 1", got=0, cure="take it out")
    return found


def _corners(name: str, corners: Any, facets: Facets, number: np.ndarray) -> np.ndarray:
    found = whole_numbers(f"the facets of face '{name}'", corners, facets.corners.shape[1], len(number))
    if not len(found):
        raise MeshError(f"face '{name}' has no facets", expected="at least 1", got=0, cure="take it out")
    return number[found]


def _check_names(parts: Mapping[str, Any], faces: Mapping[str, Any]) -> None:
    for name in (*parts, *faces):
        if not isinstance(name, str) or not name.strip() or name in OWN or (name in parts and name in faces):
            raise MeshError(
                f"the group name {name!r} cannot be used",
                expected=f"a name used once, none of {', '.join(OWN)}",
                got=f"parts {', '.join(map(str, parts)) or 'none'}; faces {', '.join(map(str, faces)) or 'none'}",
                cure=f"rename it, in a file by Mesh.read(path, rename={{{name!r}: 'a name'}}); a mesh has "
                "names of its own for all of its cells and all outer facets",
            )


def _sided(cells: Cells, facets: Facets, rows: np.ndarray, rank: np.ndarray) -> Pieces:
    """Facets as those of one cell each: of two cells that of the first part, and in one part the first cell."""
    cell, local = facets.cell[rows], facets.local[rows]
    second = (cell[:, 1] >= 0) & (rank[cell[:, 1]] < rank[cell[:, 0]])
    lower = (cell[:, 1] >= 0) & (rank[cell[:, 1]] == rank[cell[:, 0]]) & (cell[:, 1] < cell[:, 0])
    side = (second | lower).astype(np.int64)[:, None]
    return Pieces(cells, np.take_along_axis(cell, side, 1)[:, 0], np.take_along_axis(local, side, 1)[:, 0])
