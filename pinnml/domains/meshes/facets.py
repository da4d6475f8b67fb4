"""The facets of a mesh: which cells they are between, which are outside, which belong to a named group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pinnml.domains.cells import Cells
from pinnml.domains.geometry import carried_normal, located
from pinnml.domains.meshes.nodes import place
from pinnml.domains.reference_cells import corners as reference_corners
from pinnml.domains.reference_cells import outward_normals
from pinnml.errors import MeshError

#: A node is on a facet within this part of the length of the facet.
ON_FACET = 1e-8


@dataclass(frozen=True, eq=False)
class Facets:
    """The F facets of cells, each once.

    corners (F, c): numbers of points. cell (F, 2): the cells beside it, the second -1 outside. local (F, 2): its
    numbers in these.
    """

    corners: np.ndarray
    cell: np.ndarray
    local: np.ndarray

    @cached_property
    def outer(self) -> np.ndarray:
        """The numbers of the facets on the outside."""
        return np.flatnonzero(self.cell[:, 1] < 0)

    def find(self, name: str, wanted: np.ndarray) -> np.ndarray:
        """The numbers of facets by their corners (f, c), each once; MeshError for one that is not there."""
        both = np.concatenate([np.sort(self.corners, axis=1), np.sort(wanted, axis=1)])
        _, key = np.unique(both, axis=0, return_inverse=True)
        number = np.full(key.max() + 1, -1)
        number[key.ravel()[: len(self.corners)]] = np.arange(len(self.corners))
        found = number[key.ravel()[len(self.corners) :]]
        if (found < 0).any():
            first = int(np.flatnonzero(found < 0)[0])
            raise MeshError(
                f"group '{name}' has a facet that no cell has",
                expected="facets of the cells of the mesh",
                got=f"facet {first} of it, with the points {wanted[first].tolist()}, and {(found < 0).sum() - 1} more",
                cure="mesh the group together with the cells, so that they share their nodes",
            )
        return np.unique(found)


def facets_of(cells: Cells) -> Facets:
    """The facets of cells, with what is beside them.

    Raises MeshError for a facet of three cells, for cells that lie over one another, and for a node in the middle of
    a facet.
    """
    numbers, corners = cells.numbered(cells.kind.dimension - 1)
    flat = numbers.ravel()
    order = np.argsort(flat, kind="stable")
    count = np.bincount(flat, minlength=len(corners))
    start = np.cumsum(count) - count
    if (count > 2).any():
        first = int(np.flatnonzero(count > 2)[0])
        raise MeshError(
            f"a facet around {place(cells.points[corners[first]].mean(axis=0))} has {count[first]} cells",
            expected="one cell, or two beside each other",
            got=f"cells {(order[start[first] :][: count[first]] // numbers.shape[1]).tolist()}",
            cure="remove cells that are there twice; cells may not lie over one another",
        )
    sides = np.full((len(corners), 2), -1)
    sides[:, 0] = order[start]
    sides[count == 2, 1] = order[start[count == 2] + 1]
    local = np.where(sides < 0, -1, sides % numbers.shape[1])
    facets = Facets(corners, np.where(sides < 0, -1, sides // numbers.shape[1]), local)
    _check_shared(cells, facets)
    _check_folded(cells, facets)
    _check_hanging(cells, facets)
    return facets


def normals_in_the_middle(cells: Cells, cell: np.ndarray, local: np.ndarray) -> np.ndarray:
    """The outward unit normals (f, s) at the middle of facets, by cell (f,) and number in the cell (f,)."""
    kind = cells.kind
    middles = np.array([reference_corners(kind.reference)[list(facet)].mean(axis=0) for facet in kind.facets])
    _, jacobian = located(cells, cell, middles[local])
    return carried_normal(jacobian, torch.from_numpy(outward_normals(kind.reference)[local]))[0].numpy()


def _check_shared(cells: Cells, facets: Facets) -> None:
    """Two cells beside a facet have all of its corners: those of a quadrilateral are told apart by three of them."""
    inner = np.flatnonzero(facets.cell[:, 1] >= 0)
    local = np.array(cells.kind.facets)[facets.local[inner]]  # (f, 2, c)
    corners = np.sort(np.take_along_axis(cells.corners[facets.cell[inner]], local, axis=2), axis=2)
    if (apart := (corners[:, 0] != corners[:, 1]).any(axis=1)).any():
        beside, where = _first(cells, facets, inner[apart])
        raise MeshError(
            f"cells {beside} share a part of a facet",
            expected="cells that meet facet to facet",
            got=f"different corners around {where}",
            cure="mesh again, so that cells beside each other share all corners of a facet",
        )


def _check_folded(cells: Cells, facets: Facets) -> None:
    """Two cells beside a facet lie on different sides of it."""
    inner = np.flatnonzero(facets.cell[:, 1] >= 0)
    if not len(inner):
        return
    first, second = (normals_in_the_middle(cells, facets.cell[inner, k], facets.local[inner, k]) for k in (0, 1))
    if (same := (first * second).sum(axis=1) > 0).any():
        beside, where = _first(cells, facets, inner[same])
        raise MeshError(
            f"cells {beside} lie over one another",
            expected="cells on different sides of the facet that they share",
            got=f"two on one side, around {where}",
            cure="a node has crossed a facet: mesh again",
        )


def _first(cells: Cells, facets: Facets, found: np.ndarray) -> tuple[list[int], str]:
    """The cells beside the first of some facets by number, and the words for where it is."""
    middle = cells.points[facets.corners[found[0]]].mean(axis=0)
    return facets.cell[found[0]].tolist(), place(middle)


def _check_hanging(cells: Cells, facets: Facets) -> None:
    """No corner of a cell lies on an outer facet but at a corner of that, where facets are straight."""
    if cells.kind.degree > 1 or cells.kind.dimension == 1:
        return
    from scipy.spatial import KDTree

    corners = facets.corners[facets.outer]
    nodes = np.unique(corners)
    middle = cells.points[corners].mean(axis=1)
    reach = np.linalg.norm(cells.points[corners] - middle[:, None], axis=2).max(axis=1)
    near = KDTree(cells.points[nodes]).query_ball_point(middle, reach * (1 + ON_FACET))
    facet = np.repeat(np.arange(len(corners)), [len(each) for each in near])
    node = nodes[np.concatenate([np.asarray(each, dtype=np.int64) for each in near])]
    other = (corners[facet] != node[:, None]).all(axis=1)
    facet, node = facet[other], node[other]
    for simplex in ((0, 1, 2), (3, 1, 2)) if corners.shape[1] == 4 else (tuple(range(corners.shape[1])),):
        ends = cells.points[corners[facet][:, simplex]]  # (p, s, s)
        on = _on_simplex(ends, cells.points[node])
        if on.any():
            number = node[np.flatnonzero(on)[0]]
            raise MeshError(
                f"node {number} hangs in the middle of a facet",
                expected="cells that meet facet to facet",
                got=f"a node at {place(cells.points[number])}; {len(np.unique(node[on]))} of them",
                cure="split the cells on the other side as well, or merge the two meshes before meshing",
            )


def _on_simplex(ends: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Whether points (p, s) lie on segments or triangles with these ends (p, k, s)."""
    sides = ends[:, 1:] - ends[:, :1]
    offset = x - ends[:, 0]
    gram = sides @ sides.transpose(0, 2, 1)
    share = np.linalg.solve(gram, (sides @ offset[..., None]))[..., 0]
    distance = np.linalg.norm(offset - (share[:, None] @ sides)[:, 0], axis=1)
    length = np.linalg.norm(sides, axis=2).max(axis=1)
    inside = (share > -ON_FACET).all(axis=1) & (share.sum(axis=1) < 1 + ON_FACET)
    return inside & (distance < ON_FACET * length)
