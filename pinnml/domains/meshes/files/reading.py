"""Files of meshes: .msh, .vtu, .vtk and .xdmf."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pinnml.domains.meshes.files.gmsh import read_gmsh
from pinnml.domains.meshes.files.kinds import FILE_KINDS, FileMesh
from pinnml.domains.meshes.files.names import named_groups, notes_on_names
from pinnml.domains.meshes.files.vtk import read_vtk
from pinnml.domains.meshes.files.vtu import read_vtu
from pinnml.domains.meshes.files.xdmf import read_xdmf
from pinnml.errors import MeshError, MeshWarning, UnknownNameError

SUFFIXES = (".msh", ".vtu", ".vtk", ".xdmf")


@dataclass(frozen=True, eq=False)
class MeshArrays:
    """What makes a mesh: points (N, 3), cells (C, g) of one kind in the order of files, parts, and faces.

    parts: name -> numbers of cells (k,). faces: name -> numbers of the corners of facets (f, c).
    """

    points: np.ndarray
    cells: np.ndarray
    kind: str
    parts: dict[str, np.ndarray]
    faces: dict[str, np.ndarray]


def read_mesh(path: str | os.PathLike[str], rename: Mapping[str, str] | None = None) -> MeshArrays:
    """The mesh in a file: its cells of the highest dimension, with groups of these and of their facets.

    Groups are named as in the file; one without a name in .msh is "part 3" or "face 3" by its number, and in the
    other formats every array of few whole numbers by cells gives groups "array=value". Where cells and facets have a
    group of one name, that of the facets becomes "<name> facets". `rename` gives them other names. Cells that stand in
    the file more than once, as .msh 2.2 has those of several groups, become one.

    Warns of names that are empty or that several groups have, and of groups without elements. Raises MeshError with
    the name of the file for whatever keeps it from being a mesh, UnknownNameError for a group that is not there.
    """
    path, rename = Path(path), {} if rename is None else rename
    try:
        found = _read(path)
        arrays = _arrays(found, rename)
        for note in notes_on_names(found, rename):
            warnings.warn(f"mesh '{path.name}': {note}", MeshWarning, stacklevel=3)  # where Mesh.read is called
        return arrays
    except (MeshError, UnknownNameError) as error:
        raise error.within(f"mesh '{path.name}'") from None
    except (ValueError, IndexError, OverflowError, KeyError, TypeError, OSError) as error:
        raise MeshError(
            f"mesh '{path.name}': the file cannot be read",
            expected=f"a whole file of the format {path.suffix.lower()}",
            got=str(error) or type(error).__name__,
            cure="write it again, or as .msh or .vtu; look at it in the program that it comes from",
        ) from error


def _read(path: Path) -> FileMesh:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        cure = "Solid.read(path)" if suffix == ".stl" else "save it in one of these; Gmsh and meshio convert most"
        raise MeshError("a file of this kind is no mesh", expected=", ".join(SUFFIXES), got=path.name, cure=cure)
    if not path.is_file():
        raise MeshError("there is no such file", expected="a file", got=str(path), cure="look at the path")
    data = path.read_bytes()
    if not data.strip():
        raise MeshError("the file is empty", expected="a mesh", got=f"{len(data)} bytes", cure="write it again")
    if suffix == ".xdmf":
        return read_xdmf(path, data)
    return {".msh": read_gmsh, ".vtk": read_vtk, ".vtu": read_vtu}[suffix](data)


def _arrays(mesh: FileMesh, rename: Mapping[str, str]) -> MeshArrays:
    highest = max(FILE_KINDS[kind].dimension for kind in mesh.cells)
    kinds = [kind for kind in mesh.cells if FILE_KINDS[kind].dimension == highest]
    if highest == 0:
        raise MeshError("points without cells", cure='Points({"x": x, "y": y}) takes scattered points')
    if len(kinds) > 1:
        raise MeshError(
            "cells of several kinds",
            expected="one kind",
            got=", ".join(f"{len(mesh.cells[kind])} {kind}" for kind in kinds),
            cure="recombine all of them into quadrilaterals or hexahedra, or none",
        )
    kind = kinds[0]
    _check_nodes(mesh)
    cells, number = _once(mesh.cells[kind])
    parts, faces = named_groups(mesh, rename)
    members = {name: np.unique(number[rows[kind]]) for name, rows in parts.items()}
    corners = {name: _corners(name, mesh, rows) for name, rows in faces.items()}
    return MeshArrays(mesh.points, cells, kind, members, corners)


def _corners(name: str, mesh: FileMesh, group: dict[str, np.ndarray]) -> np.ndarray:
    """The corners (f, c) of the facets of a group: kind -> rows."""
    corners = [mesh.cells[kind][rows][:, : FILE_KINDS[kind].corners] for kind, rows in group.items()]
    if len({block.shape[1] for block in corners}) > 1:
        raise MeshError(f"group '{name}' has facets of several kinds", got=", ".join(group), cure="make it of one kind")
    return np.concatenate(corners)


def _check_nodes(mesh: FileMesh) -> None:
    for kind, cells in mesh.cells.items():
        if cells.ndim != 2 or cells.shape[1] != FILE_KINDS[kind].nodes:
            raise ValueError(f"cells of kind {kind} with nodes of shape {cells.shape}")
        if len(cells) and not 0 <= cells.min() <= cells.max() < len(mesh.points):
            raise ValueError(f"a cell of kind {kind} has a node that is not there")


def _once(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells without repetition, in their order, and the number (C,) that each has there."""
    _, first, number = np.unique(np.sort(cells, axis=1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return cells[first[order]], place[number.ravel()]
