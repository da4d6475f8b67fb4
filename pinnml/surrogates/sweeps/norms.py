"""The size of every field of a family in L2, by exact mass matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from pinnml.surrogates.families.family import Family


@dataclass(frozen=True, eq=False)
class FieldNorms:
    """|u|^2 = u . M u by field, summed over its components, for numbers u (N,) of f fields.

    mass (N, N); starts (f,): where the numbers of each field begin.
    """

    mass: csr_array
    starts: np.ndarray

    @classmethod
    def of(cls, family: Family) -> FieldNorms:
        """Those of a family."""
        return cls(family.mass, np.array(list(family.parts.starts.values())))

    def products(self, u: np.ndarray, weighted: np.ndarray) -> np.ndarray:
        """U . M v by field (f,), given M v."""
        return np.add.reduceat(u * weighted, self.starts)

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """|u| by field (f,)."""
        return np.sqrt(self.products(u, self.mass @ u).clip(min=0.0))
