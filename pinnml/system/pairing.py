"""Fluxes at points, tested with functions: how a weak form becomes rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

#: The part of the norm of a flux below which what is tested of it counts as round-off.
FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class Pairing:
    """F_m(g) = sum over samples n and numbers s of weight_n g_ns v_mns, for M test functions v that carry S numbers.

    functions, values, S of each (n, k): which of the M functions carry number s at a sample, and weight_n v_mns; where
    fewer than k do, values are zero. metric (S,): the inner product of functions is the integral of
    sum_s metric_s v_s v'_s; factor (M, M): lower triangular, factor @ factor^T is their Gram matrix. measure: that of
    the domain on which they are.
    """

    functions: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    metric: Tensor
    factor: Tensor
    measure: float

    @property
    def size(self) -> int:
        """M."""
        return len(self.factor)

    def __getitem__(self, samples: Tensor | slice) -> Pairing:
        """The pairing on some of the samples."""
        functions, values = (tuple(each[samples] for each in group) for group in (self.functions, self.values))
        return replace(self, functions=functions, values=values)

    def to(self, device: torch.device, dtype: torch.dtype) -> Pairing:
        """The same on a device, in a floating-point type."""
        functions = tuple(each.to(device) for each in self.functions)
        values = tuple(each.to(device, dtype) for each in self.values)
        metric, factor = self.metric.to(device, dtype), self.factor.to(device, dtype)
        return Pairing(functions, values, metric, factor, self.measure)

    def summed(self, number: int, g: Tensor) -> Tensor:
        """The share in F of one number s of the flux: g (n,) gives (M,), and g (n, P) gives (M, P)."""
        functions, values = self.functions[number], self.values[number]
        samples = torch.arange(len(functions), device=g.device).repeat_interleave(functions.shape[1])
        places, shape = torch.stack([functions.flatten(), samples]), (self.size, len(functions))
        matrix = torch.sparse_coo_tensor(places, values.flatten(), shape, check_invariants=False)
        return matrix @ g if g.ndim == 2 else (matrix @ g.unsqueeze(1)).squeeze(1)

    def whitened(self, rows: Tensor) -> Tensor:
        """factor^-1 rows, (M,) or (M, P): of F the sum of squares is the square of its norm as a functional.

        That norm is the largest F(v) over all v of norm one.
        """
        columns = rows if rows.ndim == 2 else rows.unsqueeze(1)
        return torch.linalg.solve_triangular(self.factor, columns, upper=False).view(rows.shape)

    def size_of(self, flux: Sequence[Tensor], weight: Tensor) -> Tensor:
        """How large F(g) is without cancellation, for a flux of S times (n,) at samples of a weight (n,).

        The norms of F for each number of the flux alone, added up; and a thousandth of the norm of the flux, which no
        F exceeds, for where every number alone leaves round-off.
        """
        alone = (torch.linalg.vector_norm(self.whitened(self.summed(s, g))) for s, g in enumerate(flux))
        squares = (weight @ g.square() / each for g, each in zip(flux, self.metric, strict=True))
        return sum(alone, start=FLOOR * sum(squares, start=weight.new_zeros(())).sqrt())
