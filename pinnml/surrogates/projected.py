"""V^T A V for many draws at once, where the numbers of A are affine in what is random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from pinnml.surrogates.families.affine_numbers import AffineNumbers

#: Numbers that are kept at most, a gigabyte of them.
MOST = 2**27
#: Slopes are symmetric where they differ from the transposed ones by no more than this part of the largest.
SYMMETRIC = 1e-14


@dataclass(frozen=True, eq=False)
class ProjectedMatrices:
    """constant (t,) + sum over names of values (b, p) @ slopes (p, t), the numbers at `places` of matrices (m, m).

    places: rows and columns (t,) each; the upper triangle where all matrices are symmetric, which halves what is kept.
    """

    constant: np.ndarray
    slopes: Mapping[str, np.ndarray]
    places: tuple[np.ndarray, np.ndarray]
    m: int
    symmetric: bool

    @classmethod
    def of(
        cls, numbers: AffineNumbers, pattern: tuple[np.ndarray, np.ndarray], modes: np.ndarray
    ) -> ProjectedMatrices | None:
        """For matrices of a pattern (starts, columns) and modes V (N, m); None where that takes too much memory."""
        m, symmetric = modes.shape[1], _symmetric(numbers, pattern)
        places = np.nonzero(np.triu(np.ones((m, m)))) if symmetric else np.nonzero(np.ones((m, m)))
        by_corners = {name: csr_array(slopes.T) for name, slopes in numbers.slopes.items()}
        if sum(len(each.indptr) - 1 for each in by_corners.values()) * len(places[0]) > MOST:
            return None
        rows = np.repeat(np.arange(len(pattern[0]) - 1), np.diff(pattern[0]))

        def product(entries: np.ndarray, at: np.ndarray) -> np.ndarray:
            """Of the matrix with entries (e,) at some of the places of the pattern (e,), (t,)."""
            return (modes[rows[at]].T @ (entries[:, None] * modes[pattern[1][at]]))[places]

        fixed = np.zeros(len(rows)) if numbers.constant is None else numbers.constant
        constant = product(fixed, np.arange(len(rows)))
        slopes = {}
        for name, by_corner in by_corners.items():
            ends, entries, at = by_corner.indptr, by_corner.data, by_corner.indices
            pieces = [slice(first, last) for first, last in pairwise(ends)]
            slopes[name] = np.empty((len(pieces), len(places[0])))
            for corner, piece in enumerate(pieces):
                slopes[name][corner] = product(entries[piece], at[piece])
        return cls(constant, slopes, (places[0], places[1]), m, symmetric)

    def __call__(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """The matrices (b, m, m) of draws, (b, p) and (b,) by name."""
        b = len(next(iter(inputs.values())))
        values = {name: np.asarray(inputs[name], dtype=float) for name in self.slopes}
        total = np.tile(self.constant, (b, 1))
        for name, each in values.items():
            total += np.outer(each, self.slopes[name].sum(axis=0)) if each.ndim == 1 else each @ self.slopes[name]
        found = np.empty((b, self.m, self.m))
        found[:, *self.places] = total
        if self.symmetric:
            found[:, *self.places[::-1]] = total
        return found


def _symmetric(numbers: AffineNumbers, pattern: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether the matrices are their own transposed for all draws."""
    starts, columns = pattern
    order = csr_array((np.arange(len(columns)), columns, starts), shape=(len(starts) - 1,) * 2).T.tocsr()
    if not (np.array_equal(order.indptr, starts) and np.array_equal(order.indices, columns)):
        return False
    there = order.data
    parts = [] if numbers.constant is None else [csr_array(numbers.constant[:, None])]
    parts += numbers.slopes.values()
    return all(abs(each - each[there]).max() <= SYMMETRIC * abs(each).max() for each in parts)
