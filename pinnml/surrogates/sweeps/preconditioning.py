"""What Krylov methods are preconditioned with: cycles of the matrix's own, or factors of the middle draw's matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from scipy.sparse import csr_array

from pinnml.classical import LinearSolver
from pinnml.run import free_bytes
from pinnml.surrogates.sweeps.krylov import (
    Preconditioner,
    Sweep,
    conjugate_gradients,
    conjugate_residuals,
    least_eigenvalue,
)
from pinnml.surrogates.sweeps.multigrid import Hierarchy

#: Sweeps with which cycles are tried on the middle draw, and the part of an error that they may leave.
TRIED, LEFT = 6, 0.02
#: The least eigenvalue of the preconditioned matrix is taken to be this part of its estimate, which is above it.
CAUTION = 0.5


@dataclass(frozen=True, eq=False)
class Preconditioning:
    """Sweeps for any matrix of a pattern.

    hierarchy: of multigrid; None where it fails on the middle draw's matrix, whose `factors` serve instead. least: a
    number below the eigenvalues of M^-1 A, for matrices that are symmetric; NaN elsewhere.
    """

    hierarchy: Hierarchy | None
    factors: Preconditioner | None = None
    least: float = math.nan

    @classmethod
    def of(cls, matrix: csr_array, near_null: np.ndarray, dimensions: int, *, symmetric: bool) -> Preconditioning:
        """By trying cycles on the middle draw's matrix (n, n).

        near_null (n, m): fields that hardly any matrix sees. Raises as `LinearSolver` does where factors are needed.
        """
        if matrix.diagonal().min(initial=1.0) > 0:
            found = cls(Hierarchy.of(matrix, near_null, symmetric=symmetric))
            error = near_null.sum(axis=1) + np.random.default_rng(0).standard_normal(len(near_null))
            sweeps = found.sweeps(matrix, found.of_matrix(matrix), matrix @ error, symmetric=symmetric)
            taken = list(islice(sweeps, TRIED))
            left = error - sum(sweep.change for sweep in taken)
            if np.linalg.norm(left) <= LEFT * np.linalg.norm(error):
                least = CAUTION * least_eigenvalue(taken) if symmetric else math.nan
                return cls(found.hierarchy, None, least)
        return cls(None, LinearSolver(matrix, dimensions, free_bytes(torch.device("cpu"))))

    def of_matrix(self, matrix: csr_array) -> Preconditioner:
        """From r (n,) to about A^-1 r."""
        if self.hierarchy is not None:
            return self.hierarchy.cycle(matrix)
        assert self.factors is not None
        return self.factors

    def sweeps(
        self, matrix: csr_array, preconditioner: Preconditioner, r: np.ndarray, *, symmetric: bool
    ) -> Iterator[Sweep]:
        """Steps from zero towards A^-1 r (n,)."""
        positive = symmetric and self.hierarchy is not None
        return (conjugate_gradients if positive else conjugate_residuals)(matrix, r, preconditioner)

    @property
    def words(self) -> str:
        """What it is."""
        return "factors of the middle draw" if self.hierarchy is None else "multigrid cycles"
