"""Linear systems of finite elements: a direct factorisation, or multigrid where that would be slow or not fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from warnings import catch_warnings

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import norm as norm_of
from scipy.sparse.linalg import splu

from pinnml.errors import ProblemError, SettingsError
from pinnml.run import shown

#: A pivot of this part of the largest is round-off.
SINGULAR = 1e-12
#: Unknowns from which multigrid is faster, in the plane and in space; and bytes for each number of a factor.
MANY, NUMBER = (300_000, 40_000), 12.0
#: Orders of elimination, in the plane and in space. Minimum degree fills least, in space half of what the other does.
#: But SuperLU cuts its relaxed supernodes from the tree of A^T A, and on triangles whose nodes come in no order that
#: order made it 60 times slower. Its symmetric mode, as fast, overruns memory where a pivot is off the diagonal.
ORDERS = ("COLAMD", "MMD_AT_PLUS_A")
#: Relative residual at which multigrid ends, that with which a step is good enough, and the cycles that it may take.
WANTED, ENOUGH, CYCLES = 1e-13, 1e-9, 200
#: Bytes for each unknown of what is kept of every cycle where a matrix is indefinite.
KEPT = 16.0
#: A matrix is symmetric where its antisymmetric part is this part of it.
SYMMETRIC = 1e-12


class LinearSolver:
    """A x = r for one matrix and any r, on a mesh of so many dimensions, with so many bytes free.

    Conjugate gradients with multigrid come first where there are many unknowns or their factors would not fit. Where
    they find no solution, as of a matrix that is indefinite, factors do; and where these do not fit, generalised
    minimal residuals with multigrid. Raises ProblemError for a matrix that is singular, SettingsError for one that does
    not fit.
    """

    def __init__(self, matrix: csr_array, dimensions: int, free: float):
        self.matrix, self._free, self._dimensions = matrix, free, dimensions
        self._needed = factor_bytes(unknowns(matrix), dimensions)
        wanted = unknowns(matrix) >= MANY[dimensions > 2] or self._needed > free
        self._cycle = multigrid(matrix) if wanted else None
        further = self._needed > free >= KEPT * CYCLES * unknowns(matrix)
        self._methods = ["cg", "fgmres"] if further else ["cg"]
        self._factors: Callable[[np.ndarray], np.ndarray] | None = None

    def __call__(self, r: np.ndarray) -> np.ndarray:
        """The solution x."""
        while self._cycle is not None and self._methods:
            x = self._cycle(r, self._methods[0])
            if x is not None:
                return x
            del self._methods[0]
        if self._factors is None:
            if self._needed > self._free:
                got = f"about {shown(self._needed)} for its factors, of {shown(self._free)} that are free"
                raise _too_large(unknowns(self.matrix), got)
            self._factors = direct(self.matrix, self._dimensions)
        return self._factors(r)

    def is_for(self, matrix: csr_array) -> bool:
        """Whether another matrix is the same to the last bit."""
        return np.array_equal(self.matrix.data, matrix.data) and np.array_equal(self.matrix.indices, matrix.indices)


def unknowns(matrix: csr_array) -> int:
    """The number of rows, and of columns."""
    return len(matrix.indptr) - 1


def factor_bytes(n: int, dimensions: int) -> float:
    """About what the factors of n unknowns take: n log n numbers of them in the plane, n^(4/3) in space."""
    return NUMBER * (20.0 * n ** (4 / 3) if dimensions > 2 else 30.0 * n * math.log2(n + 2))


def direct(matrix: csr_array, dimensions: int) -> Callable[[np.ndarray], np.ndarray]:
    """The solution by sparse factors, on a mesh of so many dimensions. Raises as `LinearSolver` does."""
    try:
        factors = splu(matrix.tocsc(), permc_spec=ORDERS[dimensions > 2])
    except MemoryError as error:
        raise _too_large(unknowns(matrix), "no memory for its factors") from error
    except RuntimeError as error:
        if "singular" not in str(error):  # SuperLU names its own routine where it finds no memory, such as gstrf
            raise _too_large(unknowns(matrix), "no memory for its factors") from error
        raise _singular(str(error)) from None
    pivots = np.abs(factors.U.diagonal())
    if pivots.min(initial=np.inf) <= SINGULAR * pivots.max(initial=0.0):
        raise _singular("a matrix that is singular")
    return factors.solve


def multigrid(matrix: csr_array) -> Callable[[np.ndarray, str], np.ndarray | None] | None:
    """A Krylov method of pyamg's, by name, with a multigrid cycle: the solution, or None where it does not find it.

    Conjugate gradients, "cg", for matrices that are positive definite, "fgmres" (Saad, SIAM J. Sci. Comput. 14, 1993)
    for others; smoothed aggregation (Vanek, Mandel and Brezina, Computing 56, 1996). None for matrices that are not
    symmetric, and for those that a constant is a null vector of, since conjugate gradients would not notice.
    """
    import pyamg

    largest = float(np.abs(matrix.data).max(initial=0.0))
    constants = np.abs(matrix @ np.ones(unknowns(matrix))).max(initial=0.0)
    lopsided = float(norm_of(matrix - matrix.T)) > SYMMETRIC * float(norm_of(matrix))
    if lopsided or matrix.diagonal().min(initial=1.0) <= 0 or constants <= SINGULAR * largest:
        return None
    levels = pyamg.smoothed_aggregation_solver(matrix, max_coarse=500)

    def solve(r: np.ndarray, method: str) -> np.ndarray | None:
        # pyamg turns its warnings on itself, of matrices that are indefinite, which the residual tells as well
        with catch_warnings(record=True), np.errstate(all="ignore"):
            try:
                x: Any = levels.solve(r, tol=WANTED, maxiter=CYCLES, accel=method)
            except (ValueError, np.linalg.LinAlgError):  # where it has run into NaN
                return None
        left = float(np.linalg.norm(r - matrix @ x))
        return x if np.isfinite(left) and left <= ENOUGH * float(np.linalg.norm(r)) else None

    return solve


def _too_large(n: int, got: str) -> SettingsError:
    return SettingsError(
        "the linear system of the finite elements does not fit into memory",
        expected="a mesh and a degree whose factors fit",
        got=f"{n} unknowns: {got}",
        cure="choose a lower degree, or a coarser mesh",
    )


def _singular(got: str) -> ProblemError:
    cure = "fix the fields somewhere on the boundary, or add a term without derivatives"
    message, expected = "the weak form does not determine the fields", "conditions that determine every field"
    return ProblemError(message, expected=expected, got=got, cure=cure)
