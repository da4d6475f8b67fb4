"""Fits of values by cosines: models that are linear in all that is trained."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from pinnml import Equation, Points, Problem, Wrapped
from pinnml.system import System


class Cosines(nn.Module):
    """Functions without parameters: theta is the head alone, and the model is linear in it."""

    def __init__(self, count: int):
        super().__init__()
        self.register_buffer("order", torch.arange(count, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cos(torch.pi * x * self.order) / (1 + self.order)


def values(points: int, inside: bool = False) -> Problem:
    """A fit of values at points, which three cosines reach or nothing does."""
    x = (np.arange(points) + 0.5) / points
    x[0], x[-1] = 0.0, 1.0
    value = np.cos(np.pi * x) - np.cos(2 * np.pi * x) if inside else np.exp(x) + (-1.0) ** np.arange(points)

    def fit(u, value):
        return u - value

    return Problem(domain=Points({"x": x}, {"value": value}), fields=("u",), equations=(Equation(fit),))


def linear_model(points: int, functions: int, weight: float = 1.0) -> tuple[System, np.ndarray]:
    """A system that is linear in the whole of theta, and its Jacobian."""
    problem = values(points)
    network = Wrapped(Cosines(functions)).build(
        problem.domain, 1, torch.Generator(), torch.float64, torch.device("cpu")
    )
    s = System.build(problem, network, {"interior": problem.domain.all()}).with_weights({"fit": weight})
    x = problem.domain.all().x
    return s, math.sqrt(weight / points) * Cosines(functions)(x).numpy()
