"""From a network's outputs to residuals: arguments bound by name, results checked for their shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, IndexSet, Jet, Vector, coordinate_jets, data_jet, jump
from pinnml.domains import Sample
from pinnml.errors import NonFiniteError, PinnmlError, ProblemError, ShapeError, mistake
from pinnml.problem.equation import JUMP, Field, Term, argument_names
from pinnml.problem.problem import Problem

FROM_ZERO = "fields of Features start at zero: an ansatz such as 1 + u, another network or start= begins elsewhere"


def fields_of(problem: Problem, outputs: Jet, x: Tensor, parameters: Mapping[str, Jet]) -> dict[str, Any]:
    """The fields by name from the network's real outputs, coefficients (K, n, columns): joined, then the ansatz."""
    raw = raw_fields(problem.fields, outputs)
    if problem.ansatz is None:
        return raw
    axes = dict(zip(problem.domain.axes.names, coordinate_jets(outputs.indices, x), strict=True))
    fields = by_field(problem, call(problem.ansatz, {**axes, **parameters, **raw}, "ansatz"), "ansatz")
    for field in problem.fields:
        parts = list(fields[field.name]) if field.is_vector and field.name in fields else [fields.get(field.name)]
        if not all(isinstance(part, Jet) for part in parts):
            raise ProblemError(
                f"ansatz gives the field '{field.name}' no derivatives",
                expected="every field, as an expression of the fields and axes",
                got=type(parts[0]).__name__ if field.name in fields else "nothing for it",
                cure=f"return {{{', '.join(f'{f.name!r}: ...' for f in problem.fields)}}}; 1 + 0 * x is a constant",
            )
    return fields


def raw_fields(fields: Iterable[Field], outputs: Jet) -> dict[str, Any]:
    """The network's real outputs (K, n, columns) joined to scalars and Vectors, real and complex."""
    columns = iter(outputs.coefficients.unbind(-1))
    return {field.name: _field(field, outputs.indices, columns) for field in fields}


def by_field(problem: Problem, result: Any, what: str) -> dict[str, Any]:
    """The return value of `ansatz` or `exact` as a mapping: a dict, a tuple in the order of fields, or one field."""
    fields = {field.name: field for field in problem.fields}
    found: dict[str, Any] = {}
    if isinstance(result, Mapping):
        if unknown := set(result) - set(fields):
            name = min(map(str, unknown))
            message, expected = f"{what} returns '{name}', which is no field", f"fields among {', '.join(fields)}"
            raise ProblemError(message, expected=expected, got=f"'{name}'", cure="take it out, or rename it")
        found = dict(result)
    elif len(fields) == 1 and (problem.fields[0].is_vector or not isinstance(result, (tuple, list))):
        found = {problem.fields[0].name: result}
    elif isinstance(result, (tuple, list)) and len(result) == len(fields):
        found = dict(zip(fields, result, strict=True))
    else:
        raise ProblemError(
            f"{what} returns something that does not match the fields",
            expected=f"a dict with {', '.join(fields)}, or a tuple in that order",
            got=_kind(result),
            cure=f"return {{{', '.join(f'{name!r}: ...' for name in fields)}}}",
        )
    return {name: _checked(fields[name], value, what) for name, value in found.items()}


def _checked(field: Field, value: Any, what: str) -> Any:
    """A field's value as `ansatz`, `exact` or `reference` returned it; tuples become Vectors."""
    scalar = (Jet, Tensor, np.ndarray, int, float, complex)
    if not field.is_vector:
        fits = isinstance(value, scalar)
    elif isinstance(value, (Tensor, np.ndarray)):
        fits = value.ndim == 2 and value.shape[1] == field.components
    else:
        parts = list(value) if isinstance(value, (Vector, tuple, list)) else []
        fits = len(parts) == field.components and all(isinstance(part, scalar) for part in parts)
    if not fits:
        expected = f"a vector of {field.components} components" if field.is_vector else "a scalar field"
        cure = f"return {{'{field.name}': ...}}, for a vector its components in a tuple"
        message = f"{what} gives the wrong thing for '{field.name}'"
        raise ProblemError(message, expected=expected, got=_kind(value), cure=cure)
    return Vector(value) if isinstance(value, (tuple, list)) else value


def _kind(value: Any) -> str:
    many = f" of {len(value)}" if isinstance(value, (Vector, tuple, list)) else ""
    return "None: is a `return` missing?" if value is None else type(value).__name__ + many


def namespace(
    problem: Problem, sample: Sample, coordinates: IndexSet, outputs: Jet, parameters: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Everything that a residual may ask for by name.

    coordinates: the derivatives that the axes carry. parameters: per point, (n,).
    """
    axes = problem.domain.axes
    constants = {name: _constant(outputs.indices, values) for name, values in parameters.items()}
    known: dict[str, Any] = fields_of(problem, outputs, sample.x, constants)
    known.update(constants)
    known.update(zip(axes.names, coordinate_jets(coordinates, sample.x), strict=True))
    known.update({name: data_jet(axes, column) for name, column in sample.columns.items()})
    if sample.normal is not None:
        known["normal"] = Vector(data_jet(axes, component) for component in sample.normal.unbind(1))
    if sample.two_sided:
        known.setdefault(JUMP, jump)
    return known


def residuals(term: Term, known: Mapping[str, Any], n: int) -> list[Tensor]:
    """The residual's components at the n points, each (n,), real or complex.

    Raises ShapeError for anything but a field, a tensor (n,), or a tuple or Vector of them.
    """
    result = call(term.equation.residual, known, f"equation '{term.name}'")
    return list(_components(result, n, term.name))


def check_finite(term: Term, components: Iterable[Tensor], sample: Sample, axes: Axes) -> None:
    """Refuse NaN and infinity, naming the equation and the first point."""
    for component in components:
        bad = ~torch.isfinite(component)
        if bool(bad.any()):
            place = int(bad.nonzero()[0])
            point = ", ".join(f"{name} = {float(v):.6g}" for name, v in zip(axes.names, sample.x[place], strict=True))
            raise NonFiniteError(
                f"equation '{term.name}' gives {component[place].item()} at {point}",
                expected="finite values on the whole region",
                got=f"{int(bad.sum())} of {len(bad)} points are not finite",
                cure=f"look for a division by zero, or a root or logarithm of a negative number there; {FROM_ZERO}",
            )


def real(components: list[Tensor]) -> list[Tensor]:
    """Complex components taken apart into real and imaginary ones."""
    return [part for c in components for part in ((c.real, c.imag) if c.is_complex() else (c,))]


def call(function: Callable[..., Any], known: Mapping[str, Any], what: str) -> Any:
    """The function of the user's on the arguments that it names; errors are told where they happened."""
    arguments = {name: known[name] for name in argument_names(function, what)}
    try:
        return function(**arguments)
    except PinnmlError as error:
        raise error.within(what)  # noqa: B904 - the same error, told where it happened
    except Exception as error:
        if mended := mistake(error, what):
            raise mended from error
        error.add_note(f"in {what}")
        raise


def _components(result: Any, n: int, name: str) -> Iterable[Tensor]:
    if isinstance(result, (tuple, list, Vector)):
        for component in result:
            yield from _components(component, n, name)
        return
    value = result.value if isinstance(result, Jet) else result
    if isinstance(value, Tensor) and value.shape == (n,) and (value.is_floating_point() or value.is_complex()):
        yield value
        return
    if isinstance(value, (Tensor, np.ndarray)):
        kind = "NumPy array" if isinstance(value, np.ndarray) else "tensor"
        got = f"a {kind} of {value.dtype} and shape {tuple(value.shape)} at {n} points"
    else:
        got = _kind(value)
    raise ShapeError(
        f"equation '{name}' returns something that is not a residual",
        expected=f"a field, a tensor of shape (n,) = ({n},), or a tuple or Vector of them",
        got=got,
        cure="write it with the fields and axes themselves; every scalar is (n,), and there is no (n, 1)",
    )


def _field(field: Field, indices: IndexSet, columns: Any) -> Any:
    parts = []
    for _ in range(field.components):
        real = next(columns)
        parts.append(Jet(indices, torch.complex(real, next(columns)) if field.is_complex else real))
    return Vector(parts) if field.is_vector else parts[0]


def _constant(indices: IndexSet, values: Tensor) -> Jet:
    zeros = values.new_zeros((len(indices) - 1, *values.shape))
    return Jet(indices, torch.cat([values.unsqueeze(0), zeros]))
