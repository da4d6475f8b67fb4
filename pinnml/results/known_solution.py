"""What is known of a solution beforehand, exact or by reference: looked over, and errors measured against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import coordinate_jets, total_order
from pinnml.domains import Sample
from pinnml.errors import NonFiniteError, ProblemError, ShapeError
from pinnml.networks import Network
from pinnml.problem import Problem, by_field, call
from pinnml.results.fields import value_array, values_at

#: Random points on which errors are measured, at least, and the seed that draws them.
ERROR_POINTS, ERROR_SEED = 10_000, 1_000_003
#: What makes fields: a network, and the values of the problem's trainable parameters.
Fields: TypeAlias = tuple[Network, Mapping[str, float]]


def errors(
    problem: Problem,
    network: Network,
    parameters: Mapping[str, float],
    points: int = ERROR_POINTS,
    seed: int = ERROR_SEED,
) -> dict[str, float | None]:
    """Relative L2 errors by field on random points; None for a field of which nothing is known."""
    sample = error_sample(problem, points, seed)
    known = known_solution(problem, sample.x)
    found: dict[str, float | None] = dict.fromkeys(field.name for field in problem.fields)
    values = values_at(problem, network, parameters, sample.x) if known else {}
    return found | {name: relative_l2(values[name], array, sample.weight.numpy()) for name, array in known.items()}


def distance(problem: Problem, first: Fields, second: Fields) -> dict[str, float]:
    """By field, the relative L2 distance of the first from the second, on random points."""
    sample = error_sample(problem)
    ours, theirs = (values_at(problem, *each, sample.x) for each in (first, second))
    return {name: relative_l2(ours[name], theirs[name], sample.weight.numpy()) for name in ours}


def error_sample(problem: Problem, points: int = ERROR_POINTS, seed: int = ERROR_SEED) -> Sample:
    """The random points, with their weights, on which errors are measured."""
    return problem.domain.held_out("interior", points, torch.Generator().manual_seed(seed))


def known_solution(problem: Problem, x: Tensor) -> dict[str, np.ndarray]:
    """The exact solution or the reference at CPU points (n, d), by field; empty if neither is there."""
    if problem.exact is not None:
        axes = problem.domain.axes
        jets = dict(zip(axes.names, coordinate_jets(total_order(axes, 0), x), strict=True))
        known = jets | {name: jets[axes.names[0]].constant(value) for name, value in problem.parameters.items()}
        values = by_field(problem, call(problem.exact, known, "exact"), "exact")
        return {name: _known_array(problem, name, value, len(x), "exact") for name, value in values.items()}
    if problem.reference is not None:
        try:
            result = problem.reference(x.numpy())
        except Exception as error:
            error.add_note("in reference")
            raise
        values = by_field(problem, result, "reference")
        return {name: _known_array(problem, name, value, len(x), "reference") for name, value in values.items()}
    return {}


def _known_array(problem: Problem, name: str, value: Any, n: int, what: str) -> np.ndarray:
    """A field of `exact` or `reference` at n points, of the field's own shape."""
    field = next(f for f in problem.fields if f.name == name)
    expected = (n, field.components) if field.is_vector else (n,)
    try:
        array = value_array(value, n)
        got = f"shape {array.shape}"
    except (RuntimeError, ValueError) as error:
        array, got = None, f"shape {tuple(value.shape)}" if hasattr(value, "shape") else str(error)
    if array is None or array.shape != expected:
        raise ShapeError(
            f"{what} gives the field '{name}' in another shape",
            expected=f"shape {expected} at {n} points",
            got=got,
            cure="return one row for each point: (n, components) for a vector, and (n,), not (n, 1), for a scalar",
        )
    return array


def relative_l2(values: np.ndarray, known: np.ndarray, weight: np.ndarray) -> float:
    """|u - v| / |v| in L2 over points with quadrature weights (n,) and all components; |u - v| where v is zero."""
    if values.shape != known.shape:
        raise ShapeError("the exact solution", expected=f"shape {values.shape}", got=f"shape {known.shape}")
    scale = np.sqrt(weight / weight.sum()).reshape(-1, *(1,) * (values.ndim - 1))
    norm = np.linalg.norm(scale * known)
    return float(np.linalg.norm(scale * (values - known)) / (norm if norm > 0 else 1.0))


def check_known(problem: Problem) -> None:
    """Refuse what `exact` or `reference` gives where errors are measured, if it is no field of the problem's.

    Raises ProblemError for a field of another name or kind, ShapeError for one of another shape, NonFiniteError
    for NaN and infinity, with the first point.
    """
    x = error_sample(problem).x
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
