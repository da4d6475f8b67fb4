"""Functions of a place as members of a finite-element space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.domains.geometry import mapped
from pinnml.elements.piola import pulled_back
from pinnml.elements.space import Space
from pinnml.errors import ShapeError


def interpolate(space: Space, function: Callable[[Tensor], Any]) -> Tensor:
    """The degrees of freedom (size,) of a function of points (n, s), taken on every cell.

    The function gives (n,) for a Lagrange space, else vectors (n, s), as a tensor or an array, real or complex. Members
    of the space are met exactly. Raises ShapeError for values of another shape.
    """
    element, family = space.element.on(space.cells.kind), space.element.family
    points = np.array(element.points)
    at = mapped(space.cells, points, np.ones(len(points)))
    values = _values(function, at.x.flatten(end_dim=1), vectors=family != "P").unflatten(0, at.x.shape[:2])
    reference = pulled_back(family, at.jacobian, values)  # (C, q, v)
    matrix = torch.from_numpy(np.array(element.interpolation_matrix)).to(values.dtype)
    # basix's columns go through the points of the first component, then through those of the next
    return space.from_reference(reference.mT.flatten(start_dim=1) @ matrix.mT)


def _values(function: Callable[[Tensor], Any], x: Tensor, vectors: bool) -> Tensor:
    """The values (n, v) at points (n, s), in double precision."""
    values = torch.as_tensor(function(x))
    shape = tuple(x.shape) if vectors else (len(x),)
    if tuple(values.shape) != shape:
        cure = "return one number for each point" if not vectors else "stack the components along the last axis"
        raise ShapeError("a function to interpolate", expected=f"shape {shape}", got=tuple(values.shape), cure=cure)
    return values.to(torch.complex128 if values.is_complex() else torch.float64).reshape(len(x), -1)
