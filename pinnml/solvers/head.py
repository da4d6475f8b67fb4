"""The linear head by least squares: outright for linear problems, by Gauss-Newton steps for others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.domains import Points
from pinnml.errors import SettingsError
from pinnml.linalg import LeastSquares, RankRevealed, triangle
from pinnml.networks import LocalBasis
from pinnml.solvers.local_head import BALANCED, LocalFit, squares
from pinnml.solvers.multifrontal import ROUND_OFF
from pinnml.solvers.trust_region import half_square
from pinnml.system import Block, System

#: Relative rank cut-offs that are tried when none is given.
CUTOFFS = (1e-15, 1e-14, 1e-13, 1e-12, 1e-10, 1e-8)
#: Halvings of a Gauss-Newton step before it is given up.
HALVINGS = 8


@dataclass(frozen=True)
class HeadFit:
    """A fitted head: the system it was fitted on, theta, the rows there (those of the penalty last), and the rank."""

    system: System
    theta: Tensor
    rows: Tensor
    rank: int
    condition: float
    cutoff: float

    @property
    def loss(self) -> float:
        """1/2 |r|^2 + 1/2 damping |coef|^2."""
        return half_square(self.rows)


def fit_head(
    system: System,
    theta: Tensor,
    *,
    cutoffs: Sequence[float] = CUTOFFS,
    damping: float = 0.0,
    balance: bool = False,
) -> HeadFit:
    """The head that minimises 1/2 |r|^2 + 1/2 damping |coef|^2 with the hidden parameters held.

    Linear problems are solved outright; nonlinear ones take one safeguarded Gauss-Newton step. Of several relative
    rank cut-offs the one is kept whose residual is least: on held-out points, or for nonlinear problems on the
    rows. `balance` first weights the equations so that their rows are equally long (see `balancing_weights`).
    """
    start = theta.clone()
    if system.is_linear:
        start[system.head] = 0.0
    if isinstance(system.network.basis, LocalBasis):
        if damping:
            raise SettingsError("patches are fitted without a Tikhonov term", expected="damping=0", got=damping)
        return _fit_local(system, start, balance)
    r, j = system.linearise(start, system.head)
    if balance:
        weights = balancing_weights(system, j)
        for name, rows in system.rows.items():
            factor = math.sqrt(weights[name] / system.weights[name])
            r[rows] *= factor
            j[rows] *= factor
        system = system.with_weights(weights)
    if damping:
        penalty = math.sqrt(damping) * torch.eye(j.shape[1], dtype=j.dtype, device=j.device)
        j, r = torch.cat([j, penalty]), torch.cat([r, math.sqrt(damping) * start[system.head]])
    revealed = RankRevealed(triangle(j, -r, deadline=system.deadline), system.deadline)
    steps = [(cutoff, revealed.solve(cutoff)) for cutoff in cutoffs]
    if system.is_linear:
        cutoff, best = steps[0] if len(steps) == 1 else min(steps, key=_judge(system, start))
        return HeadFit(system, _moved(system, start, best.x), r + j @ best.x, best.rank, best.condition, cutoff)
    tried = [_halved(system, start, step, cutoff, damping, half_square(r)) for cutoff, step in steps]
    cutoff, step = steps[0]
    stay = HeadFit(system, start, r, step.rank, step.condition, cutoff)
    return min((fit for fit in tried if fit is not None), key=lambda fit: fit.loss, default=stay)


def balancing_weights(system: System, j: Tensor) -> dict[str, float]:
    """Weights of the equations with which rows of the head Jacobian are equally long on average.

    Rows of -laplacian(u) are longer than those of u by the square of the basis' frequencies; without this the
    conditions on the boundary are fitted that much worse. Measures are those of regions whose axes are as long as
    one: in metres or nanometres, faces have the same share of the loss beside the inside. The user's own weights stay
    on top.
    """
    return weights_of_lengths(system, {name: float(j[rows].square().sum()) for name, rows in system.rows.items()})


def weights_of_lengths(system: System, lengths: Mapping[str, float]) -> dict[str, float]:
    """The same from the sum of squares of every equation's rows."""
    squares, own = {}, {}
    for block in system.blocks:
        measure = _measure_of_unit_axes(block)
        for term, components in zip(block.terms, block.components, strict=True):
            rows = 1 if block.pairing else components
            extent = rows * (1.0 if term.equation.integral else measure)
            own[term.name] = term.equation.weight
            squares[term.name] = lengths[term.name] / (extent * system.weights[term.name])
    longest = max(squares.values())
    return {name: own[name] * (longest / square if square > 0 else 1.0) for name, square in squares.items()}


def _fit_local(system: System, start: Tensor, balance: bool) -> HeadFit:
    """The same for local functions, whose Jacobian is never whole."""
    if balance:
        few = system.subset(BALANCED)
        system = system.with_weights(weights_of_lengths(few, squares(few, start)))
    with torch.no_grad():
        r = system.residual(start)
    step = LocalFit.of(system, start).solve()
    if not system.is_linear:
        stay = HeadFit(system, start, r, step.rank, step.condition, ROUND_OFF)
        return _halved(system, start, step, ROUND_OFF, 0.0, half_square(r)) or stay
    moved = _moved(system, start, step.x)
    with torch.no_grad():
        return HeadFit(system, moved, system.residual(moved), step.rank, step.condition, ROUND_OFF)


def _measure_of_unit_axes(block: Block) -> float:
    """The measure of a region once every axis is divided by its length; 1 for measured points."""
    domain, weight = block.problem.domain, block.sample.weight
    if block.region in block.problem.data or isinstance(domain, Points):
        return float(weight.sum())
    names, space = domain.axes.names, domain.axes.space
    lengths = torch.as_tensor(domain.bounds[:, 1] - domain.bounds[:, 0]).to(weight)
    if block.pairing:
        return block.pairing.measure / float(lengths.prod())
    if block.sample.normal is not None:  # faces shrink by all lengths but the one along their normal
        along = lengths[[names.index(axis) for axis in space]] * block.sample.normal
        weight = weight * torch.linalg.vector_norm(along, dim=1)
    elif (axis := block.region.partition("=")[0]) in names:
        weight = weight * lengths[names.index(axis)]
    return float(weight.sum() / lengths.prod())


def _judge(system: System, start: Tensor) -> Callable[[tuple[float, LeastSquares]], float]:
    """The loss of a linear problem's solution on held-out points."""
    judge = system.held_out or system
    known, rows = judge.linearise(start, judge.head)

    def score(candidate: tuple[float, LeastSquares]) -> float:
        return half_square(known + rows @ candidate[1].x)

    return score


def _halved(
    system: System, theta: Tensor, step: LeastSquares, cutoff: float, damping: float, loss: float
) -> HeadFit | None:
    """The longest of the steps 1, 1/2, 1/4, ... that lowers the loss."""
    for halving in range(HALVINGS):
        moved = _moved(system, theta, step.x / 2**halving)
        with torch.no_grad():
            rows = system.residual(moved)
        if damping:
            rows = torch.cat([rows, math.sqrt(damping) * moved[system.head]])
        if half_square(rows) < loss:
            return HeadFit(system, moved, rows, step.rank, step.condition, cutoff)
    return None


def _moved(system: System, theta: Tensor, step: Tensor) -> Tensor:
    moved = theta.clone()
    moved[system.head] += step
    return moved
