"""Graphs of meshes: which corners or cells are neighbours, and how many steps there are between nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pinnml.domains.meshes.mesh import Mesh
from pinnml.errors import PartitionError
from pinnml.validation import whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def adjacency(mesh: Mesh) -> csr_array:
    """A_ij = 1 where corners i and j share an edge of a cell, else 0; symmetric, (V, V), bool.

    Corners are numbered as `mesh.cells.numbered(0)` does: as the points of meshes of straight cells, and without the
    nodes between them in quadratic ones.
    """
    corners = mesh.cells.numbered(0)[1][:, 0]
    number = np.empty(len(mesh.cells.points), dtype=np.int64)
    number[corners] = np.arange(len(corners))
    return of_edges(number[mesh.cells.numbered(1)[1]], len(corners))


def corner_positions(mesh: Mesh) -> np.ndarray:
    """Where the corners are, (V, s), in the order of `adjacency`."""
    return mesh.cells.points[mesh.cells.numbered(0)[1][:, 0]]


def cell_adjacency(mesh: Mesh) -> csr_array:
    """A_ij = 1 where cells i and j share a facet, else 0; symmetric, (C, C), bool."""
    beside = mesh.facets.cell
    return of_edges(beside[beside[:, 1] >= 0], len(mesh.cells))


def of_edges(ends: np.ndarray, n: int) -> csr_array:
    """The graph of n nodes with edges between these, (E, 2), an edge in one direction or both."""
    from scipy.sparse import csr_array

    return undirected(csr_array((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(n, n)))


def undirected(graph: Any) -> csr_array:
    """The graph with every edge in both directions, once, and no edge from a node to itself, (n, n), bool.

    graph: a square sparse or dense matrix; entries other than 0 are edges. Raises PartitionError for anything else.
    """
    from scipy.sparse import csr_array, issparse

    if not (issparse(graph) or isinstance(graph, np.ndarray)) or graph.ndim != 2 or graph.shape[0] != graph.shape[1]:
        got = getattr(graph, "shape", type(graph).__name__)
        cure = "give a mesh, or the matrix that adjacency(mesh) returns"
        raise PartitionError("a graph", expected="a square sparse matrix", got=got, cure=cure)
    pattern = csr_array(graph != 0)
    pattern = csr_array(pattern + pattern.T)
    pattern.setdiag(False)
    pattern.eliminate_zeros()
    pattern.sort_indices()
    return csr_array(pattern, dtype=bool)


def count(graph: csr_array) -> int:
    """The number of nodes, n."""
    return len(graph.indptr) - 1


def edges_of(graph: csr_array) -> np.ndarray:
    """All edges of an undirected graph in both directions, (2, m), [source, target], by target and then by source."""
    target = np.repeat(np.arange(count(graph)), np.diff(graph.indptr))
    return np.stack([graph.indices.astype(np.int64), target])


def distances(graph: Any, nodes: np.ndarray, hops: int) -> np.ndarray:
    """The fewest edges from any of some nodes, (n,), up to `hops`; -1 for what is further away."""
    graph = undirected(graph)
    nodes = sound_nodes(nodes, count(graph))
    hops = whole_number("hops", hops, 0, error=PartitionError)
    away = np.full(count(graph), -1)
    away[nodes] = 0
    front = np.unique(nodes)
    for hop in range(1, hops + 1):
        reached = np.unique(graph[front].indices) if len(front) else front
        front = reached[away[reached] < 0]
        away[front] = hop
    return away


def halo(graph: Any, nodes: np.ndarray, hops: int) -> np.ndarray:
    """The nodes that some nodes reach within so many hops, themselves left out, (h,).

    The nearest first, then by number. An edge leads both ways, whatever directions the matrix has.
    """
    away = distances(graph, nodes, hops)
    found = np.flatnonzero(away > 0)
    return found[np.argsort(away[found], kind="stable")]


def sound_nodes(nodes: Any, n: int) -> np.ndarray:
    """Numbers of nodes of a graph, as an array. Raises PartitionError."""
    array = np.asarray(nodes)
    array = array.astype(np.int64) if array.size == 0 else array
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and not 0 <= array.min() <= array.max() < n):
        got = f"{array.dtype} {array.shape}" + (f", {array.min()} to {array.max()}" if array.dtype.kind in "iu" else "")
        cure = "give whole numbers; np.flatnonzero(mask) makes them of a mask"
        raise PartitionError("nodes of a graph", expected=f"numbers from 0 to {n - 1}, (k,)", got=got, cure=cure)
    return array
