"""Modes: values of a parameter for which a weak form has solutions other than zero."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from pinnml.calculus import with_gradients
from pinnml.classical.eigensolver import eigenmodes
from pinnml.classical.reference import plain_verdict, record_of
from pinnml.domains import Mesh
from pinnml.elements import Discretisation, Element, checked_mesh, element_network, elements_of
from pinnml.errors import SettingsError, unknown_name
from pinnml.problem import Problem
from pinnml.results import Solution
from pinnml.solvers import Status
from pinnml.validation import finite, whole_number


@with_gradients
def modes(
    problem: Problem,
    near: float,
    count: int = 6,
    *,
    parameter: str | None = None,
    mesh: Mesh | None = None,
    degree: int | None = None,
    elements: Mapping[str, Element] | None = None,
) -> tuple[Solution, ...]:
    """The `count` solutions of a(u, v) = k m(u, v), other than zero, whose values k are nearest to `near`; ascending.

    parameter: the name of k among the problem's parameters; it can be left out where there is one. Its value is
    `solution.parameters[parameter]`. The weak form is homogeneous, symmetric and affine in k; so are the conditions.
    mesh, degree, elements: as for `reference`; curl-curl problems ask for {"E": Element("N1curl", degree)}, or false
    modes come along.

    Raises ProblemError for a form of another kind.
    """
    began = time.perf_counter()
    name = _parameter(problem, parameter)
    finite("near", near)
    whole_number("count", count)
    mesh = checked_mesh(problem, mesh)
    parts = Discretisation.build(problem, mesh, elements_of(problem, degree, elements))
    found = eigenmodes(parts, name, count, near)
    seconds = time.perf_counter() - began
    solutions = []
    for value, u, left in zip(found.values, found.fields, found.residuals, strict=True):
        parameters = {**problem.parameters, name: float(value)}
        verdict = plain_verdict(parts, Status.SOLVED, left, left)
        verdict = replace(verdict, seconds=seconds, parameters_found=parameters)
        network = element_network(parts, u)
        solutions.append(
            Solution(problem.domain, problem.fields, network, parameters, verdict, (), problem, record_of(parts, None))
        )
    return tuple(solutions)


def _parameter(problem: Problem, name: str | None) -> str:
    """The parameter whose values are looked for."""
    if name is None and len(problem.parameters) == 1:
        return next(iter(problem.parameters))
    if name is None:
        cure = 'name it: modes(problem, near=20, parameter="k2")'
        raise SettingsError("modes", expected="one parameter", got=f"{len(problem.parameters)}", cure=cure)
    if name not in problem.parameters:
        raise unknown_name("parameter", name, problem.parameters, where="the problem")
    return name
