"""Where a solve begins: a network that is drawn, or that of a solution to go on from, on points that are drawn."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pinnml.calculus import with_gradients
from pinnml.networks import Network, Perceptron
from pinnml.problem import (
    Problem,
    Term,
    check_data,
    check_goes_in_slabs,
    counts,
    drawn,
    edges_of,
    held_out_sample,
    window_of,
)
from pinnml.results import Solution
from pinnml.run.loop import Callback, Loop, Standing
from pinnml.run.measurement import measure_of
from pinnml.run.memory import check_network, footprint, free_bytes, held_by
from pinnml.run.recipe import Recipe
from pinnml.run.request import Request
from pinnml.solvers import LBFGS, Adam, Multilevel, Solver
from pinnml.system import System, check_interfaces, check_switches
from pinnml.system.weak import WeakResidual, weak_residuals
from pinnml.verification import Anew

#: The held-out points of a seed are drawn from a stream of their own.
HELD_OUT_STREAM = 2**31
#: And so are those of a second solve.
UNSEEN_STREAM = 3 * 2**31
#: Collocation points in the interior at least, where their number is left open.
FEWEST_POINTS = 500
#: And for a second solve: others than these, so that a quadrature has other points too.
FEWEST_UNSEEN = 570
#: What is at least this part of what is free is looked at more closely, on so many points of a region.
FEAR, FEW = 10, 8


@with_gradients
def prepared(problem: Problem, recipe: Recipe) -> System:
    """The system that `solve` would start from, on the CPU in float64; the same errors, and no step taken.

    In slabs of time that is the first one's.
    """
    request = Request.checked(problem, recipe)
    if recipe.slabs > 1:
        check_goes_in_slabs(problem)
        start, end, *_ = edges_of(problem, recipe.slabs)
        request = replace(request, problem=window_of(problem, start, end))
    return prepared_system(request)


def prepared_system(request: Request) -> System:
    """The system with a network built, points drawn, equations tried."""
    problem, recipe, generator = request.problem, request.recipe, torch.Generator().manual_seed(request.seed)
    check_data(problem)
    free = free_bytes(request.device)
    if request.start is None:
        check_network(request.network, len(problem.domain.axes.names), problem.columns, free)
        network = request.network.build(problem.domain, problem.columns, generator, request.dtype, request.device)
    else:
        network = _network_of(request.start, request.device, request.dtype)
    weak, unseen = (None, None) if recipe.tests is None else weak_residuals(problem, recipe.tests)
    points = recipe.points or _default_points(network, request.solver, problem.columns)
    wanted = counts(problem, points, _terms(problem, weak))
    _check_memory(request, network, wanted, weak, free)
    system = _collocated(request, network, wanted, generator, weak)
    check_switches(problem, network, system.blocks)
    check_interfaces(problem, network, system.blocks)
    generator = torch.Generator().manual_seed(request.seed + HELD_OUT_STREAM)
    held_out = {region: held_out_sample(problem, region, n, generator) for region, n in wanted.items()}
    return system.with_held_out(system.on(held_out, () if unseen is None else unseen.parts))


def _check_memory(
    request: Request, network: Network, wanted: Mapping[str, int], weak: WeakResidual | None, free: float
) -> None:
    """Raise SettingsError for what cannot fit; where it is near, the equations are tried on a few points for it."""
    solver, points = request.solver, sum(wanted.values())
    if isinstance(solver, Multilevel) and solver.adaptive is None:
        network.basis.check_levels(solver.levels - 1)  # of too many levels the size says nothing
    if FEAR * 8 * (held_by(solver, network, points * network.coef.shape[1]) + points * network.inputs.size) < free:
        return
    few = dict.fromkeys(wanted, FEW)
    blocks = _collocated(request, network, few, torch.Generator().manual_seed(request.seed), weak).blocks
    fewer = f"fewer points than {wanted.get('interior', points)}, or a smaller network"
    cure = fewer if isinstance(solver, (Adam, LBFGS)) else f"{fewer}; LBFGS() and Adam() need no Jacobian"
    footprint(network, solver, blocks, wanted).check(free, f"choose {cure}")


def unseen_by(request: Request) -> Anew:
    """What makes a system of the same equations on points that the solve has not seen, for another network.

    Regions share the points as they did; a weak form is tested with functions of one degree more.
    """

    def anew(network: Network, points: int) -> System:
        recipe, weak = request.recipe, None
        if recipe.tests is not None:
            weak = weak_residuals(request.problem, recipe.tests)[1]
        asked: int | dict[str, int] = max(points, FEWEST_UNSEEN)
        if isinstance(recipe.points, Mapping):
            part = points / (recipe.points.get("interior") or max(recipe.points.values()))
            asked = {region: math.ceil(part * n) for region, n in recipe.points.items()}
        wanted = counts(request.problem, asked, _terms(request.problem, weak))
        generator = torch.Generator().manual_seed(request.seed + UNSEEN_STREAM)
        return _collocated(request, network, wanted, generator, weak, tried=False)

    return anew


def _terms(problem: Problem, weak: WeakResidual | None) -> tuple[Term, ...]:
    return problem.terms if weak is None else weak.terms


def _collocated(
    request: Request,
    network: Network,
    wanted: Mapping[str, int],
    generator: torch.Generator,
    weak: WeakResidual | None,
    tried: bool = True,
) -> System:
    """The equations on so many points of each region, and the weak form that stands for the others."""
    problem, rule = request.problem, request.recipe.rule
    samples = {region: drawn(problem, region, n, generator, rule) for region, n in wanted.items()}
    parts = () if weak is None else weak.parts
    return System.build(problem, network, samples, terms=_terms(problem, weak), weak=parts, tried=tried)


def begun(request: Request, callback: Callback | None = None) -> Loop:
    """The loop before its first step."""
    started = time.perf_counter()
    system = prepared_system(request)
    theta = _first_theta(system, request.start)
    at = Standing(system, theta)
    return Loop(request.solver, at, started, measure_of(request.problem, request.seed), callback)


def _first_theta(system: System, start: Solution | None) -> Tensor:
    """Theta (P,) before the first step: trainable parameters begin as the solution to go on from found them."""
    theta = system.initial()
    for name, place in system.parts(theta).parameters.items():
        if start is not None and name in start.parameters:
            place.fill_(start.parameters[name])  # a view of theta
    return theta


def _network_of(start: Solution, device: torch.device, dtype: torch.dtype) -> Network:
    """A copy of the solution's network to train on; what a solver searched for before stays as it was found."""
    network = copy.deepcopy(start.network).to(device, dtype).requires_grad_(True)
    if isinstance(network.basis, Perceptron) and network.basis.ridges is not None:
        network.basis.ridges = replace(network.basis.ridges, searched=())
    return network


def _default_points(network: Network, solver: Solver, columns: int) -> int:
    """Six for each basis function; where functions are local, three for every parameter, of the level to come.

    Where a Jacobian is formed, as many as give three rows for every parameter: about one a point for each column.
    """
    size, parameters = 6 * network.basis.size, sum(parameter.numel() for parameter in network.parameters())
    if network.basis.resolution is not None:
        size = max(size, 3 * parameters)
    elif solver.forms_jacobian:
        size = max(size, math.ceil(3 * parameters / columns))
    return max(size * solver.growth, FEWEST_POINTS)
