"""Krylov methods that hand over every step: the defect of a prediction is followed only as far as is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal
from scipy.sparse import csr_array

Preconditioner = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Sweep:
    """One step: what it adds to x (n,), and what it leaves of r, |r - A x| / |r|.

    fallen: by how much |x - A^-1 r|_A^2 fell; left: r . M^-1 r before the step. NaN where there is no energy.
    """

    change: np.ndarray
    part: float
    fallen: float = math.nan
    left: float = math.nan


def conjugate_gradients(matrix: csr_array, r: np.ndarray, preconditioner: Preconditioner) -> Iterator[Sweep]:
    """Steps from x = 0 to A x = r, for A and M^-1 symmetric and positive definite.

    |x - A^-1 r|_A^2 is the sum of what is still to fall (Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49, 1952).
    Ends where A or M^-1 is not positive, or numbers are not finite.
    """
    along = z = preconditioner(r)
    left, whole = float(r @ z), float(np.linalg.norm(r))
    while left > 0:
        image = matrix @ along
        curvature = float(along @ image)
        if not 0 < curvature < math.inf:
            return
        step = left / curvature
        r = r - step * image
        yield Sweep(step * along, float(np.linalg.norm(r)) / whole, step * left, left)
        z = preconditioner(r)
        before, left = left, float(r @ z)
        along = z + left / before * along


def conjugate_residuals(matrix: csr_array, r: np.ndarray, preconditioner: Preconditioner) -> Iterator[Sweep]:
    """Steps from x = 0 to A x = r of least residual, for any A: GMRES, with every step at hand.

    Generalised conjugate residuals (Eisenstat, Elman and Schultz, SIAM J. Numer. Anal. 20, 1983). Ends where a step
    gains nothing, or numbers are not finite.
    """
    directions: list[tuple[np.ndarray, np.ndarray]] = []
    whole = float(np.linalg.norm(r))
    while True:
        along = preconditioner(r)
        image = matrix @ along
        for direction, known in directions:
            part = float(known @ image)
            along, image = along - part * direction, image - part * known
        length = float(np.linalg.norm(image))
        if not 0 < length < math.inf:
            return
        along, image = along / length, image / length
        step = float(image @ r)
        r = r - step * image
        yield Sweep(step * along, float(np.linalg.norm(r)) / whole)
        directions.append((along, image))


def least_eigenvalue(sweeps: Sequence[Sweep]) -> float:
    """About the least eigenvalue of M^-1 A, a little above, by the Lanczos matrix of steps of conjugate gradients."""
    step = np.array([sweep.fallen / sweep.left for sweep in sweeps])
    ratio = np.array([b.left / a.left for a, b in pairwise(sweeps)])
    diagonal = 1 / step
    diagonal[1:] += ratio / step[:-1]
    return float(eigvalsh_tridiagonal(diagonal, np.sqrt(ratio) / step[:-1])[0])
