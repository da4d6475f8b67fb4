"""Numbers that are affine in what is random: those of a matrix, or of a right side, for any draw by sparse products."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from pinnml.elements import Affine


class AffineNumbers:
    """constant (z,) + sum over names of slopes (z, p) @ values (p,), or of their row sums times a number."""

    def __init__(self, affine: Affine):
        self.constant = None if affine.constant is None else affine.constant.numpy()
        self.slopes = {name: rows.to_scipy() for name, rows in affine.slopes.items()}
        self.sums = {name: slopes.sum(axis=1) for name, slopes in self.slopes.items()}

    def __call__(self, draw: Mapping[str, Any]) -> np.ndarray:
        """The numbers of a draw (z,)."""
        values = {name: np.asarray(draw[name], dtype=float) for name in self.slopes}
        terms = [self.sums[n] * v if v.ndim == 0 else self.slopes[n] @ v for n, v in values.items()]
        terms += [] if self.constant is None else [self.constant]
        return reduce(np.add, terms)
