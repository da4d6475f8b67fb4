"""Small meshes of every kind of cell, made without any of the code under test, and their files in every format."""

from __future__ import annotations

import contextlib
import io
from itertools import product
from pathlib import Path

import meshio
import numpy as np

#: Corners of the reference cells in the order of VTK, and the pairs between which further nodes lie.
CUBE = [(a, b, c) for c in (0, 1) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
EDGES = {
    "line": [(0, 1)],
    "triangle": [(0, 1), (1, 2), (2, 0)],
    "quad": [(0, 1), (1, 2), (2, 3), (3, 0)],
    "tetra": [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)],
    "hexahedron": [
        *((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)),
    ],
}
FACES = [(0, 3, 4, 7), (1, 2, 5, 6), (0, 1, 4, 5), (2, 3, 6, 7), (0, 1, 2, 3), (4, 5, 6, 7)]
MIDDLES = {"quad": [(0, 1, 2, 3)], "hexahedron": [*FACES, tuple(range(8))]}
QUADRATIC = {
    "line": "line3",
    "triangle": "triangle6",
    "quad": "quad9",
    "tetra": "tetra10",
    "hexahedron": "hexahedron27",
}
#: Tetrahedra that fill a cube, all along one diagonal, so that neighbouring cubes fit.
SIXTH = [(0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)]
DIMENSION = {"line": 1, "triangle": 2, "quad": 2, "tetra": 3, "hexahedron": 3}
FACET = {"line": "vertex", "triangle": "line", "quad": "line", "tetra": "triangle", "hexahedron": "quad"}
KIND_NAMES = [*DIMENSION, *QUADRATIC.values(), "quad8", "hexahedron20"]


def linear_box(kind: str, n: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) and cells (C, c) that fill the unit cube of the dimension of the cells, n a side."""
    dimension = DIMENSION[kind]
    node = np.arange((n + 1) ** dimension).reshape((n + 1,) * dimension)
    points = np.zeros((node.size, 3))
    points[:, :dimension] = np.stack(np.unravel_index(np.arange(node.size), node.shape), axis=1) / n
    corners = {1: [(0,), (1,)], 2: [(0, 0), (1, 0), (1, 1), (0, 1)], 3: CUBE}[dimension]
    offsets = product(range(n), repeat=dimension)
    blocks = np.array([[node[tuple(np.add(start, corner))] for corner in corners] for start in offsets])
    if kind == "triangle":
        blocks = np.concatenate([blocks[:, [0, 1, 2]], blocks[:, [0, 2, 3]]])
    if kind == "tetra":
        blocks = np.concatenate([blocks[:, list(four)] for four in SIXTH])
    return points, blocks


def with_middles(points: np.ndarray, cells: np.ndarray, groups: list) -> tuple[np.ndarray, np.ndarray]:
    """The same cells with a further node in the middle of every group of corners, shared where cells share it."""
    found: dict[tuple[int, ...], int] = {}
    further, rows = [*points], []
    for cell in cells:
        row = [*cell]
        for group in groups:
            key = tuple(sorted(cell[list(group)]))
            if key not in found:
                found[key] = len(further)
                further.append(points[list(key)].mean(axis=0))
            row.append(found[key])
        rows.append(row)
    return np.array(further), np.array(rows)


def unit_box(kind: str, n: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) and cells (C, g) in the order of files, of any kind."""
    base = next(name for name in DIMENSION if kind.rstrip("0123456789") == name)
    points, cells = linear_box(base, n)
    if kind == base:
        return points, cells
    groups = EDGES[base] + (MIDDLES.get(base, []) if kind == QUADRATIC[base] else [])
    return with_middles(points, cells, groups)


def bend(points: np.ndarray, dimension: int) -> np.ndarray:
    """The points moved smoothly, so that quadratic cells become curved; the corners of the box stay."""
    moved = points.copy()
    for axis in range(dimension):
        shift = np.prod([np.sin(np.pi * points[:, other]) for other in range(dimension) if other != axis], axis=0)
        moved[:, axis] += 0.06 * shift * np.cos(2 * points[:, axis])
    return moved


def facet_corners(kind: str, points: np.ndarray, cells: np.ndarray, axis: int, at: float) -> np.ndarray:
    """The corners of the facets (f, c) on a face of the box, in an order that follows the outline."""
    base = next(name for name in DIMENSION if kind.rstrip("0123456789") == name)
    local = {
        "line": [(0,), (1,)],
        "triangle": EDGES["triangle"],
        "quad": EDGES["quad"],
        "tetra": [(0, 1, 2), (0, 1, 3), (1, 2, 3), (0, 2, 3)],
        "hexahedron": [(0, 3, 7, 4), (1, 2, 6, 5), (0, 1, 5, 4), (3, 2, 6, 7), (0, 1, 2, 3), (4, 5, 6, 7)],
    }[base]
    facets = np.concatenate([cells[:, list(each)] for each in local])
    return facets[(np.abs(points[facets, axis] - at) < 1e-12).all(axis=1)]


def meshio_mesh(kind: str, n: int = 2) -> meshio.Mesh:
    """The box with cells in two groups by x, 1 and 2, and facets at x = 0 in group 7, at x = 1 in group 8."""
    points, cells = unit_box(kind, n)
    base = next(name for name in DIMENSION if kind.rstrip("0123456789") == name)
    part = 1 + (points[cells].mean(axis=1)[:, 0] > 0.5)
    ends = [facet_corners(kind, points, cells, 0, at) for at in (0.0, 1.0)]
    data = [part, *(np.full(len(facets), 7 + k) for k, facets in enumerate(ends))]
    blocks: list = [(kind, cells), *((FACET[base], facets) for facets in ends)]
    return meshio.Mesh(points, blocks, cell_data={"gmsh:physical": data, "gmsh:geometrical": data})


def write(path: Path, kind: str, form: str, n: int = 2) -> Path:
    """A file of `meshio_mesh` in one of FORMS."""
    mesh = meshio_mesh(kind, n)
    suffix, options = FORMS[form]
    path = path / f"{form}-{kind}{suffix}"
    if suffix != ".msh":
        mesh.cell_data.pop("gmsh:geometrical")
    with contextlib.redirect_stderr(io.StringIO()):
        meshio.write(path, mesh, **options)
    return path


def write_bare(path: Path, binary: bool = True) -> Path:
    """A file in Gmsh's format 4.1 of triangles without groups."""
    points, cells = unit_box("triangle")
    path = path / f"bare-{binary}.msh"
    meshio.write(path, meshio.Mesh(points, [("triangle", cells)]), file_format="gmsh", binary=binary)
    return path


def written(path: Path, head: bytes, nodes: tuple[object, list[bytes]], cells: tuple[object, list[bytes]]) -> Path:
    """A file of Gmsh's from what stands in its header, and the counts and records of its nodes and cells."""
    data = b"$MeshFormat\n" + head + b"\n$EndMeshFormat\n"
    for name, (count, records) in ((b"Nodes", nodes), (b"Elements", cells)):
        data += b"$%s\n%s\n%s\n$End%s\n" % (name, str(count).encode(), b"".join(records), name)
    path.write_bytes(data)
    return path


#: Formats by name: suffix and meshio's options.
FORMS: dict[str, tuple[str, dict]] = {
    "gmsh 2.2 text": (".msh", {"file_format": "gmsh22", "binary": False}),
    "gmsh 2.2 binary": (".msh", {"file_format": "gmsh22", "binary": True}),
    "vtu text": (".vtu", {"binary": False}),
    "vtu binary": (".vtu", {"binary": True}),
    "vtu unpacked": (".vtu", {"binary": True, "compression": None}),
    "vtk 4.2 text": (".vtk", {"file_format": "vtk42", "binary": False}),
    "vtk 4.2 binary": (".vtk", {"file_format": "vtk42", "binary": True}),
    "vtk 5.1 text": (".vtk", {"binary": False}),
    "vtk 5.1 binary": (".vtk", {"binary": True}),
    "xdmf text": (".xdmf", {"data_format": "XML"}),
    "xdmf hdf5": (".xdmf", {"data_format": "HDF"}),
}
