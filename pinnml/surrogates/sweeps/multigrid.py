"""Multigrid for all matrices of one pattern: interpolation is found once, coarse matrices belong to each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import ArpackNoConvergence, eigs

from pinnml.surrogates.sweeps.congruence import Congruence

#: Unknowns that are few enough for a dense factorisation; couplings below this part of the diagonal count as none.
COARSEST, WEAK = 250, 0.1
#: Terms to every number of a matrix with which its coarse matrix is one sum.
TERMS = 20
#: Jacobi's damping times the largest eigenvalue of D^-1 A, where errors are to fall below 2; and the same for what
#: smooths the interpolation, beside a bound of that eigenvalue.
DAMPING, SMOOTHING = 1.5, 2.0


@dataclass(frozen=True, eq=False)
class Level:
    """From one level to the next: interpolation P (n, m), restriction R (m, n), Jacobi's damping on the finer one.

    product: R A P as one sum over the numbers of A, three times as fast where it is not too long; None where it is.
    """

    interpolation: csr_array
    restriction: csr_array
    damping: float
    product: Congruence | None

    def coarse(self, matrix: csr_array) -> csr_array:
        """R A P."""
        if self.product is not None:
            return self.product(matrix.data)
        return csr_array(self.restriction @ matrix @ self.interpolation)


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Levels from fine to coarse."""

    levels: tuple[Level, ...]

    @classmethod
    def of(cls, matrix: csr_array, near_null: np.ndarray, *, symmetric: bool) -> Hierarchy:
        """Levels by smoothed aggregation for one matrix (n, n) (Vanek, Mandel and Brezina, Computing 56, 1996).

        near_null (n, m): what hardly any matrix of the kind sees, such as constants.
        """
        import pyamg

        settings: dict[str, Any] = {
            "B": near_null,
            "BH": None if symmetric else near_null,
            "symmetry": "symmetric" if symmetric else "nonsymmetric",
            "strength": ("symmetric", {"theta": WEAK}),
            "smooth": ("jacobi", {"weighting": "local", "omega": SMOOTHING}),  # which needs no random start
            "max_coarse": COARSEST,
        }
        levels = pyamg.smoothed_aggregation_solver(matrix, **settings).levels
        found: list[Level] = []
        for p, r in ((csr_array(level.P), csr_array(level.R)) for level in levels[:-1]):
            rows = np.repeat(np.diff(r.T.tocsr().indptr), np.diff(matrix.indptr))
            terms = float(rows @ np.diff(p.indptr)[matrix.indices])
            fits = terms <= TERMS * matrix.nnz and all(level.product is not None for level in found)
            product = Congruence.of(matrix.indptr, matrix.indices, csr_array(r.T), p) if fits else None
            found.append(Level(p, r, DAMPING / _largest(matrix), product))
            matrix = found[-1].coarse(matrix)
        return cls(tuple(found))

    def cycle(self, matrix: csr_array) -> Callable[[np.ndarray], np.ndarray]:
        """One V-cycle for a matrix (n, n) of the pattern, from r to about A^-1 r; symmetric where A is."""
        matrices = [matrix]
        for level in self.levels:
            matrices.append(level.coarse(matrices[-1]))
        diagonals = [each.diagonal() for each in matrices]
        # what no aggregate can represent has a zero column of interpolation, and stays zero
        scales = [
            np.divide(level.damping, d, out=0 * d, where=d != 0)
            for level, d in zip(self.levels, diagonals, strict=False)
        ]
        factors = lu_factor(matrices[-1].toarray() + np.diag(diagonals[-1] == 0), check_finite=False)

        def down(level: int, r: np.ndarray) -> np.ndarray:
            if level == len(self.levels):
                return lu_solve(factors, r, check_finite=False)
            a, scale, transfer = matrices[level], scales[level], self.levels[level]
            x = scale * r
            x += transfer.interpolation @ down(level + 1, transfer.restriction @ (r - a @ x))
            return x + scale * (r - a @ x)

        return lambda r: down(0, r)


def _largest(matrix: csr_array) -> float:
    """The largest absolute eigenvalue of D^-1 A, to a hundredth."""
    diagonal = matrix.diagonal()
    scaled = diags_array(np.divide(1.0, diagonal, out=0 * diagonal, where=diagonal != 0)) @ matrix
    try:
        start = 1.0 + np.arange(scaled.shape[0]) % 2
        options: dict[str, Any] = {"tol": 1e-2, "v0": start}
        return float(np.abs(eigs(scaled, k=1, return_eigenvectors=False, **options)).max())
    except ArpackNoConvergence:
        return float(np.abs(scaled).sum(axis=1).max())  # a bound
