"""Newton's method for the numbers of finite-element fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinnml.classical.conditioned import Conditioned, Summed
from pinnml.classical.linear import LinearSolver
from pinnml.elements import Constraint, Form, Parameters
from pinnml.run import free_bytes
from pinnml.solvers import Status

#: A step of this part of the fields, or a residual of this part of the first, is the last: more is round-off.
LAST_STEP, LAST_RESIDUAL = 1e-9, 1e-12
#: The shortest step, as a part of Newton's, that is tried.
SHORTEST = 2.0**-12
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Found:
    """The numbers u (N,), why the iteration ended, and the norm of the residual before every step and at the end.

    left: the norm of what integrals, and the last step, leave of the weak form; relative: the same beside its load, or
    what the fields make of it where that is larger. parameters: those that integrals have found, by name.
    """

    u: Tensor
    status: Status
    norms: tuple[float, ...]
    left: float
    relative: float
    parameters: dict[str, float]


def newton(
    form: Form,
    constraint: Constraint,
    start: Tensor,
    parameters: Parameters,
    summed: Summed | None = None,
    *,
    dimensions: int = 3,
    steps: int = 50,
) -> Found:
    """Solve free^T F(fixed + free y) = 0 by damped Newton steps, from numbers `start` (N,) as far as they are free.

    summed: conditions on integrals, which find as many parameters; without such the form gives way to them.
    dimensions: of the mesh. Raises ProblemError where the conditions leave fields undetermined, SettingsError where the
    linear systems do not fit into memory.
    """
    posed = Conditioned.near(start, form, constraint, summed or Summed(), parameters)
    z = posed.start(start)
    r, load = posed.residual(z), posed.unforced(z)
    norms, status = [float(np.linalg.norm(r))], Status.STEPS
    solve: LinearSolver | None = None
    for _ in range(steps):
        reduced = posed.matrix(z)
        if solve is None or not solve.is_for(reduced):  # of a linear form the second step only refines
            solve = LinearSolver(reduced, dimensions, free_bytes(CPU))
        step = -solve(r)
        z, r = _damped(posed.residual, z, step, norms[-1])
        norms.append(float(np.linalg.norm(r)))
        if not np.isfinite(norms[-1]):
            status = Status.NOT_FINITE
            break
        moved = float(np.linalg.norm(step[: constraint.unknowns]))
        if moved <= LAST_STEP * float(posed.fields(z).norm()) or norms[-1] <= LAST_RESIDUAL * norms[0]:
            status = Status.CONVERGED
            break
    unmet = posed.unforced(z)
    left, size = (float(np.linalg.norm(each)) for each in (unmet, max(load, unmet - load, key=np.linalg.norm)))
    return Found(posed.fields(z).to(start.device), status, tuple(norms), left, left / (size or 1.0), posed.found(z))


def _damped(
    residual: Callable[[np.ndarray], np.ndarray], z: np.ndarray, step: np.ndarray, norm: float
) -> tuple[np.ndarray, np.ndarray]:
    """The longest of steps halved again and again by which the residual falls; the shortest if it never does."""
    part = 1.0
    while True:
        trial = z + part * step
        r = residual(trial)
        if np.linalg.norm(r) <= (1 - part / 4) * norm or part <= SHORTEST or norm == 0:
            return trial, r
        part /= 2
