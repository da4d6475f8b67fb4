"""The exact solution or reference, looked over before anything is judged by it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pinnml.errors import NonFiniteError, ProblemError
from pinnml.problem import Problem
from pinnml.results import ERROR_POINTS, ERROR_SEED, known_solution


def check_known(problem: Problem) -> None:
    """Refuse what `exact` or `reference` gives where errors are measured, if it is no field of the problem's.

    Raises ProblemError for a field of another name or kind, ShapeError for one of another shape, NonFiniteError
    for NaN and infinity, with the first point.
    """
    generator = torch.Generator().manual_seed(ERROR_SEED)
    x = problem.domain.held_out("interior", ERROR_POINTS, generator).x
    what, kinds = "exact" if problem.exact is not None else "reference", {f.name: f for f in problem.fields}
    for name, array in known_solution(problem, x).items():
        if array.dtype.kind not in ("fiuc" if kinds[name].is_complex else "fiu"):
            raise ProblemError(
                f"{what} gives the wrong kind of numbers for the field '{name}'",
                expected="real or complex numbers" if kinds[name].is_complex else "real numbers",
                got=str(array.dtype),
                cure=f"return real numbers, or declare the field complex: fields={{'{name}': complex}}",
            )
        _check_finite(problem, f"{what} gives", name, array, x)


def _check_finite(problem: Problem, gives: str, name: str, array: np.ndarray, x: Tensor) -> None:
    bad = np.flatnonzero(~np.isfinite(array.reshape(len(x), -1)).all(axis=1))
    if len(bad):
        place = int(bad[0])
        values = zip(problem.domain.axes.names, x[place].tolist(), strict=True)
        point = ", ".join(f"{axis} = {value:.6g}" for axis, value in values)
        raise NonFiniteError(
            f"{gives} {array[place]} for the field '{name}' at {point}",
            expected="finite values inside the domain",
            got=f"{len(bad)} of {len(x)} points are not finite",
            cure="look for a division by zero, or a root or logarithm of a negative number there",
        )
