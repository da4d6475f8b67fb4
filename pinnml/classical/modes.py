"""Eigenvalues of weak forms in which one parameter stands once: A x = lambda M x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csc_array
from scipy.sparse.linalg import ArpackError, eigsh
from torch import Tensor

from pinnml.classical.discretisation import Discretisation
from pinnml.classical.essential import Constraint, constraint
from pinnml.errors import ProblemError, SettingsError

#: A matrix is symmetric, and a parameter stands linearly, to this part of the largest entry.
ROUND_OFF = 1e-9
EXPECTED = "a(u, v) - k m(u, v), both linear in u and symmetric"


@dataclass(frozen=True, eq=False)
class Eigenmodes:
    """values (count,) in ascending order; fields (count, N), x^T M x = 1; residuals |A x - k M x| / |A x|, (count,)."""

    values: np.ndarray
    fields: Tensor
    residuals: np.ndarray


def eigenmodes(parts: Discretisation, parameter: str, count: int, near: float) -> Eigenmodes:
    """The `count` values of a parameter nearest to `near` for which fields other than zero solve the weak form.

    Raises ProblemError unless the form is symmetric and affine in the parameter, and all is homogeneous.
    """
    stiffness, mass, held = _matrices(parts, parameter)
    free = mass.indptr.size - 1
    if count >= free:
        raise SettingsError("count of modes", expected=f"less than {free}, the free numbers", got=count, cure="refine")
    start = np.random.default_rng(0).standard_normal(free)
    try:
        found: Any = eigsh(stiffness, count, mass, sigma=near, v0=start)
    except (ArpackError, RuntimeError, ValueError, TypeError) as error:
        cure = "ask for fewer modes, or move `near` a little"
        raise ProblemError("no modes were found", expected=EXPECTED, got=error, cure=cure) from None
    order = np.argsort(found[0])
    values, vectors = found[0][order], found[1][:, order]
    applied = stiffness @ vectors
    left = np.linalg.norm(applied - mass @ vectors * values, axis=0) / np.linalg.norm(applied, axis=0)
    return Eigenmodes(values, torch.from_numpy((held.free @ vectors).T.copy()), left)


def _matrices(parts: Discretisation, parameter: str) -> tuple[csc_array, csc_array, Constraint]:
    """A and M on what the conditions leave free."""
    form, held = parts.form(torch.device("cpu")), constraint(parts)
    zero = torch.zeros(parts.size, dtype=torch.float64)

    def reduced(value: float) -> csc_array:
        given = {**parts.problem.parameters, parameter: value}
        return csc_array(held.free.T @ form.jacobian(zero, given).to_scipy() @ held.free)

    generator = torch.Generator().manual_seed(0)
    tried = torch.randn(parts.size, generator=generator, dtype=torch.float64)
    given = parts.problem.parameters
    if _differ(form.jacobian(zero, given).to_scipy(), form.jacobian(tried, given).to_scipy()):
        cure = "linearise it about a state of yours"
        raise ProblemError(
            "the weak form is not linear in the fields", expected=EXPECTED, got="one that is not", cure=cure
        )
    if held.fixed.any() or bool(form.residual(zero, parts.problem.parameters).abs().amax() > 0):
        cure = "leave sources and prescribed values out"
        expected, got = "zero fields to solve it", "sources or values"
        raise ProblemError("a problem of modes is homogeneous", expected=expected, got=got, cure=cure)
    stiffness, both, twice = (reduced(value) for value in (0.0, 1.0, 2.0))
    mass = stiffness - both
    if _differ(twice - both, both - stiffness) or not abs(mass).max() > 0:
        cure, got = f"let '{parameter}' stand once, as a factor", "another dependence"
        raise ProblemError(f"the weak form is not affine in '{parameter}'", expected=EXPECTED, got=got, cure=cure)
    if _differ(stiffness, stiffness.T) or _differ(mass, mass.T):
        cure, got = "leave out what is not, such as dot(b, grad(u)) * v", "a matrix unlike its transpose"
        raise ProblemError("the weak form is not symmetric", expected=EXPECTED, got=got, cure=cure)
    return stiffness, mass, held


def _differ(first: Any, second: Any) -> bool:
    return abs(first - second).max() > ROUND_OFF * max(abs(first).max(), abs(second).max())
