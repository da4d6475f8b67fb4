"""The exact solution put through the equations that it is said to solve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import Axes, IndexSet, Jet, Vector, coordinate_jets, data_jet, total_order
from pinnml.errors import ProblemError
from pinnml.problem import HIGHEST_ORDER, Field, Problem, Term, argument_names, by_field, call
from pinnml.system import Block, flux_sizes, relative_residuals


@dataclass(frozen=True)
class Trial:
    """What the exact solution leaves of an equation.

    relative: the residual over the size of the equation's terms, None where the solution cannot tell; `reason` says
    why. worst: the point where most is left, by axis; None for an integral condition.
    """

    relative: float | None = None
    reason: str = ""
    worst: Mapping[str, float] | None = None


def trials(problem: Problem, blocks: Sequence[Block]) -> dict[str, Trial]:
    """A trial of every equation, by name, on blocks whose equations are functions of the fields themselves.

    Blocks of a weak form only tell how large the fields are.
    """
    if problem.exact is None:
        return {term.name: Trial(reason="no exact solution") for term in problem.terms}
    found = [_exact_fields(problem, block.sample.x, block.needs.outputs) for block in blocks]
    outputs = [_columns(problem.fields, fields, block) for fields, block in zip(found, blocks, strict=True)]
    parameters = {name: torch.tensor(value, dtype=torch.float64) for name, value in problem.parameters.items()}
    relative = relative_residuals(blocks, outputs, parameters)
    results = {}
    for block, fields, values in zip(blocks, found, outputs, strict=True):
        if block.pairing:
            continue
        with torch.no_grad():
            rows = block.residuals(values, parameters)
        for term, components in zip(block.terms, rows, strict=True):
            if reason := _cannot_tell(problem, term, set(fields)):
                results[term.name] = Trial(reason=reason)
            else:
                worst = None if term.equation.integral else _worst(components, block.sample.x, problem.domain.axes)
                results[term.name] = Trial(relative[term.name], worst=worst)
    return results


def weak_trials(problem: Problem, blocks: Sequence[Block]) -> dict[str, Trial]:
    """A trial of the weak form with the test functions of each field, by name: its norm beside its size."""
    found = [_exact_fields(problem, block.sample.x, block.needs.outputs) for block in blocks]
    outputs = [_columns(problem.fields, fields, block) for fields, block in zip(found, blocks, strict=True)]
    parameters = {name: torch.tensor(value, dtype=torch.float64) for name, value in problem.parameters.items()}
    sizes = flux_sizes(blocks, outputs, parameters)
    sums: dict[str, Any] = dict.fromkeys(sizes, 0.0)
    results = {}
    for block, fields, u in zip(blocks, found, outputs, strict=True):
        assert block.pairing is not None
        name, flux = block.terms[0].name, block.residuals(u, parameters)[0]
        sums[name] = sums[name] + sum(block.pairing.summed(number, g) for number, g in enumerate(flux))
        left = float(torch.linalg.vector_norm(block.pairing.whitened(sums[name])))
        reason = _cannot_tell(problem, block.terms[0], set(fields)) or getattr(results.get(name), "reason", "")
        results[name] = Trial(reason=reason) if reason else Trial(left / sizes[name])
    return results


def _exact_fields(problem: Problem, x: Tensor, needed: IndexSet) -> dict[str, list[Jet]]:
    """`exact` on jets of the coordinates that are long enough to leave the derivatives needed."""
    assert problem.exact is not None
    axes = problem.domain.axes
    for order in range(needed.order, HIGHEST_ORDER + 1):
        coordinates = coordinate_jets(total_order(axes, order), x)
        known: dict[str, Any] = dict(zip(axes.names, coordinates, strict=True))
        known |= {name: coordinates[0].constant(value) for name, value in problem.parameters.items()}
        values = by_field(problem, call(problem.exact, known, "exact"), "exact")
        fields = {name: [_jet(c, coordinates[0]) for c in _components(value)] for name, value in values.items()}
        if all(index in jet.indices.position for jets in fields.values() for jet in jets for index in needed.indices):
            return fields
    raise ProblemError(
        "exact cannot be differentiated as often as the equations need",
        expected=f"the derivatives {needed}",
        cure="write it in torch functions of the axes",
    )


def _components(value: Any) -> Sequence[Any]:
    if isinstance(value, Vector):
        return tuple(value)
    return torch.as_tensor(value).unbind(1) if getattr(value, "ndim", 0) == 2 else (value,)


def _jet(value: Any, like: Jet) -> Jet:
    """A component of what `exact` returned; a plain tensor has no derivatives that are known."""
    if isinstance(value, Jet):
        return value
    return data_jet(like.axes, torch.as_tensor(value)) if getattr(value, "ndim", 0) else like.constant(value)


def _columns(fields: Iterable[Field], known: Mapping[str, Sequence[Jet]], block: Block) -> Tensor:
    """The fields as the outputs of a network, coefficients (K, n, columns); zero for those that are not known."""
    indices, n = block.needs.outputs, len(block)
    columns = []
    for field in fields:
        zeros = torch.zeros((len(indices), n), dtype=torch.float64)
        jets = known.get(field.name, [Jet(indices, zeros)] * field.components)
        for jet in jets:
            if jet.dtype.is_complex and not field.is_complex:
                raise ProblemError(f"exact is complex for the real field '{field.name}'", cure="declare it complex")
            part = jet.restricted(indices)
            parts = (part.real, part.imag) if field.is_complex else (part,)
            columns += [part.coefficients.expand(len(indices), n) for part in parts]
    return torch.stack(columns, dim=-1)


def _cannot_tell(problem: Problem, term: Term, given: set[str]) -> str:
    """Why the exact solution says nothing about an equation; empty where it does."""
    assert problem.exact is not None
    arguments = set(argument_names(term.equation.residual, term.name))
    if measured := arguments & set(problem.columns_of(term.region)):
        return f"{', '.join(sorted(measured))} measured"
    if free := arguments & set(problem.parameters) - set(argument_names(problem.exact, "exact")):
        return f"{', '.join(sorted(free))} trainable"
    if missing := arguments & {field.name for field in problem.fields} - given:
        return f"{', '.join(sorted(missing))} not in exact"
    return ""


def _worst(components: Sequence[Tensor], x: Tensor, axes: Axes) -> dict[str, float]:
    """The point of the largest residual, NaN above all."""
    size = torch.stack([component.abs() for component in components]).amax(dim=0)
    place = int(torch.nan_to_num(size, nan=math.inf).argmax())
    return dict(zip(axes.names, x[place].tolist(), strict=True))
