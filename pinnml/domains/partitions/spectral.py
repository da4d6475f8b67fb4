"""Parts of nodes that are alike: in space, in what is known of them, in what is to be found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pinnml.domains.partitions.graph import count, edges_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Up to so many nodes all eigenvectors are found; where there are more, those that are needed, by shift and invert.
DENSE = 400
#: The shift below the smallest eigenvalue, 0, of a Laplacian whose largest is 2 at most.
SHIFT = 1e-3
#: First guesses of the means, sweeps of one guess at most, and rounds of moves between parts in one of these at most.
STARTS, SWEEPS, MOVES = 8, 50, 50
#: A sweep that lowers the sum by a smaller part is the last.
SETTLED = 1e-4


@dataclass(frozen=True)
class Likeness:
    """What nodes are compared by: arrays (n, f) by name, and the differences that count as one, by the same names.

    A scale that is not given is the median difference across the edges where there is any.
    """

    quantities: Mapping[str, np.ndarray]
    scales: Mapping[str, float]
    penalty: float


def spectral(graph: csr_array, parts: int, seed: int, likeness: Likeness) -> np.ndarray:
    """The owners (n,) by spectral clustering of W_ij = exp(-|dx| / s_x) exp(-|df| / s_f) exp(-|dy| / s_y) on edges.

    The rows of the eigenvectors to the `parts` smallest eigenvalues of I - D^-1/2 W D^-1/2, of length one, are
    assigned to means m with least sum |z_i - m|^2 + penalty * v * n / 2 * mean((size / mean size - 1)^2), where v is
    the variance of the rows. Sources: Ng, Jordan, Weiss, NIPS 2001; the affinity of arXiv:2512.01888.
    """
    return _assigned(_embedded(_affinity(graph, likeness), parts, seed), parts, likeness.penalty, seed)


def _affinity(graph: csr_array, likeness: Likeness) -> csr_array:
    """W (n, n) on the edges of a graph."""
    from scipy.sparse import csr_array

    source, target = edges_of(graph)
    exponent = np.zeros(len(source))
    for name, values in likeness.quantities.items():
        difference = np.linalg.norm(values[source] - values[target], axis=1)
        scale = likeness.scales.get(name) or np.median(difference[difference > 0]) if difference.any() else 1.0
        exponent += difference / scale
    # one scale for all weights leaves the clustering as it is, and keeps the largest from underflowing
    weights = np.exp(exponent.min(initial=np.inf) - exponent)
    return csr_array((weights, (target, source)), shape=(count(graph), count(graph)))


def _embedded(weights: csr_array, parts: int, seed: int) -> np.ndarray:
    """The rows (n, parts), of length one; those of nodes without edges are such rows as well, or zero."""
    from scipy.sparse import diags_array, eye_array

    n = count(weights)
    degree = weights.sum(axis=1)
    root = diags_array(1 / np.sqrt(np.where(degree > 0, degree, 1.0)))
    laplacian = (eye_array(n) - root @ weights @ root).tocsc()
    if n <= max(DENSE, 3 * parts):
        vectors = np.linalg.eigh(laplacian.toarray())[1][:, :parts]
    else:
        from scipy.sparse.linalg import eigsh

        start = np.random.default_rng(seed).standard_normal(n)
        vectors = eigsh(laplacian, parts, sigma=-SHIFT, v0=start)[1]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def _assigned(rows: np.ndarray, parts: int, penalty: float, seed: int) -> np.ndarray:
    """The owners with the least sum that a few first guesses lead to."""
    generator = np.random.default_rng(seed)
    price = penalty * float(rows.var(axis=0).sum())
    found = [_means(rows, _first_means(rows, parts, generator), price) for _ in range(STARTS)]
    return min(found, key=lambda each: each[0])[1]


def _first_means(rows: np.ndarray, parts: int, generator: np.random.Generator) -> np.ndarray:
    """Rows drawn with probability as their squared distance from those before (k-means++)."""
    means = rows[[generator.integers(len(rows))]]
    away = _squares(rows, means)[:, 0]
    while len(means) < parts:
        chance = away / away.sum() if away.sum() > 0 else np.full(len(rows), 1 / len(rows))
        means = np.concatenate([means, rows[[generator.choice(len(rows), p=chance)]]])
        away = np.minimum(away, _squares(rows, means[-1:])[:, 0])
    return means


def _means(rows: np.ndarray, means: np.ndarray, price: float) -> tuple[float, np.ndarray]:
    """The sum that is made small, and the owners, from first means on: no sweep makes it larger."""
    n, parts = len(rows), len(means)
    owner = _squares(rows, means).argmin(axis=1)
    total = np.inf
    for _ in range(SWEEPS):
        squares = _squares(rows, means)
        owner = _moved(squares, owner, price)
        before, relative = total, np.bincount(owner, minlength=parts) * parts / n - 1
        total = squares[np.arange(n), owner].sum() + price * n / 2 * np.mean(relative**2)
        if not total < (1 - SETTLED) * before:
            break
        for part in np.unique(owner):
            means[part] = rows[owner == part].mean(axis=0)
    return total, owner


def _moved(squares: np.ndarray, owner: np.ndarray, price: float) -> np.ndarray:
    """Owners of which no single change makes the sum smaller, of squares (n, parts), or nearly so.

    A node that goes from a to b when j have gone before changes the penalty by price (r_b - r_a + (2 j + 1) parts / n),
    with r the relative excess of sizes at first; so of those that gain most as many go as have something to gain.
    """
    owner, parts = owner.copy(), squares.shape[1]
    unit = parts / len(squares)
    for _ in range(MOVES):
        excess = np.bincount(owner, minlength=parts) * unit - 1
        wanted = (squares + price * excess).argmin(axis=1)
        pairs = np.unique(np.stack([owner, wanted], axis=1)[owner != wanted], axis=0)
        gone = 0
        for a, b in pairs.tolist():
            inside = np.flatnonzero(owner == a)
            change = squares[inside, b] - squares[inside, a]
            order = np.argsort(change, kind="stable")
            change = change[order] + price * (excess[b] - excess[a] + (2 * np.arange(len(inside)) + 1) * unit)
            moving = inside[order[: int((change < 0).sum())]]
            owner[moving] = b
            excess[[a, b]] += len(moving) * unit * np.array([-1, 1])
            gone += len(moving)
        if not gone:
            break
    return owner


def _squares(rows: np.ndarray, means: np.ndarray) -> np.ndarray:
    """|z_i - m_k|^2, (n, parts)."""
    return np.maximum((rows**2).sum(axis=1)[:, None] - 2 * rows @ means.T + (means**2).sum(axis=1), 0)
