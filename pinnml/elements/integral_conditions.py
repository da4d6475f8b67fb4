"""Conditions on integrals of finite-element fields, and how they change with the numbers of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from pinnml.elements.discretisation import Discretisation
from pinnml.elements.form import Form, Parameters
from pinnml.errors import ProblemError
from pinnml.problem import Field, Term, Weak, argument_names, discover, residuals, test_names

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Integrals:
    """g_k(u) = the integral of a residual over its region, K of them.

    forms: each residual times a Lagrange test function. All of these functions together are one, so that the sum of
    what they give is the integral.
    """

    forms: tuple[Form, ...]

    def residual(self, u: Tensor, parameters: Parameters) -> np.ndarray:
        """G (K,)."""
        return np.array([float(form.residual(u, parameters).sum()) for form in self.forms])

    def jacobian(self, u: Tensor, parameters: Parameters) -> csr_array:
        """dg_k/du_j (K, N)."""
        rows = [form.jacobian(u, parameters).to_scipy().sum(axis=0) for form in self.forms]
        return csr_array(np.stack(rows))

    def slopes(self, u: Tensor, parameters: Parameters, names: Sequence[str]) -> np.ndarray:
        """dg_k/dq (K, len(names)) for parameters q that are numbers, by name."""
        return np.stack([form.slopes(u, parameters, names).sum(dim=0).numpy() for form in self.forms])


def integrals(parts: Discretisation, terms: Iterable[Term]) -> Integrals:
    """Those equations that are integrals over regions of the mesh. Raises ProblemError where no field is nodal."""
    forms = [form for term in terms if term.equation.integral for form in _forms(parts, term)]
    return Integrals(tuple(forms))


def _forms(parts: Discretisation, term: Term) -> Iterator[Form]:
    """One for each component of a residual."""
    problem = parts.problem
    nodal = next((field for field in problem.fields if parts.is_nodal(field)), None)
    if nodal is None:
        cure = "solve at points, or say it by values on a face"
        message, got = f"equation '{term.name}' is an integral", ", ".join(field.name for field in problem.fields)
        raise ProblemError(message, expected="a field of Lagrange elements beside it", got=got, cure=cure)
    sample = problem.domain.sample(term.region, 8, torch.Generator().manual_seed(0), "random")
    _, components = discover(problem, term, sample)
    for component in range(components):
        weak = Weak(_tested(term, component, nodal, test_names(problem.fields)[nodal.name]), name=term.name)
        yield Form(parts.patches(term.region, (weak,), parts.degree, CPU), parts.size, parts.corners.size)


def _tested(term: Term, component: int, field: Field, test: str) -> Callable[..., Any]:
    """A component of a residual times the test function of a field, or that of its first component."""

    def integrand(**known: Any) -> Tensor:
        v = known.pop(test)
        weight = (v[0] if field.is_vector else v).value
        return residuals(term, known, len(weight))[component] * weight

    names = (*argument_names(term.equation.residual, term.name), test)
    arguments = [Parameter(name, Parameter.KEYWORD_ONLY) for name in names]
    integrand.__signature__ = Signature(arguments)  # pyright: ignore[reportFunctionMemberAccess]
    return integrand
