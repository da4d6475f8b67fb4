"""What the equations determine: how far fields can move while the equations see next to nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.calculus import Jet, total_order
from pinnml.networks import Network
from pinnml.problem import Problem, fields_of
from pinnml.results import error_sample
from pinnml.verification.second_solve import CUTOFF, SecondSolve

#: Random points on which fields are measured.
POINTS = 1000
#: Singular values below this part of the largest are rounding.
FLOOR = 1e-13
#: Iterations for the norm of a matrix.
POWER = 30
#: What a field holds of the mode that the equations see least of is no part of its size, where so many times what is
#: left of them could hold as much.
BLOWN_UP = 10.0
#: A parameter below this part of its first guess is zero, and measured by the guess.
VANISHED = 1e-6


@dataclass(frozen=True, eq=False)
class Determination:
    """How far the equations leave fields and parameters open.

    reach: by field, the largest |change| / |field| in L2 for which the rows change by no more than the first solution
    leaves of them: above its error, ten to a hundred times as a rule. null: the same for changes of rows that are
    rounding beside those of zero fields, and beside what such rows usually stand for where a field is smaller. sizes:
    by name, what a field that may well be zero is measured by. mode: the head (k, m) of the further functions for the
    change that moves most, made as large as the field. parameters_null: by name, the same for parameters, beside their
    values. together: the changes of the parameters, by name, that the equations see least of.
    """

    reach: dict[str, float]
    null: dict[str, float]
    sizes: dict[str, float]
    mode: Tensor
    parameters_null: dict[str, float]
    together: dict[str, float]


def determination_of(solve: SecondSolve) -> Determination:
    """The largest changes by the further functions; of parameters, those that the fields cannot make up for."""
    inner, rounding, left = solve.factors.inner, FLOOR * float(solve.at_zero.norm()), float(solve.before.norm())
    problem, network = solve.system.problem, solve.system.network_at(solve.first)
    heads = inner.directions(FLOOR).unflatten(0, (solve.further, network.coef.shape[1]))  # (k, m, q)
    stretch, null, sizes, mode, largest, unseen = {}, {}, {}, heads[..., 0], -1.0, rounding * inner.largest
    for name, field, slopes, functions in at_points(problem, network, solve.further):
        # a change c of the head moves component f by sum_j slopes_nfj functions_nk c_kj
        moved = torch.einsum("nfj,nk,kjq->nfq", slopes, functions, heads).flatten(end_dim=1)
        norm, direction = _norm(moved)
        size, usual = _size(field.flatten(), moved @ direction, BLOWN_UP * left), _usual_size(solve, slopes, functions)
        if size <= norm * max(left, unseen):  # it may be zero as well
            sizes[name] = size = usual
        null[name] = norm * unseen / max(size, usual, torch.finfo(field.dtype).tiny)
        stretch[name] = norm / max(size, torch.finfo(field.dtype).tiny)
        if stretch[name] > largest:
            mode, largest = (size or 1.0) / norm * (heads @ direction), stretch[name]
    reach = {name: each * max(left, unseen) for name, each in stretch.items()}
    return Determination(reach, null, sizes, mode, *_of_parameters(solve, unseen))


def at_points(problem: Problem, network: Network, count: int) -> Iterator[tuple[str, Tensor, Tensor, Tensor]]:
    """For each field its values (n, f), its slopes by the outputs (n, f, m), and the first functions (n, count).

    All times the root of the points' weights, but for the slopes.
    """
    sample = error_sample(problem, POINTS).to(network.coef.device, network.coef.dtype)
    indices = total_order(problem.domain.axes, 0)
    inputs = network.inputs(sample.x, indices)
    with torch.no_grad():
        functions = network.basis(inputs).coefficients[0] if count else sample.weight.new_zeros((len(sample), 0))
        outputs = (functions @ network.coef if count else network(inputs).coefficients[0]).requires_grad_()
    root = sample.weight.sqrt().unsqueeze(1)
    constants = {name: sample.weight.new_full((1, len(sample)), value) for name, value in problem.parameters.items()}
    jets = {name: Jet(indices, value) for name, value in constants.items()}
    with torch.enable_grad():
        fields = fields_of(problem, Jet(indices, outputs.unsqueeze(0)), sample.x, jets)
    for each in problem.fields:
        value = fields[each.name].value
        parts = [part for c in (value if each.is_vector else (value,)) for part in _real(c)]
        slopes = [torch.autograd.grad(part.sum(), outputs, retain_graph=True)[0] for part in parts]
        yield each.name, root * torch.stack(parts, 1).detach(), torch.stack(slopes, 1), root * functions[:, :count]


def _size(field: Tensor, mode: Tensor, rows: float) -> float:
    """The norm of a field (n,) without what it holds of a mode (n,), if a change of the rows so small holds as much."""
    along = float(field @ mode / (mode @ mode).clamp(min=torch.finfo(mode.dtype).tiny))
    return float((field - along * mode).norm() if abs(along) <= rows else field.norm())


def _usual_size(solve: SecondSolve, slopes: Tensor, functions: Tensor) -> float:
    """The norm of a field that would give rows as long as zero fields do: what a field that is zero is measured by.

    One where zero fields leave nothing. slopes (n, f, m) of the field by the outputs, functions (n, k).
    """
    columns = solve.jacobian[:, : functions.shape[1] * slopes.shape[2]].unflatten(1, (-1, slopes.shape[2]))
    rows = torch.linalg.vector_norm(columns, dim=0)  # (k, m)
    moved = torch.einsum("nfj,nk->kj", slopes.square(), functions.square()).sqrt()
    usual = (rows / moved)[moved > 0].median()
    return float(solve.at_zero.norm() / usual.clamp(min=torch.finfo(rows.dtype).tiny)) or 1.0


def _real(value: Tensor) -> tuple[Tensor, ...]:
    return (value.real, value.imag) if value.is_complex() else (value,)


def _norm(matrix: Tensor) -> tuple[float, Tensor]:
    """The largest singular value of a matrix (n, q), and what it belongs to, (q,), by the power method."""
    x = torch.ones(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    for _ in range(POWER):
        y = matrix.mT @ (matrix @ x)
        x = y / y.norm().clamp(min=torch.finfo(y.dtype).tiny)
    return float((matrix @ x).norm()), x


def _of_parameters(solve: SecondSolve, rows: float) -> tuple[dict[str, float], dict[str, float]]:
    """By name the largest change of a parameter beside its value, and the change of all that is seen least."""
    names = list(solve.system.problem.parameters)
    if not names:
        return {}, {}
    values, guesses = solve.system.parameters_at(solve.second), solve.system.problem.parameters
    sizes = [abs(values[name]) if abs(values[name]) > VANISHED * abs(guesses[name]) else 0.0 for name in names]
    size = solve.before.new_tensor(
        [each or abs(guesses[name]) or 1.0 for each, name in zip(sizes, names, strict=True)]
    ).cpu()
    factor = solve.factors.border_factor(CUTOFF)[-len(names) :, -len(names) :].cpu() * size
    _, s, v = torch.linalg.svd(factor)
    changes = v.mT / s.clamp(min=FLOOR * float(s[0]))
    reached = rows * torch.linalg.vector_norm(changes, dim=1)
    return dict(zip(names, reached.tolist(), strict=True)), dict(zip(names, (v[-1] * size).tolist(), strict=True))
