"""The same cells, elements and forms in scikit-fem."""

from __future__ import annotations

from typing import Any

import numpy as np
import skfem
import skfem.helpers

from pinnml.domains.cells import CellKind, Cells
from pinnml.domains.reference_cells import quadrature
from pinnml.elements import Discretisation, Space

MESHES = {
    "line": skfem.MeshLine,
    "triangle": skfem.MeshTri,
    "quad": skfem.MeshQuad,
    "tetra": skfem.MeshTet,
    "hexahedron": skfem.MeshHex,
}


LAGRANGE = {
    ("line", 1): skfem.ElementLineP1,
    ("line", 2): skfem.ElementLineP2,
    ("triangle", 1): skfem.ElementTriP1,
    ("triangle", 2): skfem.ElementTriP2,
    ("quad", 1): skfem.ElementQuad1,
    ("quad", 2): skfem.ElementQuad2,
    ("tetra", 1): skfem.ElementTetP1,
    ("tetra", 2): skfem.ElementTetP2,
    ("hexahedron", 1): skfem.ElementHex1,
    ("hexahedron", 2): skfem.ElementHex2,
}


VECTORS = {
    ("triangle", "N1curl"): skfem.ElementTriN1,
    ("tetra", "N1curl"): skfem.ElementTetN1,
    ("triangle", "RT"): skfem.ElementTriRT1,
    ("tetra", "RT"): skfem.ElementTetRT1,
}


def rule(kind: CellKind) -> tuple[np.ndarray, np.ndarray]:
    return quadrature(kind.reference, 6)


def theirs(cells: Cells, element: skfem.Element) -> Any:
    """The same cells, element and quadrature in scikit-fem."""
    kind, mesh = cells.kind, MESHES[cells.kind.name]
    ours = kind.file_nodes[kind.from_file]
    order = [int(np.abs(ours - corner).sum(axis=1).argmin()) for corner in mesh.elem.refdom.p.T]
    points, weights = rule(kind)
    built = mesh(cells.points.T.copy(), cells.nodes[:, order].T.copy())
    return skfem.Basis(built, element, quadrature=(points.T.copy(), weights))


def matched(ours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The numbers of the places (n, s) among the others."""
    distance = np.abs(ours[:, None] - others).sum(axis=-1)
    assert distance.min(axis=1).max() < 1e-12
    return distance.argmin(axis=1)


def places(space: Space, basis: Any, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """The middles of the edges or faces at which functions of lowest degree sit: ours (size, s) and theirs."""
    local = np.array(space.cells.kind.entities(dimension))
    ours = np.empty((space.size, space.cells.kind.dimension))
    ours[space.dofs.numpy()] = space.cells.points[space.cells.corners[:, local]].mean(axis=2)
    edges = dimension < space.cells.kind.dimension - 1
    corners, dofs = (basis.mesh.edges, basis.edge_dofs) if edges else (basis.mesh.facets, basis.facet_dofs)
    others = np.empty_like(ours)
    others[dofs[0]] = basis.mesh.p[:, corners].mean(axis=1).T
    return ours, others


#: The degree to which `theirs` integrates.
DEGREE = 6


def lagrange(parts: Discretisation, degree: int) -> tuple[Any, np.ndarray]:
    """scikit-fem's basis of the same scalar functions, and the numbers there of ours."""
    space = parts.spaces[parts.problem.fields[0].name]
    basis = theirs(space.cells, LAGRANGE[space.cells.kind.name, degree]())
    return basis, matched(space.nodes.numpy(), basis.doflocs.T)


def dense(form: Any, basis: Any, order: np.ndarray, **more: Any) -> np.ndarray:
    """scikit-fem's matrix in our order."""
    return skfem.BilinearForm(form).assemble(basis, **more).toarray()[np.ix_(order, order)]
