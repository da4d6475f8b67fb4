"""Cells as files have them: the kinds there are, and what a file says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pinnml.errors import MeshError


class FileKind(NamedTuple):
    """Cells as files may have them: dimension, numbers of corners and of nodes, Gmsh's and VTK's numbers for them."""

    dimension: int
    corners: int
    nodes: int
    gmsh: int
    vtk: int


#: By meshio's names.
FILE_KINDS = {
    "vertex": FileKind(0, 1, 1, 15, 1),
    "line": FileKind(1, 2, 2, 1, 3),
    "line3": FileKind(1, 2, 3, 8, 21),
    "triangle": FileKind(2, 3, 3, 2, 5),
    "triangle6": FileKind(2, 3, 6, 9, 22),
    "quad": FileKind(2, 4, 4, 3, 9),
    "quad8": FileKind(2, 4, 8, 16, 23),
    "quad9": FileKind(2, 4, 9, 10, 28),
    "tetra": FileKind(3, 4, 4, 4, 10),
    "tetra10": FileKind(3, 4, 10, 11, 24),
    "hexahedron": FileKind(3, 8, 8, 5, 12),
    "hexahedron20": FileKind(3, 8, 20, 17, 25),
    "hexahedron27": FileKind(3, 8, 27, 12, 29),
}


@dataclass(frozen=True, eq=False)
class FileMesh:
    """What a file says: points (N, 3), cells (c, g) by kind, groups: (dimension, name) -> kind -> rows of cells (k,).

    Nodes stand in the order of VTK. notes: sentences on what is amiss with the groups. empty_names: the names of groups
    that have an empty one in the file.
    """

    points: np.ndarray
    cells: dict[str, np.ndarray]
    groups: dict[tuple[int, str], dict[str, np.ndarray]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    empty_names: set[str] = field(default_factory=set)


def unknown_kind(kind: object) -> MeshError:
    """The error for cells of a kind that is not in the table."""
    return MeshError(
        f"cells of kind {kind}",
        expected=", ".join(name for name in FILE_KINDS if name != "vertex"),
        got=f"{kind}",
        cure="mesh with one of these; in Gmsh: Mesh.ElementOrder = 1 or 2, and no prisms or pyramids",
    )
