"""Solutions of draws: one at a time by Newton's method, or from matrices that are assembled for a block of draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from pinnml.classical import LinearSolver
from pinnml.elements import Constraint, SparseMatrix
from pinnml.errors import DataSetError, PinnmlError, ProblemError
from pinnml.run import free_bytes
from pinnml.solvers import Status
from pinnml.surrogates.data.series import Series
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family

#: Draws whose matrices are assembled at once; blocks are the same whatever else is drawn, so that bits are.
BLOCK = 16
#: What a linear solve may leave of the residual: as much as Newton's method stops at.
ENOUGH = 1e-12
#: What a sample may leave of the equations that it was made for.
SOLVES = 1e-6
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Solved:
    """The draw of a number, and its solution: by name values at corners (p,) or numbers (), and u (N,) or (T, N)."""

    number: int
    draw: Mapping[str, np.ndarray]
    u: np.ndarray


@dataclass(frozen=True, eq=False)
class Solutions:
    """The draws first, first + step, ... on one mesh, and their solutions."""

    family: Family
    seed: int
    first: int = 0
    step: int = 1
    series: Series | None = None

    def __call__(self, wanted: Sequence[int]) -> Iterator[Solved]:
        """Those of some numbers of one block. Raises ProblemError, naming the draw, where there is none."""
        block = self.block(wanted[0])
        drawn = self._draws(block)
        linear = self._assembled(drawn) if self.family.is_linear else None
        for number in wanted:
            row = block.index(number)
            draw = {name: value[row] for name, value in drawn.items()}
            try:
                start = None if linear is None else linear.solution(row, self.family, draw)
                u = self._finished(draw, start)
                yield Solved(number, draw, u if self.series is None else self._marched(draw, u, self.series))
            except PinnmlError as error:
                raise error.within(f"draw {number}") from None

    def draw(self, number: int) -> dict[str, np.ndarray]:
        """By name what is random."""
        block = self.block(number)
        return {name: value[block.index(number)] for name, value in self._draws(block).items()}

    def block(self, number: int) -> list[int]:
        """The numbers that are drawn together with one: a number's draw has the same bits whatever is asked for."""
        size = BLOCK if self.family.is_linear else 1
        place = (number - self.first) // self.step
        return [self.first + self.step * i for i in range(place - place % size, place - place % size + size)]

    @cached_property
    def _draws(self) -> Draws:
        return Draws(self.family.problem, self.family.mesh, self.seed)

    def _assembled(self, drawn: Mapping[str, np.ndarray]) -> Linear:
        """The equations of a block, K u + f = 0; numbers are fields that are the same everywhere."""
        form, p = self.family.form, self.family.parts.corners.size
        given = {name: torch.from_numpy(value) for name, value in drawn.items()}
        fields = {name: value if value.ndim == 2 else value[:, None].expand(-1, p) for name, value in given.items()}
        zero = torch.zeros(self.family.size, dtype=torch.float64)
        known = {**self.family.problem.parameters, **fields}
        return Linear(form.jacobian(zero, known), form.residual(zero, known))

    def _finished(self, draw: Mapping[str, Any], start: Start | None) -> np.ndarray:
        """U by Newton's method, unless `start` is it already, as the residual itself tells."""
        if start is not None:
            left = start.held.free.T @ self.family.residual(start.u, draw).numpy()
            if np.linalg.norm(left) <= ENOUGH * start.norm:
                return start.u.numpy()
        return self._solved(draw, None if start is None else start.u)

    def _marched(self, draw: Mapping[str, Any], first: np.ndarray, series: Series) -> np.ndarray:
        """The states (T, N) of a series that begins with its first."""
        states = [first]
        for _ in series.times[1:]:
            next_draw = {**draw, **series.carried(self.family, states[-1])}
            states.append(self._solved(next_draw, torch.from_numpy(states[-1])))
        return np.stack(states)

    def _solved(self, draw: Mapping[str, Any], start: Tensor | None) -> np.ndarray:
        found = self.family.solve(draw, start)
        if found.status is not Status.CONVERGED:
            got = f"{found.status.value}, the residual from {found.norms[0]:.1e} to {found.norms[-1]:.1e}"
            cure = "look at the distributions: are the equations well-posed for extreme draws?"
            raise ProblemError("no solution was found", expected="Newton's method to converge", got=got, cure=cure)
        return found.u.numpy()


@dataclass(frozen=True, eq=False)
class Start:
    """Numbers u (N,) that solve equations if these are linear, what held them, and the residual's norm without them."""

    u: Tensor
    held: Constraint
    norm: float


@dataclass(frozen=True, eq=False)
class Linear:
    """Equations of a block of b draws, K_i u + f_i = 0 before conditions: matrices of one pattern, and f (b, N)."""

    matrices: SparseMatrix
    f: Tensor

    def solution(self, row: int, family: Family, draw: Mapping[str, Any]) -> Start:
        """U = fixed + free y of a row, with free^T (K u + f) = 0."""
        held, f = family.constraint(draw), self.f[row].numpy()
        matrix = SparseMatrix(self.matrices.pattern, self.matrices.values[row]).to_scipy()
        reduced = csr_array(held.free.T @ matrix @ held.free)
        right = -held.free.T @ (f + matrix @ held.fixed)
        y = LinearSolver(reduced, len(family.mesh.bounds), free_bytes(CPU))(right)
        return Start(torch.from_numpy(held.fixed + held.free @ y), held, float(np.linalg.norm(right)))


def relative_residual(family: Family, u: Tensor, draw: Mapping[str, Any]) -> float:
    """|free^T F(u)| over |free^T F(fixed)|, or how far u (N,) misses the conditions, over |u|, if that is more."""
    held = family.constraint(draw)
    left, whole = (held.free.T @ family.residual(x, draw).numpy() for x in (u, torch.from_numpy(held.fixed)))
    away = u.numpy() - held.fixed
    missed = away - held.free @ (held.free.T @ away)
    return max(_ratio(left, whole), _ratio(missed, u.numpy()))


def check_solved(family: Family, u: Tensor, draw: Mapping[str, Any], what: str) -> None:
    """Raise DataSetError for numbers u (N,) that do not solve the equations of a draw."""
    misfit = np.inf if len(u) != family.size else relative_residual(family, u, draw)
    if not misfit <= SOLVES:
        cure = "give the problem, with the parameters, that it was made for"
        expected, got = f"a residual below {SOLVES:g}", f"{misfit:.1e} of that without it"
        raise DataSetError(f"{what} does not solve these equations", expected=expected, got=got, cure=cure)


def _ratio(small: np.ndarray, large: np.ndarray) -> float:
    """|small| / |large|; of nothing to nothing, 0."""
    norms = float(np.linalg.norm(small)), float(np.linalg.norm(large))
    return norms[0] / norms[1] if norms[1] else (np.inf if norms[0] else 0.0)
