"""Weak forms under conditions on values and on integrals, as one system of equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import block_array, csr_array, diags_array
from torch import Tensor

from pinnml.elements import Constraint, Form, Integrals, Parameters


@dataclass(frozen=True, eq=False)
class Summed:
    """Conditions on integrals, and by name as many parameters that they find, or none."""

    integrals: Integrals = Integrals(())  # noqa: RUF009 - nothing of it changes
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Conditioned:
    """free^T F(u, q) + push m = 0 and g(u, q) = 0, with u = fixed + free y, for z = (y, q) or z = (y, m).

    The integrals g, K of them, find K parameters q; or there are none of these, and the form gives way to the integrals
    by multipliers m, along their first slopes. units (K,), (K,): of g and of q or m, in which what
    couples them with the fields is as large as what couples these.
    """

    form: Form
    constraint: Constraint
    summed: Summed
    parameters: Parameters
    units: tuple[np.ndarray, np.ndarray]
    push: csr_array | None

    @classmethod
    def near(cls, u: Tensor, form: Form, constraint: Constraint, summed: Summed, parameters: Parameters) -> Conditioned:
        """The system in units of what is large where the numbers are u (N,)."""
        integrals, unknown = summed.integrals, summed.unknown
        ones = np.ones(len(integrals.forms))
        plain = cls(form, constraint, summed, parameters, (ones, ones), None)
        if not integrals.forms:
            return plain
        size = float(form.jacobian(u, parameters).values.abs().max())
        by_fields = csr_array(integrals.jacobian(u, parameters) @ constraint.free)
        rows = size / _largest(by_fields)
        if not unknown:
            return replace(plain, units=(rows, rows), push=by_fields.T)
        by_numbers = csr_array(constraint.free.T @ form.slopes(u, parameters, unknown).numpy())
        return replace(plain, units=(rows, size / _largest(csr_array(by_numbers.T))))

    def start(self, u: Tensor) -> np.ndarray:
        """Z for numbers u (N,), as far as they are free, first guesses of parameters, and no multipliers."""
        further = (
            np.array([float(self.parameters[name]) for name in self.summed.unknown]) if self.summed.unknown else 0.0
        )
        return np.concatenate([self.constraint.free.T @ u.cpu().numpy(), further / self.units[1]])

    def fields(self, z: np.ndarray) -> Tensor:
        """U (N,)."""
        return torch.from_numpy(self.constraint.fixed + self.constraint.free @ z[: self.constraint.unknowns])

    def found(self, z: np.ndarray) -> dict[str, float]:
        """The parameters that are unknown, by name."""
        return dict(zip(self.summed.unknown, self._further(z).tolist(), strict=False))

    def unforced(self, z: np.ndarray) -> np.ndarray:
        """free^T F, what the weak form leaves."""
        u = self.fields(z).to(self.form.device)
        return self.constraint.free.T @ self.form.residual(u, self._known(z)).cpu().numpy()

    def residual(self, z: np.ndarray) -> np.ndarray:
        """All rows."""
        left = self.unforced(z)
        if not self.summed.integrals.forms:
            return left
        pushed = left if self.push is None else left + self.push @ self._further(z)
        return np.concatenate([pushed, self.units[0] * self.summed.integrals.residual(self.fields(z), self._known(z))])

    def matrix(self, z: np.ndarray) -> csr_array:
        """The derivatives of the rows by z."""
        u, free, known = self.fields(z), self.constraint.free, self._known(z)
        inner = csr_array(free.T @ self.form.jacobian(u.to(self.form.device), known).to_scipy() @ free)
        if not self.summed.integrals.forms:
            return inner
        rows, columns = (diags_array(each) for each in self.units)
        below = rows @ (self.summed.integrals.jacobian(u, known) @ free)
        if self.push is not None:
            return csr_array(block_array([[inner, self.push @ columns], [below, None]]))
        right = csr_array(free.T @ self.form.slopes(u, known, self.summed.unknown).numpy()) @ columns
        corner = rows @ csr_array(self.summed.integrals.slopes(u, known, self.summed.unknown)) @ columns
        return csr_array(block_array([[inner, right], [below, corner]]))

    def _further(self, z: np.ndarray) -> np.ndarray:
        return self.units[1] * z[self.constraint.unknowns :]

    def _known(self, z: np.ndarray) -> Parameters:
        return {**self.parameters, **self.found(z)}


def _largest(matrix: csr_array) -> np.ndarray:
    """The largest entry of every row; one where there is none."""
    found = abs(matrix).max(axis=1).toarray().ravel()
    return np.where(found > 0, found, 1.0)
