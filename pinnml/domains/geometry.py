"""Where cells lie: reference points mapped to them, measures and normals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinnml.domains.cells import Cells
from pinnml.domains.reference_cells import facet_quadrature, mapping, outward_normals

#: Points that are looked at together, so that what is between takes a few MB whatever the mesh.
CHUNK = 8192


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
    x = torch.empty(points.shape, dtype=torch.float64)
    jacobian = torch.empty((*points.shape, points.shape[1]), dtype=torch.float64)
    element = mapping(kind.reference, kind.degree)
    for some in chunks(len(points), -(-cells.nodes.shape[1] // 4)):  # a point has a table of its own, of every node
        values = torch.from_numpy(element.tabulate(1, points[some])[..., 0])  # (1 + s, n, g)
        nodes = torch.from_numpy(cells.points[cells.nodes[number[some]]])  # (n, g, s)
        x[some], *slopes = torch.einsum("kng,ngs->kns", values, nodes)
        jacobian[some] = torch.stack(slopes, dim=-1)
    return x, jacobian


def jacobian_range(cells: Cells, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest determinant of dx/dX at reference points (q, s), of every cell, (c,) each."""
    found = [(each.min(axis=1), each.max(axis=1)) for each in _determinants(cells, points)]
    least, largest = zip(*found, strict=True)
    return np.concatenate(least), np.concatenate(largest)


def measures(cells: Cells, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The integral of |det dx/dX| over every cell, (c,), by a quadrature with points (q, s) and weights (q,)."""
    return np.concatenate([np.abs(each) @ weights for each in _determinants(cells, points)])


def chunks(count: int, points: int) -> Iterator[slice]:
    """Slices of `count` cells with so many points on each, together about CHUNK points; one slice at least."""
    step = max(CHUNK // points, 1)
    return (slice(start, start + step) for start in range(0, max(count, 1), step))


def carried_normal(jacobian: Tensor, outward: Tensor) -> tuple[Tensor, Tensor]:
    """The unit normal (..., s) of a facet from that of the reference cell, and the stretching (...) of the facet.

    A covector is carried by the inverse transpose; its length is the stretching of the facet over that of the volume.
    """
    normal = torch.linalg.solve(jacobian.mT, outward.unsqueeze(-1)).squeeze(-1)
    length = torch.linalg.vector_norm(normal, dim=-1)
    return normal / length.unsqueeze(-1), length * torch.linalg.det(jacobian).abs()


def _determinants(cells: Cells, points: np.ndarray) -> Iterator[np.ndarray]:
    """The determinant of dx/dX at reference points (q, s) of a few cells at a time, (c, q); (c, 1) of affine ones."""
    kind = cells.kind
    points = points[:1] if kind.is_affine else points
    slopes = torch.from_numpy(mapping(kind.reference, kind.degree).tabulate(1, points)[1:, ..., 0])  # (s, q, g)
    for some in chunks(len(cells), len(points)):
        nodes = torch.from_numpy(cells.points[cells.nodes[some]])  # (c, g, s)
        yield torch.linalg.det(torch.einsum("jqg,cgs->cqsj", slopes, nodes)).numpy()


def _position(cells: Cells, points: np.ndarray) -> tuple[Tensor, Tensor]:
    """The places x (c, q, s) and dx_i/dX_j (c, q, s, s) at reference points (q, s); (c, 1, s, s) on affine cells."""
    kind = cells.kind
    values = torch.from_numpy(mapping(kind.reference, kind.degree).tabulate(1, points)[..., 0])  # (1 + s, q, g)
    nodes = torch.from_numpy(cells.points)[torch.from_numpy(cells.nodes)]  # (c, g, s)
    x = values[0] @ nodes
    slopes = values[1:, :1] if kind.is_affine else values[1:]
    return x, torch.einsum("jqg,cgs->cqsj", slopes, nodes)
