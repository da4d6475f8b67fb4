"""Where cells lie: reference points mapped to them, measures and normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinnml.domains.cells import Cells
from pinnml.domains.reference_cells import facet_quadrature, mapping, outward_normals


@dataclass(frozen=True, eq=False)
class Mapped:
    """Reference points X (q, s) on cells: x (c, q, s), jacobian dx_i/dX_j (c, q, s, s), and weights for integrals.

    weight (c, q): the sums over q are the measures of the cells or facets. normal (c, q, s): outward, of facets, else
    None.
    """

    reference: Tensor  # X
    x: Tensor
    jacobian: Tensor
    weight: Tensor
    normal: Tensor | None = None


def mapped(cells: Cells, points: np.ndarray, weights: np.ndarray) -> Mapped:
    """Points (q, s) of the reference cell with weights (q,) on every cell."""
    x, jacobian = _position(cells, points)
    weight = torch.from_numpy(weights) * torch.linalg.det(jacobian).abs()
    return Mapped(torch.from_numpy(points), x, jacobian.expand(-1, len(points), -1, -1), weight)


def mapped_facets(cells: Cells, facet: int, degree: int) -> Mapped:
    """One facet of every cell, by its number in the cell, with the points of a quadrature that is exact to a degree."""
    cell = cells.kind.reference
    points, weights = facet_quadrature(cell, facet, degree)
    x, jacobian = _position(cells, points)
    outward = torch.from_numpy(outward_normals(cell)[facet])
    jacobian = jacobian.expand(-1, len(points), -1, -1)
    normal, stretch = carried_normal(jacobian, outward.expand(*x.shape[:2], -1))
    return Mapped(torch.from_numpy(points), x, jacobian, torch.from_numpy(weights) * stretch, normal)


def located(cells: Cells, number: np.ndarray, points: np.ndarray) -> tuple[Tensor, Tensor]:
    """Each of n reference points (n, s) on a cell of its own, by number (n,): x (n, s) and dx_i/dX_j (n, s, s)."""
    kind = cells.kind
    values = torch.from_numpy(mapping(kind.reference, kind.degree).tabulate(1, points)[..., 0])  # (1 + s, n, g)
    nodes = torch.from_numpy(cells.points[cells.nodes[number]])  # (n, g, s)
    x, *slopes = torch.einsum("kng,ngs->kns", values, nodes)
    return x, torch.stack(slopes, dim=-1)


def jacobians(cells: Cells, points: np.ndarray) -> Tensor:
    """The determinant of dx/dX at reference points (q, s) on every cell, (c, q)."""
    return torch.linalg.det(_position(cells, points)[1]).expand(-1, len(points))


def carried_normal(jacobian: Tensor, outward: Tensor) -> tuple[Tensor, Tensor]:
    """The unit normal (..., s) of a facet from that of the reference cell, and the stretching (...) of the facet.

    A covector is carried by the inverse transpose; its length is the stretching of the facet over that of the volume.
    """
    normal = torch.linalg.solve(jacobian.mT, outward.unsqueeze(-1)).squeeze(-1)
    length = torch.linalg.vector_norm(normal, dim=-1)
    return normal / length.unsqueeze(-1), length * torch.linalg.det(jacobian).abs()


def _position(cells: Cells, points: np.ndarray) -> tuple[Tensor, Tensor]:
    """The places x (c, q, s) and dx_i/dX_j (c, q, s, s) at reference points (q, s); (c, 1, s, s) on affine cells."""
    kind = cells.kind
    values = torch.from_numpy(mapping(kind.reference, kind.degree).tabulate(1, points)[..., 0])  # (1 + s, q, g)
    nodes = torch.from_numpy(cells.points)[torch.from_numpy(cells.nodes)]  # (c, g, s)
    x = values[0] @ nodes
    slopes = values[1:, :1] if kind.is_affine else values[1:]
    return x, torch.einsum("jqg,cgs->cqsj", slopes, nodes)
