"""The discrete equations of a random problem: one matrix, one right side, one solution for every draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import block_diag, coo_array, csr_array
from torch import Tensor

from pinnml.calculus import dot, grad
from pinnml.classical import Found, newton
from pinnml.domains import Mesh
from pinnml.elements import (
    Constraint,
    Discretisation,
    Form,
    checked_mesh,
    constraint,
    elements_of,
    essential,
    table,
)
from pinnml.errors import NonFiniteError
from pinnml.problem import Problem, argument_names, at_corners, check_random
from pinnml.surrogates.families.affine_numbers import AffineNumbers
from pinnml.surrogates.families.draws import bilinear_matrix

#: A residual changes by no more than this part of itself, beside what a matrix makes of a change of the fields, where
#: the equations are linear.
ROUND_OFF = 1e-9
#: How equations depend on draws was found right where it holds for fields at random to this part.
HOLDS = 1e-10
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Family:
    """Finite-element equations F(u; draw) = 0 of a random problem on a mesh, u = fixed + free @ y (N,).

    draw: by name of what is random a number, or values (p,) at the corners of the mesh. Fields are of Lagrange elements
    of one degree.
    """

    problem: Problem
    mesh: Mesh
    degree: int = 1

    @classmethod
    def of(cls, problem: Problem, mesh: Mesh | None = None, degree: int = 1) -> Family:
        """The equations on a mesh, by default the problem's own.

        Raises ProblemError for a problem in which nothing is random, without a weak form, or complex.
        """
        check_random(problem)
        family = cls(problem, checked_mesh(_numbered(problem), mesh), degree)
        family.form.residual(torch.zeros(family.size, dtype=torch.float64), family._given(family.middle))
        return family

    @property
    def middle(self) -> dict[str, float]:
        """The draw in the middle of all."""
        return {name: distribution.middle for name, distribution in self.problem.random.items()}

    @property
    def size(self) -> int:
        """N."""
        return self.parts.size

    @cached_property
    def parts(self) -> Discretisation:
        """The fields on the mesh; what is random are parameters of theirs."""
        posed = _numbered(self.problem)
        return Discretisation.build(posed, self.mesh, elements_of(posed, self.degree, None))

    @cached_property
    def form(self) -> Form:
        """The weak form, with what is random as parameters."""
        return self.parts.form(CPU)

    @cached_property
    def mass(self) -> csr_array:
        """M (N, N): u^T M v is the integral of the product of two vectors of fields."""
        return self._each_component(lambda u, v: u * v)

    @cached_property
    def stiffness(self) -> csr_array:
        """K (N, N): u^T K v is that of the product of their gradients."""
        return self._each_component(lambda u, v: dot(grad(u), grad(v)))

    @cached_property
    def corners_to_nodes(self) -> csr_array:
        """(n, p): from values at corners to those of the function linear within cells at the nodes of a field."""
        space, corners = next(iter(self.parts.spaces.values())), self.parts.corners
        points = torch.from_numpy(np.array(space.element.on(space.cells.kind).points))
        local = table(corners, points)[0]  # (k, corners of a cell)
        # the cells around a node say the same of it: one is asked
        nodes, first = np.unique(space.dofs.numpy(), return_index=True)
        cell, within = np.divmod(first, len(local))
        columns, weights = corners.dofs.numpy()[cell], local.numpy()[within]
        rows = np.repeat(nodes, columns.shape[1])
        told = weights.ravel() != 0
        entries = weights.ravel()[told], (rows[told], columns.ravel()[told])
        return coo_array(entries, shape=(space.size, corners.size)).tocsr()

    def _each_component(self, integrand: Callable[..., object]) -> csr_array:
        one = bilinear_matrix(self.mesh, integrand, self.degree)
        return csr_array(block_diag([one] * self.problem.columns))

    def residual(self, u: Tensor, draw: Mapping[str, Any]) -> Tensor:
        """F(u; draw) (N,), differentiable in u and in tensors of the draw; conditions on values left out."""
        return self.form.residual(u, self._given(draw))

    def matrix(self, u: Tensor, draw: Mapping[str, Any]) -> csr_array:
        """dF/du (N, N)."""
        return self.form.jacobian(u, self._given(draw)).to_scipy()

    def linearised(self, u: np.ndarray, draw: Mapping[str, Any]) -> tuple[csr_array, np.ndarray]:
        """dF/du (N, N) and F (N,) at u (N,), fast where `affine` is known."""
        if self.affine is None:
            at = torch.from_numpy(u)
            return self.matrix(at, draw), self.residual(at, draw).numpy()
        matrix, right = self.equations(draw)
        return matrix, matrix @ u + right

    def equations(self, draw: Mapping[str, Any]) -> tuple[csr_array, np.ndarray]:
        """A (N, N) and b (N,) of F = A u + b, where `affine` is known."""
        assert self.affine is not None
        numbers, right = (each(draw) for each in self.affine)
        return self._of_pattern(numbers), right

    def _of_pattern(self, numbers: np.ndarray) -> csr_array:
        """The matrix (N, N) with numbers (z,)."""
        starts, columns = self.pattern
        return csr_array((numbers, columns, starts), shape=(self.size, self.size))

    @cached_property
    def affine(self) -> tuple[AffineNumbers, AffineNumbers] | None:
        """How the numbers of A and b in F = A u + b depend on draws; None where they do not in this way.

        Found in the time of some ten matrices.
        """
        found = self.form.affine(self.problem.parameters, self.problem.random) if self.is_linear else None
        if found is None:
            return None
        # an integrand may look at more than it asks for
        random = np.random.default_rng(0)
        draw = {name: random.uniform(0.5, 1.5, self.form.corners) for name in self.middle}
        u = random.standard_normal(self.size)
        expected = self.residual(torch.from_numpy(u), draw).numpy()
        numbers, right = AffineNumbers(found[0]), AffineNumbers(found[1])
        told = self._of_pattern(numbers(draw)) @ u + right(draw)
        holds = bool(np.abs(told - expected).max() <= HOLDS * np.abs(expected).max())
        return (numbers, right) if holds else None

    @cached_property
    def pattern(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the numbers of all matrices stand: starts (N + 1,) and columns (z,)."""
        pattern = self.form.pattern
        return pattern.starts.numpy(), pattern.columns.numpy()

    def constraint(self, draw: Mapping[str, Any]) -> Constraint:
        """What conditions on values leave of u; the same for all draws unless a condition is random."""
        if not self._random_values:
            return self._constraint
        values = {name: float(x) if np.ndim(x) == 0 else at_corners(self.mesh, x) for name, x in draw.items()}
        drawn = self.problem.with_values(values)
        parts = replace(self.parts, problem=drawn)
        return constraint(parts, essential(parts, drawn.terms))

    def fixed(self, draws: Mapping[str, Any]) -> Tensor:
        """What conditions on values fix of u for draws (b, p) and (b,) by name, (b, N)."""
        b = len(next(iter(draws.values())))
        if not self._random_values:
            return torch.from_numpy(self._constraint.fixed).expand(b, -1)
        one_by_one = ({name: values[i] for name, values in draws.items()} for i in range(b))
        return torch.from_numpy(np.stack([self.constraint(draw).fixed for draw in one_by_one]))

    def within(self, u: Tensor, draws: Mapping[str, Any]) -> Tensor:
        """Numbers u (b, N) made to meet the conditions on values of draws, (b, p) and (b,) by name."""
        free = self.constraint(self.middle).free
        return self.fixed(draws) + torch.from_numpy((free @ (free.T @ u.numpy().T)).T)

    def solve(self, draw: Mapping[str, Any], start: Tensor | None = None) -> Found:
        """U of a draw by Newton's method. Raises NonFiniteError where a draw makes the equations break down."""
        begin = torch.zeros(self.size, dtype=torch.float64) if start is None else start
        given = self._given(draw)
        found = newton(self.form, self.constraint(draw), begin, given, dimensions=len(self.mesh.bounds))
        if not bool(torch.isfinite(found.u).all()):
            message, cure = "a draw has no finite solution", "look at the distributions: do coefficients stay positive?"
            raise NonFiniteError(message, expected="finite fields", got="NaN or infinity", cure=cure)
        return found

    @cached_property
    def is_linear(self) -> bool:
        """Whether F is affine in u, by its change along random fields beside the middle draw, which may be special."""
        aside = {name: distribution.aside for name, distribution in self.problem.random.items()}
        generator = torch.Generator().manual_seed(0)
        u, other = torch.randn((2, self.size), generator=generator, dtype=torch.float64)
        zero = torch.zeros_like(u)
        at = [self.residual(each, aside) for each in (zero, u, other, u + other)]
        return float((at[3] - at[1] - at[2] + at[0]).norm()) <= ROUND_OFF * float(at[3].norm())

    @cached_property
    def _constraint(self) -> Constraint:
        """That of all draws."""
        return constraint(self.parts, essential(self.parts, self.parts.problem.terms))

    @cached_property
    def _random_values(self) -> bool:
        """Whether a condition on values asks for something random."""
        asked = {
            name
            for term in essential(self.parts, self.parts.problem.terms)
            for name in argument_names(term.equation.residual, term.name)
        }
        return bool(asked & set(self.problem.random))

    def _given(self, draw: Mapping[str, Any]) -> dict[str, Tensor]:
        """A draw, and the problem's own parameters, as a form takes them."""
        given = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in draw.items()}
        return {**{n: torch.tensor(v, dtype=torch.float64) for n, v in self.problem.parameters.items()}, **given}


def posed_on(problem: Problem, mesh: Mesh) -> Problem:
    """The same text on another mesh, whose regions have the names that it asks for; one on a Box stays there."""
    own = isinstance(problem.domain, Mesh) and problem.domain is not mesh
    return replace(problem, domain=mesh) if own else problem


def _numbered(problem: Problem) -> Problem:
    """The problem with numbers in the place of what is random."""
    middle = {name: distribution.middle for name, distribution in problem.random.items()}
    return replace(problem, random={}, parameters={**problem.parameters, **middle}, exact=None, reference=None)
