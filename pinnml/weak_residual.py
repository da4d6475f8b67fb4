"""Weak forms for networks: the residual as a functional, tested with finite-element functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from pinnml.checks import whole_number
from pinnml.classical import Constraint, Discretisation, checked_mesh, constraint, elements_of, essential
from pinnml.domains import Mesh, Sample
from pinnml.elements import Element, Integrand, Patch, check_elements
from pinnml.equation import WEAK_FORM, Equation, Term, argument_names, test_names
from pinnml.errors import ProblemError, SettingsError
from pinnml.pairing import Pairing
from pinnml.problem import Problem

#: The highest degree: one more is left for functions that the training does not see.
HIGHEST = 3
#: What quadratures are exact for beyond products of test functions: networks are no polynomials.
BEYOND = 2
#: More test functions than these would take minutes, and gigabytes, for their Gram matrix alone.
MOST = 8192
CPU = torch.device("cpu")


@dataclass(frozen=True)
class TestSpace:
    """The finite-element functions v with which the weak form of a network is tested.

    The network's fields u leave F(v), the sum of the integrals of w(u, v), and the loss is 1/2 |F|^2 in the norm of a
    functional: the largest F(v) over all v of norm one that vanish where values are given. The norm of v is that of
    H1 (of H(curl), H(div) for edge and face elements), with values over the extent of the domain.

    mesh: by default the problem's domain; a Mesh, or the name of a file. degree: that of the elements, 1 to 3.
    elements: by field, where Lagrange elements will not do: {"E": Element("N1curl", 1)}. The fewer parameters a
    network has beside test functions, the better it is held between them.

    Source: Rojas, Maczuga, Munoz-Matute, Pardo, Paszynski, "Robust variational physics-informed neural networks"
    (2024), for the norm; Kharazmi, Zhang, Karniadakis, "hp-VPINNs" (2021), for test functions of a mesh.
    """

    __test__: ClassVar[bool] = False  # no test for pytest to collect

    degree: int | None = None
    mesh: Mesh | str | os.PathLike[str] | None = None
    elements: Mapping[str, Element] | None = None

    def __post_init__(self) -> None:
        if self.degree is not None:
            whole_number("degree of test functions", self.degree, most=HIGHEST)
        check_elements(self.elements)
        if not (self.mesh is None or isinstance(self.mesh, (Mesh, str, os.PathLike))):
            cure = 'write mesh=Mesh.read("coarse.msh"), or leave it out for the mesh of the problem'
            raise SettingsError("mesh of test functions", expected="a Mesh", got=repr(self.mesh), cure=cure)


@dataclass(frozen=True, eq=False)
class WeakResidual:
    """A problem's weak form at quadrature points, and the equations that stay beside it.

    parts: of every region with a weak form its term, whose residual is the flux, its points, and how they are tested.
    """

    parts: tuple[tuple[Term, Sample, Pairing], ...]
    terms: tuple[Term, ...]

    @property
    def functions(self) -> int:
        """The number of test functions."""
        return self.parts[0][2].size


def weak_residuals(problem: Problem, space: TestSpace) -> tuple[WeakResidual, WeakResidual]:
    """The weak form, tested with the functions of a space, and with those of one degree more that no training sees.

    Of the equations, those for values on the boundary, integrals and measurements stay; the weak form stands for all
    others. Raises ProblemError or SettingsError where there is no weak form, or no mesh for it.
    """
    mesh = checked_mesh(problem, Mesh.read(space.mesh) if isinstance(space.mesh, (str, os.PathLike)) else space.mesh)
    elements = elements_of(problem, space.degree, space.elements)
    _check_name(problem)
    finer = {name: replace(element, degree=element.degree + 1) for name, element in elements.items()}
    return weak_residual(problem, mesh, elements), weak_residual(problem, mesh, finer)


def weak_residual(problem: Problem, mesh: Mesh, elements: Mapping[str, Element], beyond: int = BEYOND) -> WeakResidual:
    """The weak form tested with the functions of elements on a mesh.

    beyond: what quadratures are exact for beyond products of two such functions.
    """
    parts = Discretisation.build(problem, mesh, elements)
    kept = [term for term in problem.terms if term.equation.integral or term.region in problem.data]
    values = essential(parts, (term for term in problem.terms if term not in kept))
    held, degree = constraint(parts, values), parts.degree + beyond
    length = float(np.ptp(parts.mesh.bounds, axis=1).max())
    metric, factor = _norm(parts, held, degree, length)
    found = []
    for region, weak in parts.weak_forms.items():
        patches = parts.patches(region, weak, degree, CPU)
        patches[0].integrand.check({name: torch.tensor(value) for name, value in problem.parameters.items()})
        on_facets = parts.pieces(region).local is not None  # where |v|^2 over all facets is as |v|^2 / length inside
        pairing = Pairing(*_functions(patches, held), metric * (length if on_facets else 1.0), factor)
        found.append((_term(patches[0].integrand, region), _points(patches), pairing))
    return WeakResidual(tuple(found), tuple(term for term in problem.terms if term in kept or term in values))


def _norm(parts: Discretisation, held: Constraint, degree: int, length: float) -> tuple[Tensor, Tensor]:
    """The metric (S,) of the inner product, and the factor (M, M) of the Gram matrix of the M test functions."""
    m = held.unknowns
    if not 0 < m <= MOST:
        cure = "give a finer mesh" if not m else "give a coarser mesh, mesh=..., or lower the degree"
        raise SettingsError("test functions", expected=f"1 to {MOST} that are free", got=m, cure=cure)
    metric = torch.tensor([each for carried in parts.carried for each in carried.metric(length)], dtype=torch.float64)
    patches = parts.patches("interior", (), degree, CPU)
    weight, gram = _points(patches).weight.numpy(), csr_array((m, m))
    for functions, values, factor in zip(*_functions(patches, held), metric.tolist(), strict=True):
        samples = np.repeat(np.arange(len(weight)), functions.shape[1])
        matrix = coo_array((values.flatten().numpy(), (functions.flatten().numpy(), samples)), (m, len(weight))).tocsr()
        gram = gram + factor * (matrix @ (matrix.T.multiply(1 / weight[:, None])).tocsr())
    return metric, torch.linalg.cholesky(torch.from_numpy(gram.toarray()))


def _functions(patches: list[Patch], held: Constraint) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Of each of the S numbers which test functions carry it at the samples, and their values times the weights."""
    columns, shares = _padded(held.free)
    functions: list[list[Tensor]] = [[] for _ in range(patches[0].integrand.size)]
    values: list[list[Tensor]] = [[] for _ in functions]
    for patch in patches:
        for piece in patch.pieces:
            dofs = piece.dofs.unsqueeze(1).expand(-1, patch.weight.shape[1], -1).flatten(0, 1)  # (n, k)
            for place, carried in zip(piece.places.tolist(), piece.functions, strict=True):
                weighted = (patch.weight.unsqueeze(-1) * carried).flatten(0, 1)
                functions[place].append(columns[dofs].flatten(1))
                values[place].append((weighted.unsqueeze(-1) * shares[dofs]).flatten(1))
    return tuple(map(torch.cat, functions)), tuple(map(torch.cat, values))


def _padded(free: csr_array) -> tuple[Tensor, Tensor]:
    """The rows of a sparse matrix (N, M), filled up with zeros to one length c: columns (N, c) and values (N, c)."""
    counts = np.diff(free.indptr)
    places = np.arange(counts.max(initial=1)) < counts[:, None]
    columns, values = np.zeros(places.shape, dtype=np.int64), np.zeros(places.shape)
    columns[places], values[places] = free.indices, free.data
    return torch.from_numpy(columns), torch.from_numpy(values)


def _points(patches: list[Patch]) -> Sample:
    """The quadrature points of patches, one after the other."""
    samples = [patch.integrand.sample for patch in patches]
    normals = [sample.normal for sample in samples if sample.normal is not None]
    x, weight = (torch.cat([getattr(sample, name) for sample in samples]) for name in ("x", "weight"))
    return Sample(x, weight, torch.cat(normals) if normals else None)


def _term(integrand: Integrand, region: str) -> Term:
    """The flux of a weak form as the residual of a term: S components, from the arguments that the integrand asks for.

    One axis is always asked for: it tells the number of points.
    """
    tests = test_names(carried.field for carried in integrand.fields).values()
    axis = integrand.fields[0].axes.names[0]
    asked = (name for weak in integrand.weak for name in argument_names(weak.integrand, weak.name))

    def flux(**known: Any) -> tuple[Tensor, ...]:
        return integrand.fluxes(known, known[axis].value)

    arguments = [Parameter(name, Parameter.KEYWORD_ONLY) for name in dict.fromkeys((axis, *asked)) if name not in tests]
    flux.__signature__ = Signature(arguments)  # pyright: ignore[reportFunctionMemberAccess]
    return Term(WEAK_FORM, Equation(flux, on=region, name=WEAK_FORM), region)


def _check_name(problem: Problem) -> None:
    """Refuse equations that bear the name of the weak form's rows."""
    if any(term.name == WEAK_FORM for term in problem.terms):
        raise ProblemError(f"an equation is named '{WEAK_FORM}'", cure="name it otherwise: the weak form has this name")
