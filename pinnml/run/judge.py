"""From the end of a solve to the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from pinnml.networks import Network
from pinnml.problem import Problem, bare_faces
from pinnml.results import Verdict, distance, error_sample, errors, provenance, values_at
from pinnml.run.loop import Loop
from pinnml.run.natural_conditions import replaced, unmet
from pinnml.solvers import Status

#: Random points that tell whether a field is zero.
FEW = 100


def judge(loop: Loop, status: Status, record: Mapping[str, Any], seconds: float, half: Loop | None) -> Verdict:
    """The verdict on where the loop stands.

    record: what was asked, from `solve`. seconds: when the solver had ended, since the solve began; what came
    after, a second solve included, is `seconds_verify`. half: the solve with half the basis that a promise is
    checked against when there is nothing else.
    """
    system, theta = loop.system, loop.theta
    network, parameters = system.network_at(theta), system.parameters_at(theta)
    held_out = system.held_out or system
    relative_errors = errors(system.problem, network, parameters)
    difference = {}
    if half is not None:
        other = half.system.network_at(half.theta), half.system.parameters_at(half.theta)
        difference = distance(system.problem, other, (network, parameters))
    with torch.no_grad():
        rows = system.residual(theta)
    total = float(rows.square().sum()) or 1.0
    return Verdict(
        status=status,
        relative_l2=relative_errors,
        held_out=held_out.rms(theta),
        training=system.rms(theta),
        relative=held_out.relative(theta),
        shares={name: float(rows[place].square().sum()) / total for name, place in system.rows.items()},
        difference=difference,
        expected=record["expect"],
        seconds=seconds,
        seconds_verify=loop.seconds() - seconds,
        steps=loop.steps,
        parameters=system.n_params,
        residuals=system.n_residuals,
        parameters_found=parameters,
        zero_fields=_zero_fields(system.problem, network, parameters, relative_errors),
        unmet=unmet(system.problem, network, parameters, replaced(system.problem, system.rows)),
        warnings=tuple(bare_faces(system.problem, weakly=record["tests"] is not None)),
        seed=record["seed"],
        device=record["device"],
        dtype=record["dtype"],
        solver=record["solver"]["kind"],
        network=record["network"]["kind"],
        notes=loop.notes | dict(network.basis.remarks(held_out.inputs)),
        provenance=provenance(),
    )


def unjudged(loop: Loop, record: Mapping[str, Any]) -> Verdict:
    """An empty verdict where the loop stands, for when an equation or a callback has failed: nothing is evaluated."""
    system = loop.system
    unknown = dict.fromkeys(system.rows, math.nan)
    return Verdict(
        status=Status.INTERRUPTED,
        relative_l2={field.name: None for field in system.problem.fields},
        held_out=unknown,
        training=unknown,
        relative=unknown,
        expected=record["expect"],
        seconds=loop.seconds(),
        seconds_verify=0.0,
        steps=loop.steps,
        parameters=system.n_params,
        residuals=system.n_residuals,
        parameters_found=system.parameters_at(loop.theta),
        seed=record["seed"],
        device=record["device"],
        dtype=record["dtype"],
        solver=record["solver"]["kind"],
        network=record["network"]["kind"],
        notes=dict(loop.notes),
        provenance=provenance(),
    )


def _zero_fields(
    problem: Problem, network: Network, parameters: Mapping[str, float], known: Mapping[str, float | None]
) -> tuple[str, ...]:
    """Fields that vanish at random points, though nothing is known to say that they should."""
    found = values_at(problem, network, parameters, error_sample(problem, FEW).x)
    return tuple(name for name, values in found.items() if known[name] is None and not values.any())
