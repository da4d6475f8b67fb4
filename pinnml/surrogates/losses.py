"""What training makes small: errors against solutions, and what the equations themselves leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.surrogates.families.family import Family
from pinnml.validation import not_negative

#: Terms of a loss.
TERMS = ("l2", "h1", "residual")


@dataclass(frozen=True)
class Loss:
    """l2 |e|_0^2 / |u|_0^2 + h1 |grad e|_0^2 / |grad u|_0^2 + residual |D^-1 F(u + e)|^2 / |D^-1 F(fixed)|^2.

    Weights of the terms, means over samples. e: the error of a prediction; |.|_0 with lumped masses, node by node. F
    are the discrete equations of the same problem text where fields are free and D the diagonal of their matrix at the
    middle of all draws: with this term alone no solution is needed.

    Raises SettingsError where all weights are zero.
    """

    l2: float = 1.0
    h1: float = 0.0
    residual: float = 0.0

    def __post_init__(self) -> None:
        for name in TERMS:
            not_negative(f"weight of '{name}' in the loss", getattr(self, name))
        if not any(getattr(self, name) for name in TERMS):
            cure = "write Loss(l2=1.0), or Loss(l2=0.0, residual=1.0) to train without solutions"
            raise SettingsError("a loss", expected="a weight above 0", got=repr(self), cure=cure)


@dataclass(frozen=True, eq=False)
class Measures:
    """The norms of a family's fields as a loss takes them, in the precision and on the device of training."""

    family: Family
    dtype: torch.dtype
    device: torch.device

    @cached_property
    def masses(self) -> Tensor:
        """Lumped masses (N,): the diagonal of the mass matrix, scaled to the measure of the domain.

        Positive for elements of any degree, where sums of rows are not (Hinton, Rock and Zienkiewicz, Earthquake Eng.
        Struct. Dyn. 4, 1976).
        """
        mass = self.family.mass
        diagonal = mass.diagonal()
        return self._tensor(diagonal * (mass.sum() / diagonal.sum()))

    @cached_property
    def stiffness(self) -> Tensor:
        """K (N, N), sparse."""
        return self._sparse(self.family.stiffness)

    @cached_property
    def free(self) -> Tensor:
        """The projection (N, N) on what conditions on values leave free, sparse."""
        free = self.family.constraint(self.family.middle).free
        return self._sparse(csr_array(free @ free.T))

    @cached_property
    def diagonal(self) -> Tensor:
        """Of the matrix of the equations at the middle draw and zero fields, (N,)."""
        zero = torch.zeros(self.family.size, dtype=torch.float64)
        return self._tensor(np.abs(self.family.matrix(zero, self.family.middle).diagonal()))

    def squared(self, e: Tensor) -> Tensor:
        """|e|_0^2 of each of e (b, N)."""
        return e.square() @ self.masses

    def slopes_squared(self, e: Tensor) -> Tensor:
        """|grad e|_0^2 of each of e (b, N)."""
        return (e * (self.stiffness @ e.T).T).sum(dim=1)

    def within(self, u: Tensor, fixed: Tensor) -> Tensor:
        """Predictions (b, N) made to meet conditions on values, whose part of the fields is fixed (b, N)."""
        return fixed + (self.free @ u.T).T

    def left(self, u: Tensor, draws: list[dict[str, Any]]) -> Tensor:
        """|D^-1 F(u; draw)|^2 of free fields for each of u (b, N); in double precision within."""
        residuals = [self.family.residual(each.double(), draw) for each, draw in zip(u, draws, strict=True)]
        scaled = torch.stack(residuals).to(self.dtype) / self.diagonal
        return (self.free @ scaled.T).T.square().sum(dim=1)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, self.dtype)

    def _sparse(self, matrix: csr_array) -> Tensor:
        entries = matrix.tocoo()
        places = torch.from_numpy(np.stack(entries.coords).astype(np.int64))
        values = torch.from_numpy(entries.data).to(self.dtype)
        return torch.sparse_coo_tensor(places, values, matrix.shape, check_invariants=False).coalesce().to(self.device)


def terms_of(loss: Loss, measures: Measures, u: Tensor, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """The terms of a loss with a weight, means over the samples of a batch.

    u (b, N): predictions. batch: `target` (b, N), `fixed` (b, N) and, for the equations, `draws`.
    """
    found = {}
    error = u - batch["target"]
    if loss.l2:
        found["l2"] = (measures.squared(error) / measures.squared(batch["target"])).mean()
    if loss.h1:
        found["h1"] = (measures.slopes_squared(error) / measures.slopes_squared(batch["target"])).mean()
    if loss.residual:
        with torch.no_grad():
            size = measures.left(batch["fixed"], batch["draws"])
        found["residual"] = (measures.left(u, batch["draws"]) / size).mean()
    return found


def total(loss: Loss, terms: Mapping[str, Tensor]) -> Tensor:
    """The weighted sum."""
    return torch.stack([getattr(loss, name) * value for name, value in terms.items()]).sum()
