"""Matrices that are affine in nodal parameters: how each of their numbers depends on the values at the corners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor
from torch.nn.functional import embedding_bag

from pinnml.elements.assembly import Patch
from pinnml.elements.monomials import FIXED, TEST, TRIAL, monomials
from pinnml.elements.sparse import Pattern

#: Numbers of a batch that are found at a time: few enough to stay in a CPU's cache.
AT_ONCE = {"cpu": 2**16, "cuda": 2**24}
#: Parts of local matrices by corner that are summed at most: 16 bytes each, 1 GB.
MOST = 2**26


@dataclass(frozen=True, eq=False)
class Affine:
    """Numbers of a matrix (z,) from nodal parameters: constant (z,) + sum over names of slopes (z, p) @ values (p,).

    constant: None where there is no such part.
    """

    constant: Tensor | None
    slopes: Mapping[str, Rows]

    @classmethod
    def of(cls, patches: Sequence[Patch], pattern: Pattern, given: Mapping[str, Tensor]) -> Affine | None:
        """Those of the Jacobian of weak forms; None where they are not affine, depend on u, or take much memory.

        given: parameters; of those that are nodal, (b, p), the values do not matter.
        """
        scaled = {tuple(sorted((TRIAL, TEST, name))): name for name, value in given.items() if value.ndim == 2}
        numbers = {name: value for name, value in given.items() if value.ndim == 0}
        found = [monomials(patch.integrand, numbers, scaled.values()) for patch in patches]
        if any(each is None for each in found):
            return None
        # what has no u in it is no part of the matrix, whatever it does to a parameter
        factors = {product for each in found if each for product in each if TRIAL in product}
        names = [name for product, name in scaled.items() if product in factors]
        corners = max(patch.corners.dofs.shape[1] for patch in patches)
        if not factors <= {FIXED, *scaled} or len(names) * corners * len(pattern.places) > MOST:
            return None
        with torch.no_grad():
            constant = _at_zero(patches, pattern, given) if FIXED in factors or not names else None
            return cls(constant, {name: _slopes(patches, pattern, given, name) for name in names})

    @classmethod
    def of_load(cls, patches: Sequence[Patch], size: int, given: Mapping[str, Tensor]) -> Affine | None:
        """Those of the residual (N,) at u = 0; None where they are not affine, or take much memory."""
        scaled = {tuple(sorted((TEST, name))): name for name, value in given.items() if value.ndim == 2}
        numbers = {name: value for name, value in given.items() if value.ndim == 0}
        found = [monomials(patch.integrand, numbers, scaled.values()) for patch in patches]
        if any(each is None for each in found):
            return None
        # an integrand is linear in its test functions: what has none in it is the zero that a sum began with
        factors = {product for each in found if each for product in each if TEST in product and TRIAL not in product}
        names = [name for product, name in scaled.items() if product in factors]
        most = len(names) * max(patch.corners.dofs.shape[1] for patch in patches) * size
        if not factors <= {(TEST,), *scaled} or most > MOST:
            return None
        with torch.no_grad():
            constant = _load_at_zero(patches, size, given) if (TEST,) in factors or not names else None
            return cls(constant, {name: _load_slopes(patches, size, given, name) for name in names})

    def numbers(self, given: Mapping[str, Tensor], batch: int) -> Tensor:
        """The numbers (b, z) for every set of parameters, each (b or 1, p)."""
        terms = [rows.times(given[name]) for name, rows in self.slopes.items()]
        terms += [] if self.constant is None else [self.constant.unsqueeze(0)]
        total = sum(terms[1:], start=terms[0])
        return total if len(total) == batch else total.repeat(batch, 1)


@dataclass(frozen=True, eq=False)
class Rows:
    """A sparse matrix (r, p) row by row: starts (r + 1,), and of each number its column and itself."""

    starts: Tensor
    columns: Tensor
    numbers: Tensor
    p: int

    @classmethod
    def of(cls, matrix: csr_array, p: int, device: torch.device) -> Rows:
        """A matrix of SciPy's with p columns."""
        arrays = (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)
        starts, columns, numbers = (torch.from_numpy(array).to(device) for array in arrays)
        return cls(starts, columns, numbers, p)

    def to_scipy(self) -> csr_array:
        """The matrix for SciPy."""
        arrays = tuple(tensor.cpu().numpy() for tensor in (self.numbers, self.columns, self.starts))
        return csr_array(arrays, shape=(len(self.starts) - 1, self.p))

    @cached_property
    def transposed(self) -> Rows:
        """Its columns as rows."""
        return Rows.of(self.to_scipy().T.tocsr(), len(self.starts) - 1, self.numbers.device)

    def times(self, x: Tensor) -> Tensor:
        """The products with each of x (b, p), (b, r), differentiable in x."""
        return _Times.apply(x, self)  # pyright: ignore[reportReturnType]

    def product(self, x: Tensor) -> Tensor:
        """The same without derivatives."""
        step = max(AT_ONCE[x.device.type] // len(x), 1)
        ends = [*self.starts[:-1:step].tolist(), len(self.columns)]
        values, found = x.T.contiguous(), x.new_empty((len(x), len(self.starts) - 1))
        pieces = zip(found.split(step, dim=1), self.starts[:-1].split(step), ends[:-1], ends[1:], strict=True)
        for piece, starts, first, last in pieces:
            columns, numbers = self.columns[first:last], self.numbers[first:last]
            piece.copy_(embedding_bag(columns, values, starts - first, mode="sum", per_sample_weights=numbers).T)
        return found


class _Times(torch.autograd.Function):
    """The products of a matrix with vectors; backward those of the transposed, which are differentiable again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Rows) -> Tensor:
        ctx.matrix = matrix
        return matrix.product(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return ctx.matrix.transposed.times(gradient), None


def _at_zero(patches: Sequence[Patch], pattern: Pattern, given: Mapping[str, Tensor]) -> Tensor:
    """The numbers of the matrix (z,) where all nodal parameters are zero."""
    zero = {name: torch.zeros_like(value[:1]) if value.ndim == 2 else value for name, value in given.items()}
    u = patches[0].weight.new_zeros(len(pattern.starts) - 1)
    local = [each.flatten() for patch in patches for each in patch.matrices(u, zero, 1, None)]
    return pattern.summed(torch.cat(local)).values


def _slopes(patches: Sequence[Patch], pattern: Pattern, given: Mapping[str, Tensor], name: str) -> Rows:
    """The derivatives of the numbers of the matrix by the values of a parameter at the corners, (z, p)."""
    shape, start = (len(pattern.columns), given[name].shape[1]), 0
    total = csr_array(shape)
    for patch in patches:
        one = patch.weight.new_ones(patch.weight.numel())
        known = {each: one if value.ndim == 2 else value for each, value in given.items()}
        parts = list(patch.corner_matrices(patch.integrand.slopes_by(name, known)))
        places = pattern.places[start : start + len(parts[0][0])]
        start += len(places)
        corners, values = (torch.cat(each).cpu().numpy() for each in zip(*parts, strict=True))
        rows = places.repeat(len(parts)).cpu().numpy()
        total += coo_array((values, (rows, corners)), shape=shape).tocsr()  # which leaves out what is zero
    return Rows.of(total, shape[1], pattern.starts.device)


def _load_at_zero(patches: Sequence[Patch], size: int, given: Mapping[str, Tensor]) -> Tensor:
    """The residual (N,) where u and all nodal parameters are zero."""
    zero = {name: torch.zeros_like(value[:1]) if value.ndim == 2 else value for name, value in given.items()}
    total = patches[0].weight.new_zeros(size)
    for patch in patches:
        for piece, local in zip(patch.pieces, patch.residuals(torch.zeros_like(total), zero, 1), strict=True):
            total = total.index_add(0, piece.dofs.flatten(), local.flatten())
    return total


def _load_slopes(patches: Sequence[Patch], size: int, given: Mapping[str, Tensor], name: str) -> Rows:
    """The derivatives of the residual at u = 0 by the values of a parameter at the corners, (N, p)."""
    shape = (size, given[name].shape[1])
    total = csr_array(shape)
    for patch in patches:
        one = patch.weight.new_ones(patch.weight.numel())
        known = {each: one if value.ndim == 2 else value for each, value in given.items()}
        slopes = patch.integrand.flux_by(name, known)
        rows = torch.cat([piece.dofs.flatten() for piece in patch.pieces]).cpu().numpy()
        for corners, values in patch.corner_vectors(slopes):
            total += coo_array((values.cpu().numpy(), (rows, corners.cpu().numpy())), shape=shape).tocsr()
    return Rows.of(total, shape[1], patches[0].weight.device)
