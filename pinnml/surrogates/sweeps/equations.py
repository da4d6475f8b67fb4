"""The matrix and the residual of any draw of a family, fast where they are affine in what is random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

from pinnml.elements import Affine
from pinnml.surrogates.families.family import Family

#: What was found of the equations holds for fields drawn at random to this part.
ROUND_OFF = 1e-10


@dataclass(frozen=True, eq=False)
class Equations:
    """F(u; draw) = A u + b and A (N, N), or dF/du where F bends.

    affine: how the numbers of A, and b, depend on the draw; None where the weak form is asked each time.
    """

    family: Family
    affine: tuple[AffineNumbers, AffineNumbers] | None

    @classmethod
    def of(cls, family: Family) -> Equations:
        """Those of a family; how they depend on draws is found once, in the time of some ten matrices."""
        found = family.form.affine(family.problem.parameters, family.problem.random) if family.is_linear else None
        if found is None:
            return cls(family, None)
        equations = cls(family, (AffineNumbers(found[0]), AffineNumbers(found[1])))
        return equations if equations._holds() else cls(family, None)

    def linearised(self, u: np.ndarray, draw: Mapping[str, Any]) -> tuple[csr_array, np.ndarray]:
        """dF/du (N, N) and F (N,) at u."""
        if self.affine is None:
            at = torch.from_numpy(u)
            return self.family.matrix(at, draw), self.family.residual(at, draw).numpy()
        numbers, right = (each(draw) for each in self.affine)
        matrix = self._matrix(numbers)
        return matrix, matrix @ u + right

    def residual(self, u: np.ndarray, draw: Mapping[str, Any]) -> np.ndarray:
        """F (N,) at u, of equations that bend."""
        return self.family.residual(torch.from_numpy(u), draw).numpy()

    @cached_property
    def pattern(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the numbers of all matrices stand: starts (N + 1,) and columns (z,)."""
        pattern = self.family.form.pattern
        return pattern.starts.numpy(), pattern.columns.numpy()

    def _matrix(self, numbers: np.ndarray) -> csr_array:
        starts, columns = self.pattern
        return csr_array((numbers, columns, starts), shape=(len(starts) - 1,) * 2)

    def _holds(self) -> bool:
        """Whether A u + b is the residual at random: an integrand may look at more than it asks for."""
        random, family = np.random.default_rng(0), self.family
        corners = family.form.corners
        draw = {name: random.uniform(0.5, 1.5, corners) for name in family.middle}
        u = random.standard_normal(family.size)
        found, expected = self.linearised(u, draw)[1], self.residual(u, draw)
        return bool(np.abs(found - expected).max() <= ROUND_OFF * np.abs(expected).max())


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
        return np.sum(terms, axis=0)
