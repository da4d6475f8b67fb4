"""What one slab of time hands to the next: conditions at its first instant, settings, and where to begin."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import Vector, index_set, total_order
from pinnml.domains import TIME, Domain
from pinnml.networks import LocalBasis, Network, NetworkSettings
from pinnml.problem import FIRST, HandedOn, Problem
from pinnml.results import Fields, Solution, fields_at
from pinnml.run.request import Request

#: Relative rank cut-off of the head that a nonlinear slab begins with, and points for each function.
CUTOFF, POINTS = 1e-10, 3
#: What a network begins at is drawn at points of a fixed seed.
SEED = 0


def handed_on(problem: Problem, fields: Fields, needed: Mapping[tuple[str, int], float]) -> tuple[HandedOn, ...]:
    """Conditions at the first instant of a slab: d^j u / dt^j is that of the slab before, for all (u, j) needed.

    problem: that of the slab before; fields: what was found there; needed: the weight of each (field, j).
    """
    return tuple(
        HandedOn(
            _residual(problem, fields, field, order),
            on=FIRST,
            name=f"{field}{'_' * bool(order)}{TIME * order} handed on",
            weight=weight,
        )
        for (field, order), weight in needed.items()
    )


def _residual(problem: Problem, fields: Fields, field: str, order: int) -> Any:
    """d^order u / dt^order less that of other fields, as a function of the field and the axes, by name."""
    axes = problem.domain.axes
    indices = index_set(axes, [tuple(order * (name == TIME) for name in axes.names)])

    def residual(**given: Any) -> Any:
        x = torch.stack([given[name].value for name in axes.names], dim=1)
        found = fields_at(*fields, x, indices, problem)[field]
        return _difference(_derivative(given[field], order), _derivative(found, order))

    arguments = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in (field, *axes.names)]
    residual.__signature__ = inspect.Signature(arguments)  # pyright: ignore[reportFunctionMemberAccess]
    return residual


def _derivative(value: Any, order: int) -> Any:
    return value.d(TIME * order) if order else value


def _difference(ours: Any, theirs: Any) -> Any:
    """The values of a field, or the components of a vector, less those of another (n,)."""
    if isinstance(ours, Vector):
        return tuple(_difference(a, b) for a, b in zip(ours, theirs, strict=True))
    return ours.value - theirs.value.to(ours.value)


def settled_as(settings: NetworkSettings, network: Network) -> NetworkSettings:
    """The settings with what a solver has settled of them for a network, so that it is not searched for again."""
    return replace(settings, **dict(network.basis.settled))  # pyright: ignore[reportArgumentType]


def moved_on(request: Request, before: Solution, domain: Domain) -> Solution:
    """Where a nonlinear slab begins: the functions of the slab before, with a head that keeps its last values for ever.

    Under an ansatz, and for functions on patches, the head is that of the slab before.
    """
    generator = torch.Generator().manual_seed(SEED)
    fresh = request.network.build(domain, request.problem.columns, generator, request.dtype, request.device)
    network = Network(fresh.inputs, copy.deepcopy(before.network.basis), before.network.coef.detach().clone())
    if request.problem.ansatz is None and not isinstance(network.basis, LocalBasis):
        network.coef.data = _head_at_rest(network, before.network, domain)
    return replace(before, domain=domain, network=network)


def _head_at_rest(network: Network, before: Network, domain: Domain) -> Tensor:
    """The head (k, m) with which the functions come nearest to the outputs of `before` at the first instant."""
    generator = torch.Generator().manual_seed(SEED)
    coef, values = network.coef, total_order(domain.axes, 0)
    x = domain.sample("interior", POINTS * network.basis.size, generator, "chebyshev").x.to(coef.device, coef.dtype)
    time = domain.axes.position(TIME)
    at_first = x.clone()
    at_first[:, time] = float(domain.bounds[time, 0])
    with torch.no_grad():
        functions = network.basis(network.inputs(x, values)).value
        outputs = before(before.inputs(at_first, values)).value
        found = torch.linalg.lstsq(functions.cpu(), outputs.cpu(), rcond=CUTOFF, driver="gelsd")
    return found.solution.to(coef)
