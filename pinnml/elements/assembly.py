"""Weak forms to residual vectors and sparse Jacobians, on all cells at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from pinnml.elements.pointwise import Integrand
from pinnml.elements.sparse import Pattern, SparseMatrix
from pinnml.errors import ShapeError

Parameters = Mapping[str, Tensor | float]


@dataclass(frozen=True, eq=False)
class Piece:
    """Functions of one element on c cells, with a share in the S numbers that an integrand takes of all fields.

    table (a, q, k): rows of the functions on the reference cell at its points; lift (c, q, s, a), or (c, 1, s, a)
    where it is the same at all points: from rows to s of the S numbers; places (s,): which these are; turns
    (c, k, k): the functions of a cell are turns @ those on the reference cell, None if they are the same; dofs (c, k):
    which numbers of the whole they are.
    """

    table: Tensor
    lift: Tensor
    places: Tensor
    turns: Tensor | None
    dofs: Tensor

    def to(self, device: torch.device) -> Piece:
        """The same on a device."""
        tensors = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return replace(self, **tensors)

    def at(self, u: Tensor) -> Tensor:
        """The functions with numbers u (b, N) at the points, (b, c, q, s)."""
        local = u[:, self.dofs]
        if self.turns is not None:
            local = torch.einsum("bck,ckl->bcl", local, self.turns)
        rows = torch.einsum("aqk,bck->bcqa", self.table, local)
        return (self.lift @ rows.unsqueeze(-1)).squeeze(-1)

    def tested(self, flux: Tensor) -> Tensor:
        """The sums over points of flux (b, c, q, S) times each function, (b, c, k)."""
        rows = (self.lift.mT @ flux[..., self.places].unsqueeze(-1)).squeeze(-1)
        local = torch.einsum("aqk,bcqa->bck", self.table, rows)
        return local if self.turns is None else torch.einsum("ckl,bcl->bck", self.turns, local)

    def between(self, slopes: Tensor, weight: Tensor, trial: Piece) -> Tensor:
        """The sums over points of weight (c, q) times slopes (b, c, q, S, S) between these functions and others.

        Local matrices (b, c, k, k'). Slopes of shape (1, 1, 1, S, S) are the same everywhere.
        """
        part = slopes[..., self.places, :][..., trial.places]
        rows = self.lift.mT @ part @ trial.lift  # (b, c, q, a, e)
        if rows.shape[2] == 1:  # straight cells, constant coefficients: the weights are alike up to their sum
            sums = torch.einsum("q,aqk,eql->aekl", weight[0] / weight[0].sum(), self.table, trial.table)
            scaled = (weight.sum(dim=1)[:, None, None] * rows[:, :, 0]).flatten(2)
            local = (scaled @ sums.flatten(2).flatten(0, 1)).unflatten(-1, sums.shape[2:])
        else:
            right = torch.einsum("bcqae,eql->bcaql", weight[..., None, None] * rows, trial.table)
            local = self.table.flatten(0, 1).T @ right.flatten(2, 3)
        if self.turns is not None:
            local = self.turns @ local
        return local if trial.turns is None else local @ trial.turns.mT


@dataclass(frozen=True, eq=False)
class Patch:
    """Weak forms on q points of each of c cells or facets, and the functions of all fields there.

    weight (c, q). corners: the piecewise linear functions, whose dofs are the corners of the mesh, by which nodal
    parameters are known.
    """

    integrand: Integrand
    weight: Tensor
    pieces: tuple[Piece, ...]
    corners: Piece

    def residuals(self, u: Tensor, given: Mapping[str, Tensor], batch: int) -> list[Tensor]:
        """The local vectors (b, c, k) of every piece."""
        integrand, state, known = self._at_points(u, given, batch)
        flux = integrand.flux(state, known, graph=_tracked(u, given)).view(batch, *self.weight.shape, -1)
        return [piece.tested(self.weight.unsqueeze(-1) * flux) for piece in self.pieces]

    def matrices(self, u: Tensor, given: Mapping[str, Tensor], batch: int) -> list[Tensor]:
        """The local matrices (b, c, k, k') of all pairs of pieces."""
        slopes = self.integrand.constant_slopes(given)
        if slopes is None:
            integrand, state, known = self._at_points(u, given, batch)
            slopes = integrand.slopes(state, known, graph=_tracked(u, given)).unflatten(0, (batch, *self.weight.shape))
        else:
            slopes = slopes.view(1, 1, 1, *slopes.shape)
        return [test.between(slopes, self.weight, trial) for test in self.pieces for trial in self.pieces]

    def _at_points(
        self, u: Tensor, given: Mapping[str, Tensor], batch: int
    ) -> tuple[Integrand, Tensor, dict[str, Tensor]]:
        """The integrand on all points of the batch, the state (b n, S) and the parameters, numbers or (b n,), there."""
        state = u.new_zeros((*self.weight.shape, self.integrand.size))
        for piece in self.pieces:
            state = state.index_add(-1, piece.places, piece.at(u.unsqueeze(0))[0])
        known = {name: self._spread(value, batch) for name, value in given.items()}
        return self.integrand.repeated(batch), state.flatten(0, 1).repeat(batch, 1), known

    def _spread(self, value: Tensor, batch: int) -> Tensor:
        """A parameter: a number, or from nodal values (b or 1, p) at all points of the batch."""
        return value if value.ndim == 0 else self.corners.at(value)[..., 0].expand(batch, -1, -1).flatten()


class Form:
    """F_i(u) = sum over regions of the integral of w(u, v_i), and its derivatives by u.

    u (N,) holds the numbers of all fields. A parameter is a number, or nodal: a value at each corner of the mesh,
    (p,), or a batch of such fields, (b, p), which gives b vectors or matrices at once. Results are differentiable in u
    and in the parameters.
    """

    def __init__(self, patches: Sequence[Patch], size: int):
        self.patches, self.size = tuple(patches), size

    def residual(self, u: Tensor, parameters: Parameters | None = None) -> Tensor:
        """F (N,), or (b, N) for a batch of parameters."""
        batch, given = _batch(parameters, u)
        total = u.new_zeros((batch or 1, self.size))
        for patch in self.patches:
            for piece, local in zip(patch.pieces, patch.residuals(u, given, batch or 1), strict=True):
                total = total.index_add(1, piece.dofs.flatten(), local.flatten(1))
        return total if batch else total[0]

    def jacobian(self, u: Tensor, parameters: Parameters | None = None) -> SparseMatrix:
        """dF_i/du_j, or a batch of such matrices of one pattern."""
        batch, given = _batch(parameters, u)
        local = [each for patch in self.patches for each in patch.matrices(u, given, batch or 1)]
        entries = torch.cat([each.expand(batch or 1, -1, -1, -1).flatten(1) for each in local], dim=1)
        return self.pattern.summed(entries if batch else entries[0])

    @cached_property
    def pattern(self) -> Pattern:
        """Where the entries of all patches stand in the matrix."""
        rows, columns = [], []
        for patch in self.patches:
            numbers = [piece.dofs.int() for piece in patch.pieces]
            for i, j in product(numbers, numbers):
                rows.append(i.repeat_interleave(j.shape[1], dim=1).flatten())
                columns.append(j.repeat(1, i.shape[1]).flatten())
        return Pattern.of(torch.cat(rows), torch.cat(columns), self.size)


def _batch(parameters: Parameters | None, u: Tensor) -> tuple[int | None, dict[str, Tensor]]:
    """How many sets of parameters there are, None for a single one, and the parameters: () or (b or 1, p) each."""
    given = {name: torch.as_tensor(value, dtype=u.dtype, device=u.device) for name, value in (parameters or {}).items()}
    sizes = {value.shape[0] for value in given.values() if value.ndim == 2}
    if len(sizes) > 1 or any(value.ndim > 2 for value in given.values()):
        got = {name: tuple(value.shape) for name, value in given.items()}
        raise ShapeError("parameters of a form", expected="numbers, (p,) or (b, p) with one b", got=got)
    nodal = {name: value.expand(1, -1) if value.ndim == 1 else value for name, value in given.items()}
    return next(iter(sizes), None), nodal


def _tracked(u: Tensor, given: Mapping[str, Tensor]) -> bool:
    """Whether the result is to be differentiable."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (u, *given.values()))
