"""A wave on the unit square by its weak form."""

from __future__ import annotations

from typing import Any

import torch

from pinnml import (
    Equation,
    Mesh,
    Problem,
    Weak,
    dot,
    grad,
)


def wave(x, y):
    return torch.sin(2 * x + 1) * torch.cos(3 * y)


def flux(x, y):
    """The slope of the wave along x."""
    return 2 * torch.cos(2 * x + 1) * torch.cos(3 * y)


def posed(mesh: Mesh, **more: Any) -> Problem:
    """-laplacian(u) = 13 wave: values on three sides, the flux on the west."""
    walls = Equation(lambda u, x, y: u - wave(x, y), on=("south", "north", "east"), name="wall")
    west = Weak(lambda v, x, y: flux(x, y) * v, on="west")
    inside = Weak(lambda u, v, x, y: dot(grad(u), grad(v)) - 13 * wave(x, y) * v)
    given = {"equations": (walls,), "weak": (inside, west), "exact": wave} | more
    return Problem(domain=mesh, fields="u", **given)
