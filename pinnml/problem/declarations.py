"""The parts that a problem is declared of, looked over one by one before they are looked at together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from inspect import signature
from typing import Any

from pinnml.domains import Domain, Points
from pinnml.errors import PinnmlError, ProblemError, UnknownNameError, unknown_name
from pinnml.problem.equation import Equation, Function, Weak
from pinnml.validation import finite


def check_parts(domain: Any, parameters: Any, data: Any, reference: Any) -> None:
    """Raise ProblemError for a domain, parameters, data or reference of another kind than their names say."""
    if isinstance(domain, type) or not all(hasattr(domain, part) for part in ("axes", "region", "sample")):
        raise ProblemError(
            "domain", expected="a Box, Mesh, Solid or Points", got=repr(domain), cure="domain=Box(x=(0, 1))"
        )
    if not isinstance(parameters, Mapping):
        cure = 'parameters={"k": 1.0}: a name and a first guess'
        raise ProblemError("parameters", expected="a mapping from names to numbers", got=repr(parameters), cure=cure)
    for name, guess in parameters.items():
        finite(f"the first guess of parameter '{name}'", guess, error=ProblemError)
    if not isinstance(data, Mapping):
        cure = 'data={"sensors": Points({"x": x}, {"measured": values})}'
        raise ProblemError("data", expected="a mapping from names to Points", got=type(data).__name__, cure=cure)
    for name, points in data.items():
        if not isinstance(points, Points):
            cure = 'Points({"x": x}, {"measured": values})'
            raise ProblemError(f"data set '{name}'", expected="Points", got=type(points).__name__, cure=cure)
    if reference is not None and not callable(reference):
        cure = "write a function of points (n, d) that returns a dict of arrays"
        raise ProblemError("reference", expected="a function", got=repr(reference), cure=cure)
    if reference is not None and (asked := _required(reference)) not in (None, 1):
        expected, cure = "a function of points (n, d) alone", "columns are the axes: lambda points: points[:, 0]"
        raise ProblemError("reference", expected=expected, got=f"a function of {asked} arguments", cure=cure)


def _required(function: Function) -> int | None:
    """How many arguments a function must be given; None where it does not tell."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)


def declared_equations(given: Any) -> tuple[Equation, ...]:
    """Equations, one at least."""
    equations = tuple(given) if isinstance(given, Iterable) else (given,)
    for equation in equations:
        if not isinstance(equation, Equation):
            cure = "wrap the function: Equation(residual), or Equation(lambda u: u, name=...)"
            raise ProblemError("equations", expected="Equation(...), or several", got=repr(equation), cure=cure)
    if not equations:
        raise ProblemError("a problem without equations", cure="add Equation(residual)")
    return equations


def declared_weak(given: Any) -> tuple[Weak, ...]:
    """Weak forms as records, from an integrand, a Weak, or several."""
    parts = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    if wrong := [part for part in parts if not (isinstance(part, Weak) or callable(part))]:
        cure = "weak=lambda u, v, x: dot(grad(u), grad(v)) - x * v, or Weak(integrand, on=...)"
        raise ProblemError("weak", expected="an integrand, a Weak, or several", got=repr(wrong[0]), cure=cure)
    return tuple(part if isinstance(part, Weak) else Weak(part) for part in parts)


def is_region(domain: Domain, name: str) -> bool:
    """Whether a domain has a region of this name."""
    try:
        return bool(domain.region(name))
    except UnknownNameError:
        return False


def unknown_arguments(names: Iterable[str], known: set[str], where: str) -> Iterator[PinnmlError]:
    """An error for every name of an argument that is not known."""
    return (unknown_name("argument", name, known, where=where) for name in names if name not in known)
