"""Noise of measured values: what it leaves of the equations, and how uncertain it makes parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pinnml.problem import argument_names
from pinnml.system import Block
from pinnml.verification.determination import at_points
from pinnml.verification.second_solve import CUTOFF, FEWEST_NOISY, SecondSolve

#: Misfits that a richer basis leaves to this part are not the basis's, and look like noise where neighbours are
#: no more alike than this many standard deviations of independent chance (pairs that are each other's nearest count
#: twice, which makes chance larger by the root of two).
LEFT, BY_CHANCE = 0.7, 4.5
#: Draws of noise from which its effect on fields is taken.
DRAWS = 10


def noise_of(solve: SecondSolve) -> dict[str, float]:
    """By equation, the RMS misfit that noise of measured values explains: as it was declared, else as it is found.

    Found is what a richer basis leaves as it was, and what at neighbouring points has nothing in common.
    """
    found, system = {}, solve.system
    for block in system.blocks:
        if block.region not in system.problem.data:
            continue
        declared = _declared(solve, block)
        for term in block.terms:
            rows = system.rows[term.name]
            before, after = (float(each[rows].norm()) for each in (solve.before, solve.after))
            if term.name in declared:
                found[term.name] = declared[term.name]
            elif after > LEFT * before and _is_random(solve.after[rows], block.sample.x):
                found[term.name] = system.rms(solve.second)[term.name]
    return found


def standard_errors(solve: SecondSolve, noise: Mapping[str, float]) -> dict[str, float]:
    """By parameter, the standard deviation that the noise of measured values gives it.

    Parameters that fit rows b are (B^T B)^-1 B^T b, with columns B less what fields make up for; rows of measured
    values are uncertain by their noise, all others are exact.
    """
    names = list(solve.system.problem.parameters)
    if not names or not noise:
        return {}
    alone = solve.factors.apart(solve.jacobian, CUTOFF)
    factor = torch.linalg.qr(alone, mode="r")[1]
    weights = torch.linalg.solve_triangular(factor.mT, alone.mT, upper=False)
    weights = torch.linalg.solve_triangular(factor, weights, upper=True)[-len(names) :]  # (p, M)
    variance = (weights.square() @ _deviations(solve, noise).square()).cpu()
    return dict(zip(names, variance.sqrt().tolist(), strict=True))


def shifts(solve: SecondSolve, noise: Mapping[str, float]) -> dict[str, float]:
    """By field, the relative change in L2 that the noise of measured values makes, from a few draws of it."""
    if not noise:
        return {}
    generator = torch.Generator().manual_seed(0)
    chance = torch.randn((len(solve.before), DRAWS), generator=generator, dtype=torch.float64).to(solve.before)
    changes = solve.factors.answer(solve.jacobian, chance * _deviations(solve, noise)[:, None], CUTOFF)
    network = solve.system.network_at(solve.second)
    size, outputs = network.coef.shape
    heads, found = changes[: size * outputs].unflatten(0, (size, outputs)), {}
    for name, field, slopes, functions in at_points(solve.system.problem, network, size):
        moved = torch.einsum("nfj,nk,kjq->nfq", slopes, functions, heads)
        found[name] = float(moved.norm()) / math.sqrt(DRAWS) / float(field.norm().clamp(min=1e-300))
    return found


def _deviations(solve: SecondSolve, noise: Mapping[str, float]) -> Tensor:
    """The standard deviation of every row (M,): of measured values as far as they are noisy."""
    found, rms_of_ones = torch.zeros_like(solve.after), solve.system.rms_of(torch.ones_like(solve.after))
    for name, sigma in noise.items():
        found[solve.system.rows[name]] = sigma / rms_of_ones[name]
    return found


def _declared(solve: SecondSolve, block: Block) -> dict[str, float]:
    """By equation, the RMS change of its residual when every measured value changes by its declared deviation."""
    problem, parts = solve.system.problem, solve.system.parts(solve.second)
    deviations = problem.data[block.region].noise
    sums: dict[str, float] = {}
    for column, deviation in deviations.items():
        columns = {**block.sample.columns, column: block.sample.columns[column] + deviation}
        shifted = replace(block, sample=replace(block.sample, columns=columns))
        with torch.no_grad():
            values = [solve.system.values(each, parts) for each in (block, shifted)]
        for term, first, second in zip(block.terms, *values, strict=True):
            if column in argument_names(term.equation.residual, term.name):
                square = sum(float((b - a).square().mean()) for a, b in zip(first, second, strict=True))
                sums[term.name] = sums.get(term.name, 0.0) + square
    return {name: math.sqrt(square) for name, square in sums.items()}


def _is_random(rows: Tensor, x: Tensor) -> bool:
    """Whether residuals (c n,) at points (n, d) are no more alike at neighbours than by chance."""
    n = len(x)
    if n < FEWEST_NOISY:
        return False
    scaled = (x - x.mean(dim=0)) / x.std(dim=0).clamp(min=1e-300)
    distance = torch.cdist(scaled, scaled)
    distance.fill_diagonal_(math.inf)
    nearest = distance.argmin(dim=1)
    values = rows.view(-1, n) - rows.view(-1, n).mean(dim=1, keepdim=True)
    alike = float((values * values[:, nearest]).sum() / values.square().sum().clamp(min=1e-300))
    return abs(alike) < BY_CHANCE / math.sqrt(n)
