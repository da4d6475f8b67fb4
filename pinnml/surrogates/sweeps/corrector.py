"""Sweeps of a draw's own operator from a prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

from pinnml.classical import Found
from pinnml.elements import Constraint
from pinnml.errors import ProblemError, ShapeError
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.sweeps.congruence import Congruence
from pinnml.surrogates.sweeps.krylov import Preconditioner, Sweep
from pinnml.surrogates.sweeps.norms import FieldNorms
from pinnml.surrogates.sweeps.preconditioning import Preconditioning
from pinnml.surrogates.sweeps.progress import SETTLED, Progress, Track

#: A residual of which a correction leaves more than this part asks for the matrix at the corrected fields.
BENT = 0.5
#: The shortest step of Newton's method that is tried.
SHORTEST = 1 / 16


@dataclass(frozen=True, eq=False)
class Corrector:
    """Sweeps for every draw of a family. held: what conditions on values leave free, for all draws alike."""

    family: Family
    reduction: Congruence
    preconditioning: Preconditioning
    norms: FieldNorms
    held: Constraint

    @classmethod
    def of(cls, family: Family) -> Corrector:
        """What is found once. Raises as a solve of the middle draw does."""
        middle = family.middle
        held = family.constraint(middle)
        u = np.zeros(family.size) if family.is_linear else family.solve(middle).u.numpy()
        reduction = Congruence.of(*family.pattern, held.free, held.free)
        matrix = reduction(family.linearised(u, middle)[0].data)
        near_null, dimensions = held.free.T @ near_null_fields(family), len(family.mesh.bounds)
        symmetric = reduction.is_symmetric(matrix)
        preconditioning = Preconditioning.of(matrix, near_null, dimensions, symmetric=symmetric)
        return cls(family, reduction, preconditioning, FieldNorms.of(family), held)

    def within_conditions(self, u: np.ndarray, draw: Mapping[str, Any]) -> np.ndarray:
        """Numbers (N,) with the values that conditions prescribe: fixed + free free^T u.

        Raises ShapeError for other numbers, ProblemError for a draw without a value, or with conditions elsewhere.
        """
        if u.shape != (self.family.size,):
            cure = f"predict one number for each of the {self.family.size} of the family's fields"
            raise ShapeError("a prediction", expected=f"({self.family.size},)", got=u.shape, cure=cure)
        if lost := [name for name in self.family.problem.random if name not in draw]:
            names, cure = ", ".join(self.family.problem.random), "give a value for everything that is random"
            raise ProblemError(f"a draw without '{lost[0]}'", expected=names, got=", ".join(draw), cure=cure)
        held = self.family.constraint(draw)
        if not _alike(held.free, self.held.free):
            message, cure = "a draw changes which values are free", "let no more than g be random in conditions u - g"
            raise ProblemError(message, expected="conditions on the same values", got="others", cure=cure)
        return held.fixed + held.free @ (held.free.T @ u)

    def progress(self, u: np.ndarray, draw: Mapping[str, Any]) -> Iterator[Progress]:
        """After every sweep from numbers u (N,) that meet the conditions; ends where sweeps fail.

        Of equations that bend, Newton's: the derivative is that at u until a correction leaves much of the residual.
        """
        free, bends = self.held.free, not self.family.is_linear
        track = Track(self.norms, u, self.preconditioning.least, bends=bends)
        matrix, residual = self.family.linearised(u, draw)
        operator, r = self._operator(matrix), -(free.T @ residual)
        while True:
            for sweep in operator.sweeps(r):
                now = track.after(free @ sweep.change, sweep, matrix)
                yield now
                if bends and bool((track.rest <= SETTLED * track.round.size).all()):
                    break
            else:
                return
            step, left = self._damped(now.fields, track.round.total, draw, float(np.linalg.norm(r)))
            if left is None:
                return
            track.begin(step)
            part, r = np.linalg.norm(left) / np.linalg.norm(r), left
            if part > BENT:
                matrix, _ = self.family.linearised(track.fields, draw)
                operator = self._operator(matrix)

    def _damped(
        self, u: np.ndarray, change: np.ndarray, draw: Mapping[str, Any], norm: float
    ) -> tuple[float, np.ndarray | None]:
        """The longest part of a change that led to u (N,), halved again and again, by which the residual falls.

        And the residual there; None where it never falls. norm: that of the residual before.
        """
        step = 1.0
        while step >= SHORTEST:
            there = torch.from_numpy(u + (step - 1) * change)
            left = -(self.held.free.T @ self.family.residual(there, draw).numpy())
            if np.linalg.norm(left) <= (1 - step / 4) * norm:
                return step, left
            step /= 2
        return step, None

    def solved(self, u: np.ndarray, draw: Mapping[str, Any]) -> Found:
        """The discrete solution without sweeps, from numbers u (N,) where they are finite."""
        start = torch.from_numpy(u) if np.isfinite(u).all() else None
        return self.family.solve(draw, start)

    @property
    def words(self) -> str:
        """What sweeps are made of."""
        method = "Newton's method and sweeps" if not self.family.is_linear else "sweeps"
        return f"{method} of the draw's own operator, {self.preconditioning.words}"

    def _operator(self, matrix: csr_array) -> Operator:
        return Operator.of(self.reduction(matrix.data), self.reduction, self.preconditioning)


@dataclass(frozen=True, eq=False)
class Operator:
    """A matrix (n, n) of free numbers, and what it is preconditioned with."""

    matrix: csr_array
    preconditioning: Preconditioning
    preconditioner: Preconditioner
    symmetric: bool

    @classmethod
    def of(cls, matrix: csr_array, reduction: Congruence, preconditioning: Preconditioning) -> Operator:
        """Of a product by `reduction`."""
        return cls(matrix, preconditioning, preconditioning.of_matrix(matrix), reduction.is_symmetric(matrix))

    def sweeps(self, r: np.ndarray) -> Iterator[Sweep]:
        """Steps from zero towards A^-1 r."""
        return self.preconditioning.sweeps(self.matrix, self.preconditioner, r, symmetric=self.symmetric)


def _alike(a: csr_array, b: csr_array) -> bool:
    """Whether two matrices are the same, to round-off."""
    same = a.shape == b.shape and np.array_equal(a.indptr, b.indptr) and np.array_equal(a.indices, b.indices)
    return same and np.allclose(a.data, b.data, rtol=0, atol=1e-12)


def near_null_fields(family: Family) -> np.ndarray:
    """Fields (N, m) that operators hardly see: each component constant, and rotations of vectors in space."""
    columns, parts, starts = [], family.parts, family.parts.starts
    for field in family.problem.fields:
        space = parts.spaces[field.name]
        x, n = space.nodes.numpy(), space.size
        fields = [np.eye(field.components)[i].repeat(n).reshape(-1, n) for i in range(field.components)]
        if field.components == x.shape[1] > 1:
            middle = x - x.mean(axis=0)
            for i, j in combinations(range(x.shape[1]), 2):
                turned = np.zeros((field.components, n))
                turned[i], turned[j] = -middle[:, j], middle[:, i]
                fields.append(turned / np.abs(middle).max())
        for each in fields:
            column = np.zeros(family.size)
            column[starts[field.name] :][: each.size] = each.ravel()
            columns.append(column)
    return np.stack(columns, axis=1)
