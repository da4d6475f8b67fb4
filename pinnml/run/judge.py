"""From the end of a solve to the verdict on it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from pinnml.deadline import NEVER, Deadline, OutOfTimeError
from pinnml.domains import Points
from pinnml.networks import Network
from pinnml.problem import Problem, bare_faces
from pinnml.results import Verdict, error_sample, errors, provenance, told, values_at
from pinnml.run.loop import Loop
from pinnml.run.preparation import unseen_by
from pinnml.run.request import Request
from pinnml.solvers import Status
from pinnml.system import System
from pinnml.verification import Verification, missing_conditions, replaced, unmet, verify

#: Random points that tell whether a field is zero.
FEW = 100
#: Seconds that a second solve has at least, where the first one's are limited: without it no solution is called good
#: of which nothing is known, and it ends in seconds as a rule.
LEAST_SECONDS = 60.0
#: The functions of a second solve are drawn from a stream of their own.
SECOND_STREAM = 5 * 2**31


#: What a second solve says, why it says nothing though it was wanted, or None where there was none.
Check = Verification | str | None


def judge(loop: Loop, status: Status, record: Mapping[str, Any], seconds: float, check: Check) -> Verdict:
    """The verdict on where the loop stands.

    record: what was asked, from `solve`. seconds: when the solver had ended, since the solve began; what came
    after, a second solve included, is `seconds_verify`. check: from `check_of`.
    """
    system, theta = loop.system, loop.theta
    network, parameters = system.network_at(theta), system.parameters_at(theta)
    held_out = system.held_out or system
    relative_errors = errors(system.problem, network, parameters)
    with torch.no_grad():
        rows = system.residual(theta)
    total = float(rows.square().sum()) or 1.0
    silent = check if isinstance(check, str) else ""
    all_known = None not in relative_errors.values()
    return Verdict(
        status=status,
        relative_l2=relative_errors,
        held_out=held_out.rms(theta),
        training=system.rms_of(rows),
        relative=held_out.relative(theta),
        shares={name: float(rows[place].square().sum()) / total for name, place in system.rows.items()},
        expected=record["expect"],
        seconds=seconds,
        seconds_verify=loop.seconds() - seconds,
        steps=loop.steps,
        parameters=system.n_params,
        residuals=system.n_residuals,
        parameters_found=parameters,
        zero_fields=_zero_fields(system.problem, network, parameters, relative_errors),
        unmet=unmet(system.problem, network, parameters, replaced(system.problem, system.rows)),
        missing=(*missing_conditions(system.problem, system.blocks), *_scattered(system)),
        warnings=(
            *bare_faces(system.problem, weakly=record["tests"] is not None),
            *_search_ended(loop.notes, network.basis.size),
            *((f"The error was not estimated: {silent}.",) if silent and all_known else ()),
        ),
        unchecked="" if all_known else silent,
        seed=record["seed"],
        device=record["device"],
        dtype=record["dtype"],
        solver=record["solver"]["kind"],
        network=record["network"]["kind"],
        notes=loop.notes | dict(network.basis.remarks(held_out.inputs)),
        provenance=provenance(),
        **_checked(check),
    )


def check_of(loop: Loop, status: Status, request: Request, budget: float | None) -> Check:
    """What a second solve says of where the loop stands; None where none was wanted, or there is nothing to say.

    Scattered points have no others to be solved on. Interrupted, a second solve says nothing either. One that fails, or
    runs out of time, does not cost the solution, but is told. budget: seconds that it may take, None for no limit.
    """
    unsound = status in (Status.INTERRUPTED, Status.NOT_FINITE)
    if not request.verify or unsound or isinstance(request.problem.domain, Points):
        return None
    anew = unseen_by(request)
    deadline = NEVER if budget is None else Deadline(time.perf_counter() + budget)

    def timely(network: Network, points: int) -> System:
        return anew(network, points).within(deadline)

    try:
        return verify(loop.system, loop.theta, timely, request.seed + SECOND_STREAM)
    except OutOfTimeError:
        cure = "give the solve more seconds, or verify=False to go by the residuals alone"
        return f"the second solve did not end within {budget:.3g} s ({cure})"
    except KeyboardInterrupt:
        return None
    except Exception as error:  # also LAPACK's, or a lack of memory: the solution is there
        return f"the second solve failed: {told(error).partition(chr(10))[0].rstrip('.')}"


def seconds_to_check(limit: float | None) -> float | None:
    """Where the first solve has a limit of time the second may take as long again, and some seconds at least."""
    return None if limit is None else max(limit, LEAST_SECONDS)


def _checked(check: Check) -> dict[str, Any]:
    """What a second solve adds to a verdict."""
    if not isinstance(check, Verification):
        return {}
    found = check.determination
    return {
        "estimate": check.estimate,
        "estimated_by": "a second solve with a richer basis",
        "parameter_estimates": check.parameters,
        "null": found.null | found.parameters_null,
        "together": found.together,
        "reach": found.reach,
        "beside_zero": check.beside_zero,
        "gain": check.gain,
        "worst_left": check.worst,
        "noise": check.noise,
        "standard_errors": check.standard_errors,
        "unseen": check.unseen,
    }


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


def _search_ended(notes: Mapping[str, Any], size: int) -> Iterator[str]:
    """A sentence where the search of the bandwidth went to the end of its scan. size: the number of functions."""
    if "search ended at" in notes:
        found, end = [float(value) for value in str(notes["bandwidth"]).split()], float(notes["search ended at"])
        more = ", ".join(f"{2 * value if value >= end else value:g}" for value in found)
        yield (
            f"The search of the bandwidth, which scans 1 to {end:g}, ended at {notes['bandwidth']} with "
            f"{float(notes['search left']):.1e} left of an equation: finer waves may be missing. Give more functions "
            f"and a larger bandwidth, such as Features({2 * size}, bandwidth=({more}{',' * (len(found) == 1)}))."
        )


def _scattered(system: System) -> list[str]:
    """What keeps equations with derivatives on scattered points alone from being judged: no other points are there."""
    if not isinstance(system.problem.domain, Points) or all(block.needs.outputs.order == 0 for block in system.blocks):
        return []
    return [
        "Scattered points alone do not tell whether the equations determine the fields between them: state the domain, "
        "such as a Box, and give the points as data=."
    ]


def _zero_fields(
    problem: Problem, network: Network, parameters: Mapping[str, float], known: Mapping[str, float | None]
) -> tuple[str, ...]:
    """Fields that vanish at random points, though nothing is known to say that they should."""
    found = values_at(problem, network, parameters, error_sample(problem, FEW).x)
    return tuple(name for name, values in found.items() if known[name] is None and not values.any())
