"""L^T A R for many sparse matrices A of one pattern: its numbers are linear in those of A."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array

from pinnml.elements import Pattern

#: A matrix is symmetric where its antisymmetric part is this part of its largest number.
SYMMETRIC = 1e-11


@dataclass(frozen=True, eq=False)
class Congruence:
    """Numbers (z,) of A to the matrix L^T A R, (m, m).

    sums (z', z): what makes the numbers of the product; starts, columns: where these stand; transposed (z',): the
    number at the transposed place.
    """

    sums: csr_array
    starts: np.ndarray
    columns: np.ndarray
    transposed: np.ndarray

    @classmethod
    def of(cls, starts: np.ndarray, columns: np.ndarray, left: csr_array, right: csr_array) -> Congruence:
        """For matrices A (n, n) with a symmetric pattern in CSR, and factors of equal patterns, (n, m)."""
        left, right = csr_array(left), csr_array(right)
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        sizes, others = np.diff(left.indptr)[rows], np.diff(right.indptr)[columns]
        ends = np.cumsum(sizes * others)
        number = np.repeat(np.arange(len(rows), dtype=np.int32), sizes * others)
        within = np.arange(ends[-1]) - (ends - sizes * others)[number]
        a = left.indptr[rows[number]] + within // others[number]
        b = right.indptr[columns[number]] + within % others[number]
        m = left.shape[1]  # pyright: ignore[reportOptionalSubscript] - scipy's own annotation allows no shape
        pattern = Pattern.of(torch.from_numpy(left.indices[a]), torch.from_numpy(right.indices[b]), m)
        places, shape = pattern.places.numpy(), (len(pattern.columns), len(rows))
        sums = coo_array((left.data[a] * right.data[b], (places, number)), shape=shape).tocsr()
        own = pattern.starts.numpy(), pattern.columns.numpy()
        count = csr_array((np.arange(shape[0], dtype=np.int32), own[1], own[0]), shape=(m, m))
        return cls(csr_array(sums), *own, count.T.tocsr().data.astype(np.intp))

    def __call__(self, numbers: np.ndarray) -> csr_array:
        """L^T A R."""
        m = len(self.starts) - 1
        return csr_array((self.sums @ numbers, self.columns, self.starts), shape=(m, m))

    def is_symmetric(self, matrix: csr_array) -> bool:
        """Whether a product is its own transpose, to round-off."""
        apart = np.abs(matrix.data - matrix.data[self.transposed]).max(initial=0.0)
        return bool(apart <= SYMMETRIC * np.abs(matrix.data).max(initial=0.0))
