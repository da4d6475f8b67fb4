"""The second solve: further functions beside the first solution, on other points, tell how far off it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinnml.linalg import Bordered, triangle
from pinnml.networks import Basis, Network, Perceptron, enriched
from pinnml.networks.initialisation import Ridges
from pinnml.solvers.head import balancing_weights
from pinnml.system import System

#: Functions beside a layer of ridge functions that stand as they were drawn, as a multiple of these; beside what has
#: been trained, as a multiple of its parameters, within limits, and shared out among the outputs.
RICHER, FRESH, FEWEST, MOST = 1.5, 3, 200, 600
#: Collocation points for each function.
POINTS = 3
#: Relative rank cut-off of the further functions.
CUTOFF = 1e-13
#: Gauss-Newton steps at most, and the part of the loss that the last of them leaves.
STEPS, ENOUGH = 4, 0.5
#: Bandwidths that are tried where the first solution has none, by this many functions on so many points for each.
SCAN, TRIED, TRIED_POINTS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0), 150, 6
#: Of these every third one is as smooth as this at least, so that what the equations leave open can be made of them.
SMOOTH = 4.0
#: Functions that leave more than this part of rows that they were not fitted to do not help.
NO_HELP = 0.9

#: A network and a number of points in the interior to the system on points that the first solve has not seen.
Anew = Callable[[Network, int], System]


@dataclass(frozen=True, eq=False)
class SecondSolve:
    """The first fields and better ones in one space, at unseen points.

    system: its network is the first with further functions beside it, its weights balance the rows. first, second:
    theta (P,) of either. at_zero, before, after: the rows (M,) of zero fields and of either. factors: of the Jacobian
    at the second, jacobian (M, P), the further functions first, then the first solution's outputs and the problem's
    parameters.
    """

    system: System
    first: Tensor
    second: Tensor
    at_zero: Tensor
    before: Tensor
    after: Tensor
    factors: Bordered
    jacobian: Tensor

    @property
    def further(self) -> int:
        """The number of further functions, each for every output."""
        return self.system.network.basis.size - self.system.network.coef.shape[1]


def second_solve(
    network: Network, parameters: Mapping[str, float], anew: Anew, generator: torch.Generator
) -> SecondSolve:
    """Solve again in a richer space, from the first solution: its network and the parameters that it found."""
    m = network.coef.shape[1]
    drawn = _drawn_ridges(network.basis)
    if drawn is not None:
        count, bandwidth, activation = math.ceil(RICHER * drawn.directions.shape[1]), drawn.bandwidth, drawn.activation
    else:
        trained = sum(each.numel() for each in network.parameters())
        count = math.ceil(min(max(FRESH * trained, FEWEST), MOST) / math.sqrt(m))
        bandwidth, activation = _ones(network), "sine"
    ridges = Ridges.draw(count, bandwidth, activation, generator)
    system = anew(enriched(_functions(ridges, network), network), POINTS * count)
    if drawn is None:
        system = _with_best_bandwidth(system, network, ridges)
    first = system.initial()
    first[system.own] = first.new_tensor([parameters[name] for name in system.problem.parameters])
    return _linear(system, first) if system.is_linear and not parameters else _nonlinear(system, first)


def _drawn_ridges(basis: Basis) -> Ridges | None:
    """The ridge functions of a basis that stand as they were drawn; None where training has moved them."""
    if not isinstance(basis, Perceptron) or basis.ridges is None:
        return None
    weight, bias = basis.ridges.layer()
    same = torch.equal(weight.to(basis.weights[0]), basis.weights[0]) and torch.equal(
        bias.to(basis.biases[0]), basis.biases[0]
    )
    return basis.ridges if same else None


def _ones(network: Network) -> Tensor:
    return torch.ones(network.inputs.size, dtype=torch.float64)


def _functions(ridges: Ridges, network: Network) -> Perceptron:
    return Perceptron.from_ridges(ridges, network.inputs.extras)


def _linear(system: System, first: Tensor) -> SecondSolve:
    """One least-squares solve, whatever the start."""
    zero = torch.zeros_like(first)
    system, r, j = _balanced(system, zero)
    factors = _factors(system, r, j)
    second = factors.solve(CUTOFF)
    return SecondSolve(system, first, second, r, r + j @ first, r + j @ second, factors, j)


def _nonlinear(system: System, first: Tensor) -> SecondSolve:
    """Gauss-Newton steps from the first solution, halved until they lower the loss; a whole one if none does."""
    theta = first
    system, r, j = _balanced(system, theta)
    before, factors = r, _factors(system, r, j)
    for number in range(STEPS):
        step = _reordered(factors.solve(CUTOFF), len(system.problem.parameters))
        moved, after = _moved(system, theta, step, r)
        if not after @ after < r @ r:
            theta = theta + step if number == 0 else theta
            break
        gained, theta = after @ after < ENOUGH * (r @ r), moved
        r, j = _linearised(system, theta)
        factors = _factors(system, r, j)
        if not gained:
            break
    zero = first.clone()
    zero[system.head] = 0.0
    with torch.no_grad():
        at_zero = system.residual(zero)
    return SecondSolve(system, first, theta, at_zero, before, r, factors, j)


def _moved(system: System, theta: Tensor, step: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """The longest of a step, halved again and again, that lowers the loss, and the rows there."""
    with torch.no_grad():
        for halving in range(8):
            moved = theta + step / 2**halving
            after = system.residual(moved)
            if after @ after < r @ r:
                return moved, after
    return theta, r


def _reordered(step: Tensor, parameters: int) -> Tensor:
    """A step (P,) with the problem's parameters in front, as they stand in theta."""
    head = len(step) - parameters
    return torch.cat([step[head:], step[:head]])


def _balanced(system: System, theta: Tensor) -> tuple[System, Tensor, Tensor]:
    """The system with rows of equal length by the further functions, its rows and its Jacobian."""
    r, j = _linearised(system, theta)
    weights = balancing_weights(system, j[:, : system.network.coef.numel() - system.network.coef.shape[1] ** 2])
    for name, rows in system.rows.items():
        factor = math.sqrt(weights[name] / system.weights[name])
        r[rows] *= factor
        j[rows] *= factor
    return system.with_weights(weights), r, j


def _linearised(system: System, theta: Tensor) -> tuple[Tensor, Tensor]:
    """R (M,) and J (M, P), the head's columns first and then the problem's parameters'."""
    r, j = system.linearise(theta)
    p = len(system.problem.parameters)
    return r, torch.cat([j[:, p:], j[:, :p]], dim=1) if p else j


def _factors(system: System, r: Tensor, j: Tensor) -> Bordered:
    m = system.network.coef.shape[1]
    factor = triangle(j, -r, deadline=system.deadline)
    return Bordered(factor, m * m + len(system.problem.parameters), system.deadline)


def _with_best_bandwidth(system: System, network: Network, ridges: Ridges) -> System:
    """The system with the bandwidth whose functions, fitted on half the rows, leave the least part of the others.

    The smoothest ones where none leaves less than there was: what is left is noise, or finer than all of them.
    """
    few = ridges.thinned(TRIED)
    small = system.subset(TRIED * TRIED_POINTS)

    def left(bandwidth: float) -> float:
        functions = _functions(_mixed(few, bandwidth), network)
        trial = small.with_network(enriched(functions, network))
        _, r, j = _balanced(trial, trial.initial())
        fit = Bordered(triangle(j[::2], -r[::2]), j.shape[1] - functions.size * network.coef.shape[1])
        after = r[1::2] + j[1::2] @ fit.solve(CUTOFF)
        return float(torch.linalg.vector_norm(after) / torch.linalg.vector_norm(r[1::2]).clamp(min=1e-300))

    parts = {bandwidth: left(bandwidth) for bandwidth in SCAN}
    best = min(parts, key=parts.__getitem__) if min(parts.values()) < NO_HELP else SCAN[0]
    return system.with_network(enriched(_functions(_mixed(ridges, best), network), network))


def _mixed(ridges: Ridges, bandwidth: float) -> Ridges:
    """The functions with this bandwidth, every third one smooth."""
    factors = torch.ones(ridges.directions.shape[1], dtype=ridges.directions.dtype)
    factors[::3] = min(1.0, SMOOTH / bandwidth)
    return replace(ridges.scaled(bandwidth), directions=ridges.directions * factors)
