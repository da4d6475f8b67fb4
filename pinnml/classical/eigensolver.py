"""Eigenvalues of weak forms in which one parameter stands once: A x = lambda M x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csc_array
from scipy.sparse.linalg import ArpackError, eigsh
from torch import Tensor

from pinnml.elements.discretisation import Discretisation
from pinnml.elements.essential_conditions import Constraint, constraint, essential
from pinnml.errors import ProblemError, SettingsError

#: A matrix is symmetric, and a parameter stands linearly, to this part of the largest entry.
ROUND_OFF = 1e-9
#: What a mode may leave of the weak form.
SOLVED = 1e-6
EXPECTED = "a(u, v) - k m(u, v), both linear in u and symmetric"


@dataclass(frozen=True, eq=False)
class Eigenmodes:
    """The values (count,) in ascending order, and fields (count, N) with x^T M x = 1.

    residuals (count,): |A x - k M x| beside |A x| and `near` |M x|.
    """

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
    first, second = stiffness @ vectors, mass @ vectors
    # beside the shift as well: of modes at zero both terms are round-off
    size = np.linalg.norm(first, axis=0) + abs(near) * np.linalg.norm(second, axis=0)
    left = np.linalg.norm(first - second * values, axis=0) / size
    if not (left <= SOLVED).all():
        cure, got = "write the form so that m(u, u) > 0 for all fields", f"residuals up to {left.max():.0e}"
        raise ProblemError("these are no modes: m is not positive", expected=EXPECTED, got=got, cure=cure)
    return Eigenmodes(values, torch.from_numpy((held.free @ vectors).T.copy()), left)


def _matrices(parts: Discretisation, parameter: str) -> tuple[csc_array, csc_array, Constraint]:
    """A and M on what the conditions leave free."""
    form, held = parts.form(torch.device("cpu")), constraint(parts, essential(parts, parts.problem.terms))
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
    sign = 1.0 if mass.diagonal().sum() > 0 else -1.0  # of a form that is written the other way round
    return sign * stiffness, sign * mass, held


def _differ(first: Any, second: Any) -> bool:
    return abs(first - second).max() > ROUND_OFF * max(abs(first).max(), abs(second).max())
