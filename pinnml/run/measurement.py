"""How the loop follows a solve: the loss on points that were held out, and the error where something is known."""

from __future__ import annotations

import torch
from torch import Tensor

from pinnml.problem import Problem
from pinnml.results import error_sample, known_solution, relative_l2, values_at
from pinnml.run.loop import Measure
from pinnml.system import System

#: Points on which the error is followed while a solve runs, and the stream of a seed that they are drawn from.
FOLLOWED_POINTS, FOLLOWED_STREAM = 2000, 2**32


def measure_of(problem: Problem, seed: int) -> Measure:
    """The loss on held-out points, and the worst field's error on some points."""
    sample = error_sample(problem, FOLLOWED_POINTS, seed + FOLLOWED_STREAM)
    x, weight = sample.x, sample.weight.numpy()
    known = known_solution(problem, x)

    def measure(system: System, theta: Tensor) -> tuple[float | None, float | None]:
        with torch.no_grad():
            held_out = None if system.held_out is None else float(system.held_out.loss(theta))
        if not known:
            return held_out, None
        found = values_at(problem, system.network_at(theta), system.parameters_at(theta), x)
        return held_out, max(relative_l2(found[name], array, weight) for name, array in known.items())

    return measure
