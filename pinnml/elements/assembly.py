"""Weak forms to residual vectors and sparse Jacobians, on all cells at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from pinnml.elements.pointwise import Integrand
from pinnml.elements.sparse import Pattern, SparseMatrix
from pinnml.errors import ShapeError

Parameters = Mapping[str, Tensor | float]
#: Points of a batch that are evaluated at a time: few enough to stay in a CPU's cache.
AT_ONCE = {"cpu": 2**16, "cuda": 2**22}


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

    def __init__(self, patches: Sequence[Patch], size: int, corners: int):
        self.patches, self.size, self.corners = tuple(patches), size, corners

    def residual(self, u: Tensor, parameters: Parameters | None = None) -> Tensor:
        """F (N,), or (b, N) for a batch of parameters."""
        batch, given = self._batch(parameters, u)
        if batch is None:
            return self._residuals(u, given, 1)[0]
        return torch.cat([self._residuals(u, part, size) for size, part in self._parts(batch, given)])

    def jacobian(self, u: Tensor, parameters: Parameters | None = None) -> SparseMatrix:
        """dF_i/du_j, or a batch of such matrices of one pattern."""
        batch, given = self._batch(parameters, u)
        if batch is None:
            return self.pattern.summed(self._entries(u, given, 1)[0])
        parts = [self.pattern.summed(self._entries(u, part, size)).values for size, part in self._parts(batch, given)]
        return SparseMatrix(self.pattern, torch.cat(parts))

    def _residuals(self, u: Tensor, given: Mapping[str, Tensor], batch: int) -> Tensor:
        """F for every set of parameters, (b, N)."""
        total = u.new_zeros((batch, self.size))
        for patch in self.patches:
            for piece, local in zip(patch.pieces, patch.residuals(u, given, batch), strict=True):
                total = total.index_add(1, piece.dofs.flatten(), local.flatten(1))
        return total

    def _entries(self, u: Tensor, given: Mapping[str, Tensor], batch: int) -> Tensor:
        """The entries of all local matrices for every set of parameters, (b, e)."""
        integrands = {patch.integrand.weak: patch.integrand for patch in self.patches}
        constant = {weak: integrand.constant_slopes(given) for weak, integrand in integrands.items()}
        local = [p.matrices(u, given, batch, constant[p.integrand.weak]) for p in self.patches]
        return torch.cat([each.expand(batch, -1, -1, -1).flatten(1) for parts in local for each in parts], dim=1)

    def _parts(self, batch: int, given: Mapping[str, Tensor]) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """A batch of parameters in pieces that do not take many more points at a time than one of them."""
        points = max(patch.weight.numel() for patch in self.patches)
        size = max(AT_ONCE[self.patches[0].weight.device.type] // points, 1)
        for start in range(0, batch, size):
            rows = slice(start, start + size)
            part = {n: value[rows] if value.ndim == 2 and len(value) == batch else value for n, value in given.items()}
            yield min(size, batch - start), part

    def _batch(self, parameters: Parameters | None, u: Tensor) -> tuple[int | None, dict[str, Tensor]]:
        """How many sets of parameters there are, None for one, and the parameters: () or (b or 1, p) each."""
        given = {n: torch.as_tensor(value, dtype=u.dtype, device=u.device) for n, value in (parameters or {}).items()}
        sizes = {value.shape[0] for value in given.values() if value.ndim == 2}
        fit = all(value.ndim == 0 or (value.ndim < 3 and value.shape[-1] == self.corners) for value in given.values())
        if len(sizes) > 1 or not fit or u.shape != (self.size,):
            shapes = {"u": tuple(u.shape)} | {name: tuple(value.shape) for name, value in given.items()}
            p = self.corners
            expected = f"u ({self.size},) and parameters that are numbers, ({p},) or (b, {p}), with one b"
            cure = f"give one value for each of the {p} corners of the mesh"
            raise ShapeError("the numbers of a form", expected=expected, got=shapes, cure=cure)
        nodal = {name: value.expand(1, -1) if value.ndim == 1 else value for name, value in given.items()}
        return next(iter(sizes), None), nodal

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


def _tracked(u: Tensor, given: Mapping[str, Tensor]) -> bool:
    """Whether the result is to be differentiable."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (u, *given.values()))
