"""Newton's method for the numbers of finite-element fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from pinnml.classical.linear import LinearSolver
from pinnml.elements import Form, Parameters
from pinnml.elements.essential_conditions import Constraint
from pinnml.run import free_bytes
from pinnml.solvers import Status

#: A step of this part of the fields, or a residual of this part of the first, is the last: more is round-off.
LAST_STEP, LAST_RESIDUAL = 1e-9, 1e-12
#: The shortest step, as a part of Newton's, that is tried.
SHORTEST = 2.0**-12
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Found:
    """The numbers u (N,), why the iteration ended, and the norm of the residual before every step and at the end."""

    u: Tensor
    status: Status
    norms: tuple[float, ...]


def newton(
    form: Form,
    constraint: Constraint,
    start: Tensor,
    parameters: Parameters,
    *,
    dimensions: int = 3,
    steps: int = 50,
) -> Found:
    """Solve free^T F(fixed + free y) = 0 by damped Newton steps, from numbers `start` (N,) as far as they are free.

    dimensions: of the mesh. Raises ProblemError where the conditions leave fields undetermined, SettingsError where the
    linear systems do not fit into memory.
    """
    y, device = constraint.free.T @ start.cpu().numpy(), start.device

    def fields(y: np.ndarray) -> Tensor:
        return torch.from_numpy(constraint.fixed + constraint.free @ y).to(device)

    def residual(y: np.ndarray) -> np.ndarray:
        return constraint.free.T @ form.residual(fields(y), parameters).cpu().numpy()

    r = residual(y)
    norms, status = [float(np.linalg.norm(r))], Status.STEPS
    solve: LinearSolver | None = None
    for _ in range(steps):
        matrix = form.jacobian(fields(y), parameters).to_scipy()
        reduced = csr_array(constraint.free.T @ matrix @ constraint.free)
        if solve is None or not solve.is_for(reduced):  # of a linear form the second step only refines
            solve = LinearSolver(reduced, dimensions, free_bytes(CPU))
        step = -solve(r)
        y, r = _damped(residual, y, step, norms[-1])
        norms.append(float(np.linalg.norm(r)))
        if not np.isfinite(norms[-1]):
            status = Status.NOT_FINITE
            break
        if np.linalg.norm(step) <= LAST_STEP * float(fields(y).norm()) or norms[-1] <= LAST_RESIDUAL * norms[0]:
            status = Status.CONVERGED
            break
    return Found(fields(y), status, tuple(norms))


def _damped(
    residual: Callable[[np.ndarray], np.ndarray], y: np.ndarray, step: np.ndarray, norm: float
) -> tuple[np.ndarray, np.ndarray]:
    """The longest of steps halved again and again by which the residual falls; the shortest if it never does."""
    part = 1.0
    while True:
        trial = y + part * step
        r = residual(trial)
        if np.linalg.norm(r) <= (1 - part / 4) * norm or part <= SHORTEST or norm == 0:
            return trial, r
        part /= 2
