"""Values and derivatives of finite-element functions on cells and their facets."""

from __future__ import annotations

import torch
from torch import Tensor

from pinnml.domains.geometry import Mapped, located
from pinnml.elements.piola import carriers, pushed, reference_rows
from pinnml.elements.space import Space


def at_places(space: Space, coefficients: Tensor, cells: Tensor, points: Tensor) -> Tensor:
    """The rows (a, n) of one function at n reference points (n, s), each on a cell of its own by number (n,)."""
    local = space.to_reference(coefficients, cells)
    rows = torch.einsum("ank,nk->an", table(space, points), local)
    _, jacobian = located(space.cells, cells.numpy(), points.numpy())
    return pushed(space.element.family, jacobian.unsqueeze(1), rows[..., None, None])[..., 0, 0]


def table(space: Space, points: Tensor) -> Tensor:
    """The functions on the reference cell in rows, at points (q, s): (a, q, k)."""
    return reference_rows(space.element.family, space.element.on(space.cells.kind), points.numpy())


def lift(space: Space, mapped: Mapped) -> Tensor:
    """The matrices that carry rows to cells, (c, q, a, a); (c, 1, a, a) where the mapping is affine."""
    jacobian = mapped.jacobian[:, :1] if space.cells.kind.is_affine else mapped.jacobian
    first, second = carriers(space.element.family, jacobian)
    shape = jacobian.shape[:2]
    upper = torch.cat(
        [first.expand(*shape, -1, -1), jacobian.new_zeros((*shape, first.shape[-2], second.shape[-1]))], -1
    )
    lower = torch.cat([jacobian.new_zeros((*shape, second.shape[-2], first.shape[-1])), second], -1)
    return torch.cat([upper, lower], dim=-2)
