"""A coarse global answer: the equations projected on the modes of training solutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.projected import ProjectedMatrices
from pinnml.validation import whole_number

#: Newton steps of a nonlinear problem at most, and the change of the coefficients, as a part of them, that is the last.
STEPS, LAST = 12, 1e-6
#: Draws that are answered at a time, and the fewest for which it is worth finding how V^T A V depends on them.
AT_ONCE, FEWEST = 32, 8


@dataclass(frozen=True, eq=False)
class Coarse:
    """Answers u (b, N), and the step of Jacobi's iteration that would follow: -F / diagonal, where fields are free."""

    u: Tensor
    step: Tensor


@dataclass(frozen=True, eq=False)
class ReducedBasis:
    """u = fixed + V c with V^T F(fixed + V c; draw) = 0: m equations in place of N.

    modes V (N, m): principal directions of solutions less what conditions fix, orthonormal in the mass matrix; the
    proper orthogonal decomposition. For a coercive problem c is the best of all m coefficients in the energy norm
    (Galerkin; Quarteroni, Manzoni and Negri, Reduced Basis Methods, 2016, section 3).
    """

    family: Family
    modes: np.ndarray

    @classmethod
    def of(cls, family: Family, inputs: Mapping[str, Any], u: Any, m: int) -> ReducedBasis:
        """The first m modes of solutions u (n, N) for draws of the inputs."""
        solutions = np.asarray(u, dtype=float)
        whole_number("modes", m)
        if m > len(solutions):
            cure = "ask for fewer modes, or draw more samples"
            raise SettingsError("modes", expected=f"at most {len(solutions)}, one a sample", got=str(m), cure=cure)
        snapshots = solutions - family.fixed(inputs).numpy()
        gram = snapshots @ (family.mass @ snapshots.T)
        values, vectors = np.linalg.eigh(gram)
        kept = values[::-1][:m] > np.finfo(float).eps * values[-1]
        chosen = vectors[:, ::-1][:, :m][:, kept] / np.sqrt(values[::-1][:m][kept])
        return cls(family, snapshots.T @ chosen)

    @cached_property
    def free_modes(self) -> np.ndarray:
        """The modes (N, m) where conditions on values leave fields free."""
        free = self.family.constraint(self.family.middle).free
        return free @ (free.T @ self.modes)

    @cached_property
    def projected(self) -> ProjectedMatrices | None:
        """V^T A V of draws by one product; None where the matrix is not affine in what is random, or too large."""
        affine = self.family.affine
        return None if affine is None else ProjectedMatrices.of(affine[0], self.family.pattern, self.free_modes)

    def __call__(self, inputs: Mapping[str, Any]) -> Coarse:
        """The answers to draws of the inputs, (b, p) and (b,) by name."""
        b = len(next(iter(inputs.values())))
        parts = [{name: values[at : at + AT_ONCE] for name, values in inputs.items()} for at in range(0, b, AT_ONCE)]
        u, step = (torch.from_numpy(np.concatenate(each)) for each in zip(*map(self._answers, parts), strict=True))
        return Coarse(u, step)

    def _answers(self, inputs: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """U and the step of Jacobi's iteration after it, (b, N) each."""
        fixed = self.family.fixed(inputs).numpy()
        if len(fixed) >= FEWEST and self.projected is not None:
            return self._at_once(fixed, inputs, self.projected)
        found = [self._answer(u, draw) for u, draw in zip(fixed, draws_of(inputs), strict=True)]
        u, step = (np.stack(each) for each in zip(*found, strict=True))
        return u, step

    def _at_once(
        self, fixed: np.ndarray, inputs: Mapping[str, Any], projected: ProjectedMatrices
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same of equations A u + b that are affine in what is random."""
        family, modes = self.family, self.free_modes
        equations = [family.equations(draw) for draw in draws_of(inputs)]
        r = np.stack([matrix @ u + right for u, (matrix, right) in zip(fixed, equations, strict=True)])
        u = fixed + np.linalg.solve(projected(inputs), -(r @ modes)[..., None])[..., 0] @ modes.T
        steps = [
            -(matrix @ each + right) / matrix.diagonal() for each, (matrix, right) in zip(u, equations, strict=True)
        ]
        free = family.constraint(family.middle).free
        return u, (free @ (free.T @ np.stack(steps, axis=1))).T

    def _answer(self, fixed: np.ndarray, draw: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """U and the step of Jacobi's iteration after it, (N,) each, from what conditions fix of a draw (N,)."""
        family, modes, u = self.family, self.free_modes, fixed
        matrix, r = family.linearised(u, draw)
        for last in [True] if family.is_linear else [*[False] * (STEPS - 1), True]:
            step = modes @ np.linalg.solve(modes.T @ (matrix @ modes), -(modes.T @ r))
            u = u + step
            r = r + matrix @ step if family.is_linear else family.residual(torch.from_numpy(u), draw).numpy()
            if last or np.linalg.norm(step) <= LAST * np.linalg.norm(u):
                break
            matrix = family.matrix(torch.from_numpy(u), draw)
        free = family.constraint(family.middle).free
        return u, free @ (free.T @ (-r / matrix.diagonal()))


def out_of_fold(family: Family, inputs: Mapping[str, Tensor], u: Tensor, m: int, folds: int = 5) -> Coarse:
    """The answers to every draw by the modes of the others.

    Modes know the samples that they are made of: a network trained on what these leave of such samples would see
    errors that are smaller, and of another kind, than those of draws to come.
    """
    answers, steps = torch.empty_like(u), torch.empty_like(u)
    for fold in range(folds):
        out = torch.arange(len(u)) % folds == fold
        rest = {name: values[~out] for name, values in inputs.items()}
        basis = ReducedBasis.of(family, rest, u[~out], min(m, int((~out).sum())))
        found = basis({name: values[out] for name, values in inputs.items()})
        answers[out], steps[out] = found.u, found.step
    return Coarse(answers, steps)


def draws_of(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Draws one by one, from (b, p) and (b,) by name."""
    b = len(next(iter(inputs.values())))
    return [{name: values[i] for name, values in inputs.items()} for i in range(b)]
