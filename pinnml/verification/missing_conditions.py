"""Conditions counted: which derivatives the equations ask for, and whether enough is said of the fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.calculus import MultiIndex
from pinnml.domains import TIME, Box
from pinnml.problem import Problem
from pinnml.system import Block


@dataclass(frozen=True)
class Saying:
    """What one component of a residual says of a field, of its jump, or by an integral.

    The derivatives it changes with, where, and the weight of the equation.
    """

    region: str
    indices: frozenset[MultiIndex]
    is_jump: bool = False
    is_integral: bool = False
    weight: float = 1.0


def changes(block: Block) -> Iterator[list[Tensor]]:
    """For each equation, and each component of its residual, which derivatives of which columns it changes with.

    Masks (K, columns), at random values.
    """
    generator = torch.Generator().manual_seed(0)
    few = block.few(20)
    shape = (len(block.needs.outputs), len(few), block.problem.columns)
    outputs = torch.randn(shape, generator=generator, dtype=torch.float64).to(few.sample.x).requires_grad_()
    parameters = {name: outputs.new_tensor(value) for name, value in block.problem.parameters.items()}
    with torch.enable_grad():
        for rows in few.residuals(outputs, parameters):
            yield [_change(row, outputs) for row in rows]


def _change(row: Tensor, outputs: Tensor) -> Tensor:
    if not row.requires_grad:
        return torch.zeros(outputs.shape[0], outputs.shape[2], dtype=torch.bool)
    return (torch.autograd.grad(row.sum(), outputs, retain_graph=True)[0] != 0).any(dim=1)


def missing_conditions(problem: Problem, blocks: Sequence[Block]) -> tuple[str, ...]:
    """A sentence for each field of which too little is said, as far as counting tells; none under an ansatz.

    Of order p in time a field asks for p conditions at the first instant; of order p along an axis of space for p at
    its ends together, and for p on every interface, where that is not left to other fields; and a field of which only
    slopes are said is free by a constant. On a domain of one axis an integral is as good as a condition at an end.
    """
    if problem.ansatz is not None or problem.data or problem.weak:
        return ()
    return tuple(
        sentence for name, said in _said(problem, blocks).items() for sentence in _lacking(problem, name, said)
    )


def initial_values(problem: Problem, blocks: Sequence[Block]) -> dict[tuple[str, int], float]:
    """What must be known of the fields at an instant to go on from it: fields with orders of derivatives in time.

    Each with the weight of the condition that says it at the first instant, 1 where none does. A field of order p in
    time asks for those below p, one that no equation derives by time for nothing. Under an ansatz every field is taken
    to be made of its own output.
    """
    place, found = problem.domain.axes.position(TIME), dict[tuple[str, int], float]()
    for name, said in _said(problem, blocks).items():
        field = name.partition("[")[0]
        order = max((index[place] for each in said if each.region != "t=min" for index in each.indices), default=0)
        for lower in range(order):
            weights = (
                each.weight
                for each in said
                if each.region == "t=min" and any(index[place] == lower for index in each.indices)
            )
            found[field, lower] = max(found.get((field, lower), 0.0), next(weights, 1.0))
    return found


def _said(problem: Problem, blocks: Sequence[Block]) -> dict[str, list[Saying]]:
    """What is said of every component of every field."""
    found: dict[str, list[Saying]] = {}
    for block in blocks:
        pairs = zip(block.terms, changes(block), strict=True)
        rows = [(row, term) for term, rows in pairs for row in rows]
        column = 0
        for field in problem.fields:
            width = field.columns // field.components
            for i in range(field.components):
                name = f"{field.name}[{i}]" if field.is_vector else field.name
                for row, term in rows[::width]:  # a complex residual gives two rows, which say the same
                    places = row[:, column : column + width].any(dim=1).nonzero().flatten().tolist()
                    if places:
                        indices = frozenset(block.needs.outputs.indices[place] for place in places)
                        saying = Saying(
                            block.region, indices, term.is_jump, term.equation.integral, term.equation.weight
                        )
                        found.setdefault(name, []).append(saying)
                column += width
    return found


def _lacking(problem: Problem, name: str, said: list[Saying]) -> Iterator[str]:
    axes = problem.domain.axes
    if not any(not sum(index) for each in said if not each.is_jump for index in each.indices):
        yield f"Only slopes of '{name}' are said: a constant is free. Fix its mean: Equation(..., integral=True)."
    inside = [index for each in said if each.region == "interior" and not each.is_integral for index in each.indices]
    integrals = sum(each.is_integral and not each.is_jump for each in said) if len(axes.names) == 1 else 0
    for place, axis in enumerate(axes.names):
        order = max((index[place] for index in inside), default=0)
        if axis == TIME and not any(each.region == "t=max" for each in said):
            known = {index[place] for each in said if each.region == "t=min" for index in each.indices}
            for lack in sorted({*range(order)} - known)[integrals:]:
                what = f"{name}_{'t' * lack}" if lack else name
                yield f"{name}_{'t' * order} asks for {what} at the first instant too."
        elif axis in axes.space and isinstance(problem.domain, Box) and axis not in problem.domain.periodic:
            alone = order > 1 or len(problem.fields) == 1
            ends = {f"{axis}=min": 1, f"{axis}=max": 1, "boundary": 2}
            count = integrals + sum(ends.get(each.region, 0) for each in said if not each.is_integral)
            if alone and count < order:
                yield f"{name}_{axis * order} asks for {order} conditions at the ends of {axis}: {count} found."
            for place in problem.domain.interfaces if alone else ():
                found = sum(1 if each.is_jump else 2 for each in said if each.region in (place, "interface"))
                if place.startswith(f"{axis}=") and found < order:
                    yield (
                        f"{name}_{axis * order} asks for {order} conditions on the interface {place}: {found} found "
                        "of the jumps of values and fluxes."
                    )
