"""Units of measurement for a solve: so that one in nanometres ends as one in metres."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pinnml.linalg import RankRevealed, triangle
from pinnml.system import System, term_sizes

#: A size within this factor of one keeps its unit; so problems written in sensible units stay as they are.
SENSIBLE = 30.0
#: The first sizes of fields are those of a fit on so many samples of a region for each basis function, by this cut-off.
SAMPLES, CUTOFF = 4, 1e-8
#: Rounds of balancing equations and outputs before that fit.
EQUILIBRATIONS = 10
#: A parameter whose column of the Jacobian is this many times shorter, or longer, than the longest other one is
#: measured in another unit than its first guess.
APART = 1e5
#: A start that leaves more than this part of what zero fields leave is no solution to keep to.
USELESS = 0.5


def measured(system: System, theta: Tensor) -> tuple[tuple[float, ...], System, Tensor]:
    """The units of the network's outputs; the system with rows measured in theirs; theta with a head in these units.

    Outputs: the size of the fields in a fit of the head to the equations, linearised at zero. Rows: equations whose
    terms are far smaller than those of the largest are weighted up; the user's weights stay on top.
    The head is rescaled where the start is no better than fields of zero.
    """
    zero = theta.clone()
    zero[system.head] = 0.0
    outputs = _outputs(system, zero)
    sizes = {name: float(each.detach() @ each.new_tensor(outputs)) for name, each in _term_sizes(system, zero).items()}
    largest = max(sizes.values()) or 1.0
    own = {term.name: term.equation.weight for block in system.blocks for term in block.terms}
    system = system.with_weights({name: own[name] / _rounded(size / largest) ** 2 for name, size in sizes.items()})
    if any(unit != 1.0 for unit in outputs):
        with torch.no_grad():
            if not system.loss(theta) < USELESS**2 * system.loss(zero):
                theta = theta.clone()
                theta[system.head] *= theta.new_tensor(outputs).repeat(len(system.network.coef))
    return outputs, system, theta


def columns(system: System, j: Tensor, outputs: Sequence[float]) -> Tensor:
    """The unit of every entry of theta, (P,), from a Jacobian (M, P) and the outputs' units; hidden ones have none."""
    units = torch.ones(system.n_params, dtype=system.dtype, device=system.device)
    units[system.head] = units.new_tensor(outputs).repeat(len(system.network.coef))
    if system.problem.parameters:
        lengths = torch.linalg.vector_norm(j, dim=0) * units
        longest = float(torch.cat([lengths[: system.own.start], lengths[system.head]]).max())
        units[system.own] = parameter_units(system, j[:, system.own], longest)
    return units


def parameter_units(system: System, own: Tensor, longest: float) -> Tensor:
    """The units of the problem's trainable parameters (p,): their first guesses, where the Jacobian agrees.

    Where the column (M, p) of one, in that unit, is far shorter or longer than the longest other column, the guess is
    no measure of it: then the unit is that which makes it about as long.
    """
    lengths, units = torch.linalg.vector_norm(own, dim=0).tolist(), []
    for guess, length in zip(system.problem.parameters.values(), lengths, strict=True):
        unit = _rounded(abs(guess))
        part = unit * length / longest if longest else 1.0
        units.append(unit if 1 / APART < part < APART else unit / _rounded(part))
    return own.new_tensor(units)


def _outputs(system: System, zero: Tensor) -> tuple[float, ...]:
    """The unit of each output of the network: of all that belong to one field, the same."""
    small = system.subset(SAMPLES * len(system.network.coef))
    r, j = small.linearise(zero, small.head)
    scales = _equilibrated(_term_sizes(small, zero))
    for name, rows in small.rows.items():
        scale = scales[name] / math.sqrt(system.weights[name])
        r[rows] *= scale
        j[rows] *= scale
    if not bool(torch.isfinite(r).all() and torch.isfinite(j).all()):
        return (1.0,) * system.problem.columns
    fitted = zero.clone()
    fitted[system.head] = RankRevealed(triangle(j, -r, deadline=small.deadline), small.deadline).solve(CUTOFF).x
    values = system.network_at(fitted)(small.inputs).coefficients[0]
    squares = values.square().mean(dim=0)
    units, start = [], 0
    for field in system.problem.fields:
        size = math.sqrt(float(squares[start : start + field.columns].mean()))
        units += [_rounded(size)] * field.columns
        start += field.columns
    return tuple(units)


def _term_sizes(system: System, theta: Tensor) -> dict[str, Tensor]:
    return term_sizes(system.blocks, system.problem.columns, system.parts(theta.detach()).parameters)


def _equilibrated(sizes: Mapping[str, Tensor]) -> dict[str, float]:
    """A scale for every equation, by name, so that with scales for the outputs the largest size of each is about one.

    sizes: of every equation, for each output alone (m,). Source: D. Ruiz, report RAL-TR-2001-034.
    """
    table = torch.stack(list(sizes.values())).double()
    scales = table.new_ones(len(table))
    for _ in range(EQUILIBRATIONS):
        rows, outputs = (table.amax(dim=axis, keepdim=True).sqrt() for axis in (1, 0))
        rows, outputs = (torch.where(largest > 0, largest, 1.0) for largest in (rows, outputs))
        table, scales = table / rows / outputs, scales / rows[:, 0]
    return dict(zip(sizes, scales.tolist(), strict=True))


def _rounded(size: float) -> float:
    """The nearest power of ten; one for sensible sizes, and for nothing."""
    sensible = not 0 < size < math.inf or 1 / SENSIBLE <= size <= SENSIBLE
    return 1.0 if sensible else 10.0 ** round(math.log10(size))
