"""Graphs to be cut: triangulations of random points, paths, and graphs in several pieces."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.spatial import Delaunay

from pinnml.domains.partitions import edges_of, of_edges, undirected


def triangulated(n: int, seed: int = 0, grading: float = 1.5) -> tuple[csr_array, np.ndarray]:
    """The graph of a triangulation of n random points, in random order and dense towards a corner, and the points."""
    points = np.random.default_rng(seed).random((n, 2)) ** grading
    triangles = Delaunay(points).simplices
    return of_edges(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), n), points


def path(n: int) -> csr_array:
    """Nodes 0 - 1 - ... - n-1 in a row."""
    return of_edges(np.stack([np.arange(n - 1), np.arange(1, n)], axis=1), n)


def grid(columns: int, rows: int) -> tuple[csr_array, np.ndarray]:
    """The graph of a grid, node x * rows + y, and where its nodes are."""
    node = np.arange(columns * rows).reshape(columns, rows)
    along = [np.stack([node[:-1].ravel(), node[1:].ravel()]), np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()])]
    places = np.stack(np.unravel_index(node.ravel(), node.shape), axis=1).astype(float)
    return of_edges(np.concatenate(along, axis=1).T, node.size), places


def beside(*graphs: csr_array) -> csr_array:
    """Several graphs as one, without edges between them."""
    from scipy.sparse import block_array

    blocks = [[g if i == j else None for j in range(len(graphs))] for i, g in enumerate(graphs)]
    return csr_array(block_array(blocks))


def tensors(graph: csr_array, points: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The edges (2, m) of a graph, and their ways and lengths (m, s + 1)."""
    edges = edges_of(graph)
    way = points[edges[1]] - points[edges[0]]
    features = np.concatenate([way, np.linalg.norm(way, axis=1, keepdims=True)], axis=1)
    return torch.from_numpy(edges), torch.from_numpy(features / features[:, -1].mean())


def strip(columns: int, rows: int) -> tuple[csr_array, np.ndarray]:
    """A grid with one diagonal in every square: long enough to have nodes many hops apart."""
    graph, places = grid(columns, rows)
    node = np.arange(columns * rows).reshape(columns, rows)
    diagonals = of_edges(np.stack([node[:-1, :-1].ravel(), node[1:, 1:].ravel()], axis=1), node.size)
    return undirected(graph + diagonals), places
