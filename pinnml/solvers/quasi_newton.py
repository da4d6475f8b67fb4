"""Quasi-Newton directions from gradients alone (the L-BFGS two-loop recursion)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Pairs that are remembered, and the least curvature, relative to its bound, of a pair worth remembering.
MEMORY, LEAST_CURVATURE = 100, 1e-10


@dataclass(frozen=True)
class Memory:
    """Past moves s (P,) with the changes y (P,) of the gradient that they brought."""

    pairs: tuple[tuple[Tensor, Tensor], ...] = ()

    def direction(self, gradient: Tensor) -> Tensor:
        """-H g with the inverse Hessian that the pairs imply; -g of unit length if there are none.

        Source: Nocedal and Wright, Numerical Optimization, algorithm 7.4.
        """
        if not self.pairs:
            return -gradient / torch.linalg.vector_norm(gradient).clamp(min=torch.finfo(gradient.dtype).tiny)
        q, parts = gradient.clone(), []
        for move, change in reversed(self.pairs):
            part = (move @ q) / (move @ change)
            q -= part * change
            parts.append(part)
        move, change = self.pairs[-1]
        q *= (move @ change) / (change @ change)
        for (move, change), part in zip(self.pairs, reversed(parts), strict=True):
            q += (part - (change @ q) / (move @ change)) * move
        return -q

    def with_pair(self, move: Tensor, change: Tensor) -> Memory:
        """The memory with one more pair; pairs without positive curvature are passed over."""
        bound = torch.linalg.vector_norm(move) * torch.linalg.vector_norm(change)
        if not bool(move @ change > LEAST_CURVATURE * bound):
            return self
        return Memory((*self.pairs, (move, change))[-MEMORY:])
