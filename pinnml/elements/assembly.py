"""Weak forms to local vectors and matrices, on all cells of a patch at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from pinnml.elements.pointwise import Integrand


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

    @property
    def functions(self) -> Tensor:
        """What every function carries at the points, (s, c, q, k)."""
        carried = torch.einsum("cqsa,aqk->scqk", self.lift.expand(-1, self.table.shape[1], -1, -1), self.table)
        return carried if self.turns is None else torch.einsum("ckl,scql->scqk", self.turns, carried)

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
        rows = self._rows(slopes, trial)
        if not rows:
            return slopes.new_zeros((1, *self.dofs.shape, trial.dofs.shape[1]))
        local = _summed(rows, weight, self.table, trial.table)
        if self.turns is not None:
            local = self.turns @ local
        return local if trial.turns is None else local @ trial.turns.mT

    def _rows(self, slopes: Tensor, trial: Piece) -> dict[tuple[int, int], Tensor]:
        """The slopes carried back to rows of the reference cell, (b, c, q) for each pair (a, e) that is not zero."""
        rows: dict[tuple[int, int], Tensor] = {}
        for (s, mine), (t, other) in product(enumerate(self.places.tolist()), enumerate(trial.places.tolist())):
            slope = slopes[..., mine, other]
            if slope.requires_grad or bool(slope.any()):
                for a, e in product(self._filled[s], trial._filled[t]):
                    term = self.lift[..., s, a] * slope * trial.lift[..., t, e]
                    rows[a, e] = rows[a, e] + term if (a, e) in rows else term
        return rows

    @cached_property
    def _filled(self) -> list[list[int]]:
        """For each of the s numbers the rows that lift takes it from."""
        return [[a for a in range(self.lift.shape[-1]) if bool(row[..., a].any())] for row in self.lift.unbind(-2)]


def _summed(rows: Mapping[tuple[int, int], Tensor], weight: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """The sum over pairs (a, e) and points of weight times row (b, c, q) times both tables (., q, k), (b, c, k, k')."""
    pairs, values = list(rows), list(rows.values())
    products = torch.stack([first[a].unsqueeze(2) * second[e].unsqueeze(1) for a, e in pairs])  # (p, q, k, k')
    if values[0].shape[2] == 1:  # straight cells, constant coefficients: the weights are alike up to their sum
        products = torch.einsum("q,pqkl->pkl", weight[0] / weight[0].sum(), products).unsqueeze(1)
        weight = weight.sum(dim=1, keepdim=True)
    stacked = torch.stack([weight * value for value in values], dim=2).flatten(2)  # (b, c, p q)
    return (stacked @ products.flatten(0, 1).flatten(1)).unflatten(-1, products.shape[2:])


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

    def matrices(self, u: Tensor, given: Mapping[str, Tensor], batch: int, slopes: Tensor | None) -> list[Tensor]:
        """The local matrices (b, c, k, k') of all pairs of pieces.

        slopes (S, S): those of the integrand where they are the same everywhere.
        """
        if slopes is None:
            integrand, state, known = self._at_points(u, given, batch)
            slopes = integrand.slopes(state, known, graph=_tracked(u, given)).unflatten(0, (batch, *self.weight.shape))
        else:
            slopes = slopes.view(1, 1, 1, *slopes.shape)
        return [test.between(slopes, self.weight, trial) for test in self.pieces for trial in self.pieces]

    def corner_matrices(self, slopes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """What each corner of the cells adds to the local matrices where a nodal parameter scales slopes (n, S, S).

        For every number of the local matrices (c, k, k') of all pairs of pieces, (e,): the corner's, and the part.
        """
        slopes = slopes.unflatten(0, (1, *self.weight.shape))
        for corner, share in zip(self.corners.dofs.unbind(1), self.corners.table[0].unbind(1), strict=True):
            scaled = share[:, None, None] * slopes
            local = [test.between(scaled, self.weight, trial) for test in self.pieces for trial in self.pieces]
            corners = [corner.repeat_interleave(each[0, 0].numel()) for each in local]
            yield torch.cat(corners), torch.cat([each.flatten() for each in local])

    def corner_vectors(self, slopes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """What each corner of the cells adds to the local vectors where a nodal parameter scales a flux (n, S).

        For every number of the local vectors (c, k) of all pieces, (e,): the corner's, and the part.
        """
        flux = (self.weight.unsqueeze(-1) * slopes.unflatten(0, self.weight.shape)).unsqueeze(0)
        for corner, share in zip(self.corners.dofs.unbind(1), self.corners.table[0].unbind(1), strict=True):
            local = [piece.tested(share.unsqueeze(-1) * flux) for piece in self.pieces]
            corners = [corner.repeat_interleave(each.shape[2]) for each in local]
            yield torch.cat(corners), torch.cat([each.flatten() for each in local])

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


def _tracked(u: Tensor, given: Mapping[str, Tensor]) -> bool:
    """Whether the result is to be differentiable."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (u, *given.values()))
