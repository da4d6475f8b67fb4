"""Weak forms for networks: the residual as a functional, tested with finite-element functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import Tensor

from pinnml.domains import Mesh, Sample
from pinnml.elements import Discretisation, Element, Integrand, Patch, checked_mesh, elements_of, essential
from pinnml.errors import ProblemError, SettingsError
from pinnml.problem import Equation, Problem, Term, argument_names, test_names, weak_name
from pinnml.system.pairing import Pairing
from pinnml.system.weak.functions import MOST, TestFunctions, extent_of, functions_by_field, gram_factor, points_of
from pinnml.system.weak.space import TestSpace

#: What quadratures are exact for beyond products of test functions: networks are no polynomials.
BEYOND = 2
#: Points at which it is tried whether a weak form sees the fields.
FEW = 16
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class WeakResidual:
    """A problem's weak form at quadrature points, and the equations that stay beside it.

    parts: of every region and field its term, whose residual is the flux, its points, and how they are tested.
    """

    parts: tuple[tuple[Term, Sample, Pairing], ...]
    terms: tuple[Term, ...]


def weak_residuals(problem: Problem, space: TestSpace) -> tuple[WeakResidual, WeakResidual]:
    """The weak form, tested with the functions of a space, and with those of one degree more that no training sees.

    Of the equations, those for values on the boundary, integrals and measurements stay; the weak form stands for all
    others. Where the functions of one degree more are too many, the same judge again, by better quadratures.
    Raises ProblemError or SettingsError where there is no weak form, or no mesh for it.
    """
    mesh = checked_mesh(problem, space.read_mesh)
    elements = elements_of(problem, space.degree, space.elements)
    finer = {name: replace(element, degree=element.degree + 1) for name, element in elements.items()}
    trained = weak_residual(problem, mesh, elements, weight=space.weight)
    parts = Discretisation.build(problem, mesh, finer)
    if max(tests.size for tests in functions_by_field(parts, trained.terms)) > MOST:
        return trained, weak_residual(problem, mesh, elements, 2 * BEYOND, space.weight)
    return trained, weak_residual(problem, mesh, finer, weight=space.weight)


def weak_residual(
    problem: Problem, mesh: Mesh, elements: Mapping[str, Element], beyond: int = BEYOND, weight: float = 1.0
) -> WeakResidual:
    """The weak form tested with the functions of elements on a mesh.

    beyond: what quadratures are exact for beyond products of two such functions.
    """
    parts = Discretisation.build(problem, mesh, elements)
    kept = [term for term in problem.terms if term.equation.integral or term.region in problem.data]
    kept += essential(parts, (term for term in problem.terms if term not in kept))
    fields, found, degree = functions_by_field(parts, kept), [], parts.degree + beyond
    grams = [gram_factor(parts, tests, degree) for tests in fields]
    held = [torch.zeros(tests.size, dtype=torch.bool) for tests in fields]
    for region, weak in parts.weak_forms.items():
        _check_region(problem, mesh, region)
        patches = parts.patches(region, weak, degree, CPU)
        integrand, sample = patches[0].integrand, points_of(patches)
        integrand.check({name: torch.tensor(value, dtype=torch.float64) for name, value in problem.parameters.items()})
        slopes = _some_slopes(integrand, problem)
        for tests, factor, mine in zip(fields, grams, held, strict=True):
            if any(tests.name in argument_names(each.integrand, each.name) for each in weak):
                pairing = _pairing(parts, tests, factor, patches, region)
                found.append((_term(problem, integrand, region, tests, weight), sample, pairing))
                if sample.normal is None and bool(slopes[:, list(tests.numbers)].any()):
                    mine[torch.cat([f[v != 0] for f, v in zip(pairing.functions, pairing.values, strict=True)])] = True
    for tests, mine in zip(fields, held, strict=True):
        _check_covered(tests, mine)
    return WeakResidual(tuple(found), tuple(term for term in problem.terms if term in kept))


def _pairing(parts: Discretisation, tests: TestFunctions, factor: Tensor, patches: list[Patch], region: str) -> Pairing:
    """How the flux on a region is tested."""
    on_facets = parts.pieces(region).local is not None  # where |v|^2 over all facets is as |v|^2 / length inside
    metric = tests.metric * (extent_of(parts.mesh) if on_facets else 1.0)
    return Pairing(*tests.carried(patches), metric, factor, parts.mesh.measure())


def _term(problem: Problem, integrand: Integrand, region: str, tests: TestFunctions, weight: float) -> Term:
    """The flux of a weak form as the residual of a term, from the arguments that the integrand asks for.

    One axis is always asked for: it tells the number of points.
    """
    names, axis = test_names(problem.fields).values(), problem.domain.axes.names[0]
    asked = (name for weak in integrand.weak for name in argument_names(weak.integrand, weak.name))

    def flux(**known: Any) -> tuple[Tensor, ...]:
        return integrand.fluxes(known, known[axis].value, tests.numbers)

    arguments = [Parameter(name, Parameter.KEYWORD_ONLY) for name in dict.fromkeys((axis, *asked)) if name not in names]
    flux.__signature__ = Signature(arguments)  # pyright: ignore[reportFunctionMemberAccess]
    name = weak_name(problem.fields, tests.field)
    return Term(name, Equation(flux, on=region, name=name, weight=weight), region)


def _some_slopes(integrand: Integrand, problem: Problem) -> Tensor:
    """The derivatives of the flux by u, (n, S, S), at a few points, random u and parameters away from their guesses."""
    few = integrand.on(torch.linspace(0, len(integrand.sample) - 1, FEW, dtype=torch.float64).round().long())
    u = torch.randn((FEW, integrand.size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    known = {
        name: torch.tensor(value + math.sqrt(0.5), dtype=torch.float64) for name, value in problem.parameters.items()
    }
    return few.slopes(u, known, graph=False)


def _check_covered(tests: TestFunctions, held: Tensor) -> None:
    """Refuse test functions (M,) with which no field is seen: nothing would be asked of it there."""
    if not bool(held.all()):
        message = (
            f"the weak form sees no field with {int((~held).sum())} of {len(held)} test functions of '{tests.field}'"
        )
        cure = 'integrate over all parts: Weak(integrand), or Weak(..., on="left"), Weak(..., on="right")'
        raise ProblemError(message, expected="integrals over all of the domain", got="parts left out", cure=cure)


def _check_region(problem: Problem, mesh: Mesh, region: str) -> None:
    """Refuse a region that is a part of the problem's domain and a face of the mesh, or the other way round."""
    of_mesh = region in mesh.regions
    if of_mesh and problem.domain.has_normal(region) != mesh.has_normal(region):
        kinds = ("a face", "a part") if problem.domain.has_normal(region) else ("a part", "a face")
        cure = "give a mesh whose regions are those of the problem"
        raise SettingsError(f"the region '{region}' of the mesh", expected=kinds[0], got=kinds[1], cure=cure)
