"""How the loop follows a solve: the loss on points that were held out, and the error where something is known."""

from __future__ import annotations

import torch
from torch import Tensor

from pinnml.calculus import total_order
from pinnml.problem import Problem
from pinnml.results import fields_at, known_solution, relative_l2, value_array
from pinnml.run.loop import Measure
from pinnml.system import System

#: Points on which the error is followed while a solve runs, and the stream of a seed that they are drawn from.
FOLLOWED_POINTS, FOLLOWED_STREAM = 2000, 2**32


def measure_of(problem: Problem, seed: int) -> Measure:
    """The loss on held-out points, and the worst field's error on some points."""
    generator = torch.Generator().manual_seed(seed + FOLLOWED_STREAM)
    sample = problem.domain.held_out("interior", FOLLOWED_POINTS, generator)
    x, weight = sample.x, sample.weight.numpy()
    known, indices = known_solution(problem, x), total_order(problem.domain.axes, 0)

    def measure(system: System, theta: Tensor) -> tuple[float | None, float | None]:
        with torch.no_grad():
            held_out = None if system.held_out is None else float(system.held_out.loss(theta))
        if not known:
            return held_out, None
        fields = fields_at(system.network_at(theta), system.parameters_at(theta), x, indices, problem)
        found = {name: value_array(fields[name], len(x)) for name in known}
        return held_out, max(relative_l2(found[name], array, weight) for name, array in known.items())

    return measure
