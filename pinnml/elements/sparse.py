"""Sparse matrices that are summed from entries in fixed places, many times over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the z numbers of an N x N matrix stand, row by row, and where each entry goes among them, as int32.

    starts (N + 1,), columns (z,), places (e,): entry number i is added to number places_i.
    """

    starts: Tensor
    columns: Tensor
    places: Tensor

    @classmethod
    def of(cls, rows: Tensor, columns: Tensor, size: int) -> Pattern:
        """The pattern of entries at rows (e,) and columns (e,)."""
        where = tuple(numbers.cpu().to(torch.int32).numpy() for numbers in (rows, columns))
        entries = coo_array((np.arange(len(rows), dtype=np.int32), where), shape=(size, size))
        entries.has_canonical_format = True  # or numbers of entries in one place would be added up
        by_row = entries.tocsr()
        by_row.sort_indices()
        first = np.empty(len(rows), dtype=bool)  # of the entries in one place
        first[1:] = by_row.indices[1:] != by_row.indices[:-1]
        first[by_row.indptr[:-1][np.diff(by_row.indptr) > 0]] = True
        numbers = np.cumsum(first, dtype=np.int32)
        starts = np.where(by_row.indptr > 0, numbers[by_row.indptr - 1], 0).astype(np.int32)
        places = np.empty(len(rows), dtype=np.int32)
        order: Any = by_row.data
        places[order] = np.subtract(numbers, 1, out=numbers)
        arrays = (starts, by_row.indices[first], places)
        return cls(*(torch.from_numpy(array).to(rows.device) for array in arrays))

    def summed(self, entries: Tensor) -> SparseMatrix:
        """The matrix, or a batch of them, from entries (..., e)."""
        zero = entries.new_zeros((*entries.shape[:-1], len(self.columns)))
        return SparseMatrix(self, zero.index_add(-1, self.places, entries))


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """An N x N matrix by its pattern and its numbers (z,), or a batch of matrices of one pattern (b, z)."""

    pattern: Pattern
    values: Tensor

    def __matmul__(self, x: Tensor) -> Tensor:
        """The product with x (N,); of every matrix of a batch, (b, N)."""
        terms = self.values * x[self.pattern.columns]
        rows = torch.repeat_interleave(self.pattern.starts.diff())
        return terms.new_zeros((*terms.shape[:-1], len(x))).index_add(-1, rows, terms)

    def to_scipy(self) -> csr_array:
        """The matrix (not a batch) for SciPy's solvers."""
        size = len(self.pattern.starts) - 1
        values, columns, starts = (
            tensor.detach().cpu().numpy() for tensor in (self.values, self.pattern.columns, self.pattern.starts)
        )
        return csr_array((values, columns, starts), shape=(size, size))
