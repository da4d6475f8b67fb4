"""A prediction as a solution: fields to be called, written and compared, with a verdict on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.classical import plain_verdict, record_of
from pinnml.elements import element_network
from pinnml.problem import Problem, at_corners
from pinnml.results import Solution, Verdict
from pinnml.surrogates.calibration import PLAIN, Calibration
from pinnml.surrogates.estimate import Estimator
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.mending import Mended, mended

SURROGATE = "surrogate"


def prediction(
    estimator: Estimator,
    u: Tensor | np.ndarray,
    draw: Mapping[str, Any],
    *,
    tolerance: float | None = None,
    calibration: Calibration = PLAIN,
    expect: float | None = None,
    surrogate: str = SURROGATE,
    seconds: float = 0.0,
) -> Solution:
    """Predicted numbers u (N,) of a draw as a solution, with a verdict whose estimate the equations themselves tell.

    It is good where the estimated error of every field, calibrated, is at most `expect`, by default 1e-2. tolerance: an
    estimated error above it is mended, or solved; by default none is. surrogate: what predicted them; seconds: how long
    that took.

    The solution's problem is that of the draw, linear within cells. On cells that are no simplices, where nodal values
    are no function that is known, it has none unless all that is random are numbers: it can be called and written, but
    not asked for residuals and integrals.

    Raises as the estimator does.
    """
    began = time.perf_counter()
    family = estimator.corrector.family
    if tolerance is None:
        found = Mended.as_predicted(estimator(u, draw), calibration)
    else:
        found = mended(estimator, u, draw, tolerance, calibration)
    verdict = _verdict(family, found, calibration, expect, surrogate)
    verdict = replace(verdict, seconds=seconds, seconds_verify=time.perf_counter() - began)
    network = element_network(family.parts, torch.from_numpy(found.fields))
    problem, record = _drawn(family, draw), record_of(family.parts, expect)
    record |= {"solver": {"kind": SURROGATE, "functions": []}}
    parameters = family.problem.parameters
    return Solution(
        family.parts.problem.domain, family.problem.fields, network, parameters, verdict, (), problem, record
    )


def _verdict(family: Family, found: Mended, calibration: Calibration, expect: float | None, surrogate: str) -> Verdict:
    """The verdict on an answer; the seconds are left to the caller."""
    estimate, notes = found.estimate, {"way": found.way, "estimate before": found.estimate.worst}
    if estimate.energy is not None:
        notes |= {"energy before": f"{estimate.energy[0]:.3g} to {estimate.energy[1]:.3g}"}
    by = estimate.by + (f", times {calibration.factor:.3g}" if calibration.pairs else "")
    plain = plain_verdict(family.parts, found.status, 0.0, 0.0)
    return replace(
        plain,
        held_out={},
        training={},
        relative={},
        steps=found.sweeps,
        parameters_found=dict(family.problem.parameters),
        solver=SURROGATE,
        network=surrogate,
        estimate=dict(found.relative),
        estimated_by=by,
        expected=expect,
        notes=notes,
    )


def _drawn(family: Family, draw: Mapping[str, Any]) -> Problem | None:
    """The problem of a draw; None where nodal values are no function of the coordinates."""
    kind = family.mesh.cells.kind
    nodal = [name for name, value in draw.items() if np.ndim(value)]
    if nodal and kind.corners != kind.dimension + 1:
        return None
    values = {name: at_corners(family.mesh, value) if name in nodal else float(value) for name, value in draw.items()}
    return family.problem.with_values(values)
