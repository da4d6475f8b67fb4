"""A short search for the activation and bandwidth of a one-layer basis, judged by residuals that were held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import torch

from pinnml.deadline import OutOfTimeError
from pinnml.networks import Basis, Network, Perceptron
from pinnml.networks.initialisation import Ridges
from pinnml.solvers.head import fit_head
from pinnml.system import System

#: Bandwidths of the isotropic scan and of the grid that follows where it fails; then the factors by which single
#: inputs are changed, coarse to fine.
SCAN = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
COARSE = (1.0, 8.0, 32.0, 128.0)
FACTORS = (2.0, 2.0**0.5)
ACTIVATIONS = ("sine", "tanh", "gaussian")
#: The search sees this many features at most, and twice as many samples of a region.
FEATURES = 300
#: Cut-off of the trial fits, and the most Gauss-Newton steps of those for nonlinear problems.
CUTOFF, NEWTON_STEPS = 1e-12, 6
#: A Gauss-Newton step that leaves more than this part of the loss is the last of a trial.
ENOUGH = 0.9
#: A change must lower the score by this factor to count, and this many are tried at most.
GAIN, TRIALS = 1.05, 60
#: A relative residual above this after the isotropic scan calls for a scan of unequal bandwidths.
UNRESOLVED = 1e-2


def searchable(system: System) -> Ridges | None:
    """The ridge functions whose bandwidth or activation the network leaves for the solver to choose, or None."""
    ridges = ridges_of(system.network.basis)
    return ridges if ridges is not None and ridges.searched else None


def ridges_of(basis: Basis) -> Ridges | None:
    """The ridge functions of a one-layer basis as they were drawn, or None."""
    return basis.ridges if isinstance(basis, Perceptron) else None


def best_ridges(system: System, ridges: Ridges) -> tuple[Ridges, float]:
    """The ridge functions with the bandwidth and activation whose held-out residual is least on a subsample, and that.

    A coordinate search: an isotropic scan first, then one group of inputs at a time (those that depend on the same
    coordinates move together) in the direction that gains most, coarse factors before fine ones. It ends, with the best
    so far, where the system's time is over.
    """
    count = min(ridges.directions.shape[1], FEATURES)
    small = system.subset(2 * count)
    small = small.with_held_out(system.held_out.subset(count)) if system.held_out else small
    cache: dict[tuple[str, tuple[float, ...]], tuple[float, Ridges]] = {}

    def score(candidate: Ridges) -> float:
        key = (candidate.activation, tuple(candidate.bandwidth.tolist()))
        if key not in cache:
            cache[key] = _score(small, candidate.thinned(count)), candidate
        return cache[key][0]

    try:
        return _best(ridges, system.network.inputs.groups, score)
    except OutOfTimeError:
        left, best = min(cache.values(), key=lambda scored: scored[0], default=(math.inf, ridges))
        return best, left


def _best(ridges: Ridges, groups: list[list[int]], score: Callable[[Ridges], float]) -> tuple[Ridges, float]:
    """The search itself."""
    best = ridges
    for activation in ACTIVATIONS if "activation" in ridges.searched else (ridges.activation,):
        candidate = replace(ridges, activation=activation)
        if "bandwidth" in ridges.searched:
            candidate = _best_bandwidth(candidate, groups, score)
        best = min(best, candidate, key=score)
    return best, score(best)


def with_ridges(system: System, ridges: Ridges) -> System:
    """The system with another one-layer basis, its head at zero."""
    basis = Perceptron.from_ridges(ridges, system.network.inputs.extras)
    network = Network(
        system.network.inputs, basis, torch.zeros((basis.size, system.network.coef.shape[1]), dtype=system.dtype)
    )
    return system.with_network(network.to(system.device, system.dtype))


def _best_bandwidth(ridges: Ridges, groups: list[list[int]], score: Callable[[Ridges], float]) -> Ridges:
    best, trials = min(_isotropic(ridges), key=score), 0
    if score(best) > UNRESOLVED and 1 < len(groups) <= 3:
        best = min((best, *_anisotropic(ridges, groups)), key=score)
    for factor in FACTORS:
        improved = True
        while improved and trials < TRIALS:
            nearest = min(_neighbours(best, groups, factor), key=score)
            trials += 2 * len(groups)
            improved = score(nearest) < score(best) / GAIN
            best = nearest if improved else best
    return best


def _isotropic(ridges: Ridges) -> Iterator[Ridges]:
    return (replace(ridges, bandwidth=torch.full_like(ridges.bandwidth, value)) for value in SCAN)


def _anisotropic(ridges: Ridges, groups: list[list[int]]) -> Iterator[Ridges]:
    """A coarse grid of bandwidths, one for each group of inputs."""
    for values in product(COARSE, repeat=len(groups)):
        bandwidth = ridges.bandwidth.clone()
        for group, value in zip(groups, values, strict=True):
            bandwidth[group] = value
        yield replace(ridges, bandwidth=bandwidth)


def _neighbours(ridges: Ridges, groups: list[list[int]], factor: float) -> Iterator[Ridges]:
    for group in groups:
        for change in (factor, 1 / factor):
            bandwidth = ridges.bandwidth.clone()
            bandwidth[group] *= change
            yield replace(ridges, bandwidth=bandwidth)


def _score(system: System, ridges: Ridges) -> float:
    """The worst relative residual of the equations on held-out points."""
    trial = with_ridges(system, ridges)
    fit = fit_head(trial, trial.initial(), cutoffs=(CUTOFF,), balance=True)
    for _ in range(0 if trial.is_linear else NEWTON_STEPS - 1):
        before, fit = fit, fit_head(fit.system, fit.theta, cutoffs=(CUTOFF,))
        if fit.loss > ENOUGH * before.loss:
            break
    return max((fit.system.held_out or fit.system).relative(fit.theta).values())
