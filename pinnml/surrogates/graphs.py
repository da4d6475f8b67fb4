"""The graph of a mesh: nodes, which of them share a cell, where they lie, and on which regions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pinnml.elements import Discretisation, Space

#: What surrogates compute in, unless asked otherwise: half the time and memory, and networks are no more exact.
SINGLE = torch.float32


@dataclass(frozen=True, eq=False)
class MeshGraph:
    """n nodes where finite-element fields have their numbers, and the m directed pairs of them that share a cell.

    positions (n, d). edges (2, m): [source, target], each pair in both directions. edge_features (m, d + 1): the way
    from source to target and its length, over the mean length of all. tags (n, r): 1 where a node lies on a region of
    `regions`, groups of facets and parts. batch (n,): the number of a node's graph, None for a single one.
    """

    positions: Tensor
    edges: Tensor
    edge_features: Tensor
    tags: Tensor
    regions: tuple[str, ...]
    batch: Tensor | None = None

    @classmethod
    def of(cls, parts: Discretisation, dtype: torch.dtype = SINGLE) -> MeshGraph:
        """That of the nodes of the first field's elements."""
        space = next(iter(parts.spaces.values()))
        positions = space.nodes
        edges = pairs(space)
        way = positions[edges[1]] - positions[edges[0]]
        length = way.norm(dim=1, keepdim=True)
        features = torch.cat([way, length], dim=1) / length.mean()
        regions = tuple(name for name in parts.mesh.regions if name != "interior")
        tags = torch.stack([_on(parts, space, name) for name in regions], dim=1)
        return cls(positions.to(dtype), edges, features.to(dtype), tags.to(dtype), regions)

    def __len__(self) -> int:
        return len(self.positions)

    def repeated(self, b: int) -> MeshGraph:
        """B copies side by side, those of one node n apart."""
        if b == 1:
            return self
        n, m = len(self), self.edges.shape[1]
        offset = n * torch.arange(b, device=self.edges.device).repeat_interleave(m)
        return MeshGraph(
            self.positions.repeat(b, 1),
            self.edges.repeat(1, b) + offset,
            self.edge_features.repeat(b, 1),
            self.tags.repeat(b, 1),
            self.regions,
            torch.arange(b, device=self.edges.device).repeat_interleave(n),
        )

    def to(self, device: torch.device) -> MeshGraph:
        """The same on a device."""
        batch = None if self.batch is None else self.batch.to(device)
        positions, edges = self.positions.to(device), self.edges.to(device)
        return replace(
            self,
            positions=positions,
            edges=edges,
            edge_features=self.edge_features.to(device),
            tags=self.tags.to(device),
            batch=batch,
        )


def pairs(space: Space) -> Tensor:
    """The directed pairs of different nodes that share a cell, sorted by target and source, (2, m)."""
    dofs = space.dofs.numpy()
    k = dofs.shape[1]
    target, source = np.repeat(dofs, k, axis=1).ravel(), np.tile(dofs, (1, k)).ravel()
    code = np.unique(target[source != target] * np.int64(space.size) + source[source != target])
    return torch.from_numpy(np.stack([code % space.size, code // space.size]))


def _on(parts: Discretisation, space: Space, region: str) -> Tensor:
    """1 at the nodes on the cells or facets of a region, (n,)."""
    pieces, found = parts.pieces(region), torch.zeros(space.size, dtype=torch.float64)
    if pieces.local is None:
        found[space.dofs[torch.from_numpy(pieces.cell)].flatten()] = 1.0
        return found
    closure = space.element.on(space.cells.kind).entity_closure_dofs[space.cells.kind.dimension - 1]
    for side in np.unique(pieces.local).tolist():
        cells = torch.from_numpy(pieces.cell[pieces.local == side])
        found[space.dofs[cells][:, list(closure[side])].flatten()] = 1.0
    return found
