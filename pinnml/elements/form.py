"""Weak forms to residual vectors and sparse Jacobians, for one set of parameters or a batch of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any

import torch
from torch import Tensor

from pinnml.elements.assembly import Patch
from pinnml.elements.coefficients import Affine
from pinnml.elements.pointwise import ROUND_OFF
from pinnml.elements.sparse import Pattern, SparseMatrix
from pinnml.errors import ShapeError

Parameters = Mapping[str, Tensor | float]
#: Points of a batch that are evaluated at a time: few enough to stay in a CPU's cache.
AT_ONCE = {"cpu": 2**16, "cuda": 2**22}
#: Fields in a batch for which it is worth finding how the Jacobian depends on them, which takes some ten Jacobians.
FEWEST = 8


class Form:
    """F_i(u) = sum over regions of the integral of w(u, v_i), and its derivatives by u.

    u (N,) holds the numbers of all fields. A parameter is a number, or nodal: a value at each corner of the mesh,
    (p,), or a batch of such fields, (b, p), which gives b vectors or matrices at once. Results are differentiable in u
    and in the parameters.

    Where the Jacobian is affine in nodal parameters and does not depend on u, the first batch of FEWEST fields or more
    finds how it depends on them; the form keeps that for the next one.
    """

    def __init__(self, patches: Sequence[Patch], size: int, corners: int):
        self.patches, self.size, self.corners = tuple(patches), size, corners
        self._affine: tuple[Mapping[str, float] | None, Affine | None] = None, None

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
        affine = self._affine_in(given, batch)
        if affine is not None and self._holds(affine, u, given):
            return SparseMatrix(self.pattern, affine.numbers(given, batch))
        parts = [self.pattern.summed(self._entries(u, part, size)).values for size, part in self._parts(batch, given)]
        return SparseMatrix(self.pattern, torch.cat(parts))

    def slopes(self, u: Tensor, parameters: Parameters, names: Sequence[str]) -> Tensor:
        """dF_i/dq for parameters q that are numbers, by name, (N, len(names))."""
        one = u.new_ones(())

        def by(name: str) -> Tensor:
            def residual(value: Tensor) -> Tensor:
                return self.residual(u, {**parameters, name: value})

            found: Any = torch.autograd.functional.jvp(residual, one * float(parameters[name]), one)
            return found[1]

        return torch.stack([by(name) for name in names], dim=1)

    @property
    def device(self) -> torch.device:
        """Where the patches are."""
        return self.patches[0].weight.device

    def affine(self, parameters: Parameters, nodal: Iterable[str]) -> tuple[Affine, Affine] | None:
        """How the numbers of A and b in F(u) = A u + b depend on some parameters; None where they are not affine.

        nodal: their names; as numbers they may be given as well, which have that value at all corners.
        """
        like = self.patches[0].weight
        given = {name: torch.as_tensor(value).to(like) for name, value in parameters.items()}
        given |= {name: like.new_ones((1, self.corners)) for name in nodal}
        matrix = Affine.of(self.patches, self.pattern, given)
        load = None if matrix is None else Affine.of_load(self.patches, self.size, given)
        return None if matrix is None or load is None else (matrix, load)

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

    def _affine_in(self, given: Mapping[str, Tensor], batch: int) -> Affine | None:
        """How the Jacobian depends on nodal parameters, where that is affine and worth finding."""
        numbers = {name: value for name, value in given.items() if value.ndim == 0}
        if batch < FEWEST or any(value.requires_grad for value in numbers.values()):
            return None
        key = {name: float(value) for name, value in numbers.items()}
        if self._affine[0] != key:
            self._affine = key, Affine.of(self.patches, self.pattern, given)
        return self._affine[1]

    def _holds(self, affine: Affine, u: Tensor, given: Mapping[str, Tensor]) -> bool:
        """Whether the Jacobian depends on parameters like that, by the mean of the fields of a batch.

        An integrand may look at more than it asks for, such as a variable that has another value by now. Then what was
        found is forgotten.
        """
        mean = {name: v.detach().mean(dim=0, keepdim=True) if v.ndim == 2 else v for name, v in given.items()}
        with torch.no_grad():
            found = affine.numbers(mean, 1)[0]
            expected = self.pattern.summed(self._entries(u.detach(), mean, 1)[0]).values
        most = ROUND_OFF * torch.finfo(u.dtype).eps * float(expected.abs().max())
        holds = float((found - expected).abs().max()) <= most
        if not holds:
            self._affine = None, None
        return holds

    def _parts(self, batch: int, given: Mapping[str, Tensor]) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """A batch of parameters in pieces that do not take many more points at a time than one of them."""
        points = max(patch.weight.numel() for patch in self.patches)
        size = max(AT_ONCE[self.device.type] // points, 1)
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
