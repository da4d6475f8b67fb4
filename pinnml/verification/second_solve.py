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
from pinnml.problem import Problem
from pinnml.results import error_sample
from pinnml.solvers.head import balancing_weights
from pinnml.system import System
from pinnml.verification.tangents import tangents

#: Functions beside a layer of ridge functions that stand as they were drawn, as a multiple of these; beside what has
#: been trained, as a multiple of its parameters, within limits, and shared out among the outputs.
RICHER, FRESH, FEWEST, MOST = 1.5, 3, 200, 420
#: Directions in which what has been trained can move, at most, shared out as well, and the points that tell them.
MOVES, MOVED_ON = 200, 400
#: Collocation points for each function.
POINTS = 3
#: Relative rank cut-off of the further functions.
CUTOFF = 1e-13
#: Gauss-Newton steps at most, and the part of the loss that the last of them leaves.
STEPS, ENOUGH = 4, 0.5
#: Bandwidths that are tried where the first solution has none, by this many functions on so many points for each.
SCAN, TRIED, TRIED_POINTS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0), 150, 6
#: Of these a third have the bandwidth that fits best; the others' are spread from the one to the other, or to the best.
#: So what the equations hardly see can be made of them: on the unit box it grows by as many powers of e.
SMOOTHEST, STEEPEST = 2.0, 32.0
#: Multiples of it fill the unit interval evenly.
GOLDEN = (math.sqrt(5) - 1) / 2
#: Measured values from which noise can be found, if there is any.
FEWEST_NOISY = 20
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
    drawn = _drawn_ridges(network.basis)
    if drawn is None:
        system = _beside_trained(network, anew, generator)
    else:
        count = math.ceil(RICHER * drawn.directions.shape[1])
        ridges = Ridges.draw(count, drawn.bandwidth, drawn.activation, generator)
        system = anew(enriched(network, _functions(ridges, network)), POINTS * count)
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


def _beside_trained(network: Network, anew: Anew, generator: torch.Generator) -> System:
    """The system of sine functions, and of the directions in which the network can move, beside it."""
    trained, share = sum(each.numel() for each in network.parameters()), math.sqrt(network.coef.shape[1])
    count, moves = math.ceil(min(max(FRESH * trained, FEWEST), MOST) / share), math.ceil(MOVES / share)
    ones = torch.ones(network.inputs.size, dtype=torch.float64)
    ridges = Ridges.draw(count, ones, "sine", generator)
    system = anew(enriched(network, _functions(ridges, network)), POINTS * (count + moves))
    sines, problem = _with_best_bandwidth(system, network, ridges), system.problem
    system.deadline.check()
    if _may_be_noisy(problem):
        return system.with_network(enriched(network, sines))
    sample = error_sample(problem, MOVED_ON).to(network.coef.device, network.coef.dtype)
    return system.with_network(enriched(network, sines, tangents(network, problem.domain.axes, sample, moves)))


def _may_be_noisy(problem: Problem) -> bool:
    """Whether steep functions, and the network's own directions, would be fitted to the noise of measured values."""
    return any(each.noise or len(each) >= FEWEST_NOISY for each in problem.data.values())


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


def _with_best_bandwidth(system: System, network: Network, ridges: Ridges) -> Perceptron:
    """The functions of the bandwidth with which fewer, fitted on half the rows, leave the least part of the others.

    The smoothest ones where none leaves less than there was: what is left is noise, or finer than all of them.
    """
    steepest = SMOOTHEST if _may_be_noisy(system.problem) else STEEPEST
    few = ridges.thinned(TRIED)
    small = system.subset(TRIED * TRIED_POINTS)

    def left(bandwidth: float) -> float:
        functions = _functions(_mixed(few, bandwidth, steepest), network)
        trial = small.with_network(enriched(network, functions))
        _, r, j = _balanced(trial, trial.initial())
        fit = Bordered(triangle(j[::2], -r[::2]), j.shape[1] - functions.size * network.coef.shape[1])
        after = r[1::2] + j[1::2] @ fit.solve(CUTOFF)
        return float(torch.linalg.vector_norm(after) / torch.linalg.vector_norm(r[1::2]).clamp(min=1e-300))

    parts = {bandwidth: left(bandwidth) for bandwidth in SCAN}
    best = min(parts, key=parts.__getitem__) if min(parts.values()) < NO_HELP else SCAN[0]
    return _functions(_mixed(ridges, best, steepest), network)


def _mixed(ridges: Ridges, bandwidth: float, steepest: float) -> Ridges:
    """A third of the functions with this bandwidth, the others from the smoothest to the steepest, if that is more."""
    steepest = max(bandwidth, steepest)
    even = GOLDEN * torch.arange(ridges.directions.shape[1], dtype=ridges.directions.dtype) % 1
    factors = steepest * (SMOOTHEST / steepest) ** even / bandwidth
    factors[::3] = 1.0
    return replace(ridges.scaled(bandwidth), directions=ridges.directions * factors)
