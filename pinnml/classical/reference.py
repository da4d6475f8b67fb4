"""The classical answer: finite elements on a mesh, from the weak form of the same problem."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pinnml.calculus import with_gradients
from pinnml.classical.conditioned import Summed
from pinnml.classical.newton import Found, newton
from pinnml.domains import Mesh
from pinnml.elements import (
    FINITE_ELEMENTS,
    Constraint,
    Discretisation,
    Element,
    checked_mesh,
    constraint,
    element_network,
    elements_of,
    essential,
    integrals,
)
from pinnml.errors import ProblemError
from pinnml.networks import Network
from pinnml.output import RunFolder, workplace
from pinnml.problem import WEAK_FORM, Problem, Term, argument_names, bare_faces
from pinnml.results import (
    Solution,
    Verdict,
    distance,
    errors,
    provenance,
    written,
)
from pinnml.solvers import Status
from pinnml.verification import replaced, unmet

#: The highest degree with which an answer is checked.
HIGHEST = 4
OTHER_DEGREE = "elements of another degree"
#: The part of the weak form that may be left for integrals to be met: more is no error of discretisation.
CONTRADICTING = 1e-3


@with_gradients
def reference(
    problem: Problem,
    *,
    mesh: Mesh | None = None,
    degree: int | None = None,
    elements: Mapping[str, Element] | None = None,
    expect: float | None = None,
    out: str | Path | None = None,
) -> Solution:
    """Solve the problem's weak form by finite elements; the verdict says how right the answer is.

    mesh: by default the problem's domain. elements: by field, such as {"E": Element("N1curl", 2)}; Lagrange elements
    of degree 2 for others. degree: that of all elements instead. Equations on the boundary that ask for values alone
    are met there; all else is the weak form's. Integrals are met too: they find as many parameters, such as a flux; or
    the problem has none, and they fix what the weak form leaves open. Newton's method starts from zero fields. Where
    nothing is known to compare with, a second solve with elements of one degree more tells the error. expect, out: as
    for `solve`.

    Raises ProblemError for a problem without a weak form, or one that does not determine its fields.
    """
    began = time.perf_counter()
    mesh = checked_mesh(problem, mesh)
    chosen = elements_of(problem, degree, elements)
    if out is not None:
        with workplace(RunFolder.named(out)) as place:
            return written(_answer(problem, mesh, chosen, expect, began), place)
    return _answer(problem, mesh, chosen, expect, began)


def _answer(
    problem: Problem, mesh: Mesh, chosen: Mapping[str, Element], expect: float | None, began: float
) -> Solution:
    """The solution, judged."""
    parts, held, found = _solved(problem, mesh, chosen)
    seconds = time.perf_counter() - began
    verdict = _verdict(parts, found, expect)
    verdict = replace(verdict, warnings=(*verdict.warnings, *_remarks(problem, held, found)))
    verdict = replace(verdict, seconds=seconds, seconds_verify=time.perf_counter() - began - seconds)
    network = element_network(parts, found.u)
    history = tuple({"step": i, "loss": norm**2 / 2} for i, norm in enumerate(found.norms))
    record, parameters = record_of(parts, expect), {**problem.parameters, **found.parameters}
    return Solution(problem.domain, problem.fields, network, parameters, verdict, history, problem, record)


def _solved(problem: Problem, mesh: Mesh, elements: Mapping[str, Element]) -> tuple[Discretisation, Constraint, Found]:
    parts = Discretisation.build(problem, mesh, elements)
    met, summed = essential(parts, _at_points(problem)), integrals(parts, _integrals(problem))
    unknown = _unknown(problem, met, len(summed.forms))
    form, held = parts.form(torch.device("cpu")), constraint(parts, met)
    start, s = torch.zeros(parts.size, dtype=torch.float64), len(mesh.bounds)
    return parts, held, newton(form, held, start, problem.parameters, Summed(summed, unknown), dimensions=s)


def _at_points(problem: Problem) -> list[Term]:
    """The equations that are not integrals."""
    return [term for term in problem.terms if not term.equation.integral]


def _integrals(problem: Problem) -> list[Term]:
    """Those that are, measured values left out."""
    return [term for term in problem.terms if term.equation.integral and term.region not in problem.data]


def _unknown(problem: Problem, met: list[Term], count: int) -> tuple[str, ...]:
    """The parameters that so many integrals find: all there are, none where no integral is said."""
    names = tuple(problem.parameters) if count else ()
    if len(names) not in (0, count):
        expected = f"as many integrals as parameters ({', '.join(names)}), or no parameter"
        cure = "write the values of the others into the equations, or solve at points"
        raise ProblemError("finite elements find parameters by integrals", expected=expected, got=count, cure=cure)
    for term in met:
        if asked := [name for name in names if name in argument_names(term.equation.residual, term.name)]:
            message, got = f"equation '{term.name}' holds values of a parameter that is to be found", asked[0]
            cure = "write its value, or solve at points"
            raise ProblemError(message, expected="parameters in the weak form and in integrals", got=got, cure=cure)
    return names


def _remarks(problem: Problem, held: Constraint, found: Found) -> Iterator[str]:
    """What finite elements made of conditions that they cannot meet as they are written."""
    if _integrals(problem) and not found.relative <= CONTRADICTING:
        yield (
            f"For the integrals {found.relative:.1e} of the weak form is not met: they contradict it, unless there is "
            "a number for them to find, such as a flux through a face."
        )
    if held.disagreeing:
        yield f"Conditions disagree at {held.disagreeing} nodes, as where two values meet: their mean was taken."
    if problem.data:
        yield f"Measured values ({', '.join(problem.data)}) are for networks: finite elements left them out."


def _verdict(parts: Discretisation, found: Found, expect: float | None) -> Verdict:
    """The verdict on numbers that were found; the seconds are left to the caller."""
    problem, network = parts.problem, element_network(parts, found.u)
    parameters = {**problem.parameters, **found.parameters}
    held = [*essential(parts, _at_points(problem)), *_integrals(problem)]
    relative = errors(problem, network, parameters)
    is_unknown = all(error is None for error in relative.values())
    estimate = _difference(parts, network) if is_unknown and found.status.by_own_test else {}
    verdict = plain_verdict(parts, found.status, found.left, found.relative)
    left = unmet(problem, network, parameters, replaced(problem, {term.name for term in held}))
    steps = len(found.norms) - 1
    return replace(
        verdict,
        relative_l2=relative,
        estimate=estimate,
        estimated_by=OTHER_DEGREE,
        parameters_found=parameters,
        expected=expect,
        steps=steps,
        unmet=left,
    )


def plain_verdict(parts: Discretisation, status: Status, left: float, part: float) -> Verdict:
    """What is known of any answer of finite elements: the norm that is left of the weak form, and its part of all."""
    problem = parts.problem
    return Verdict(
        status=status,
        relative_l2={field.name: None for field in problem.fields},
        held_out={WEAK_FORM: left},
        training={WEAK_FORM: left},
        relative={WEAK_FORM: part},
        seconds=0.0,
        seconds_verify=0.0,
        steps=1,
        parameters=parts.size,
        residuals=parts.size,
        parameters_found=dict(problem.parameters),
        warnings=tuple(bare_faces(problem, weakly=True)),
        seed=0,
        device="cpu",
        dtype="float64",
        solver="fem",
        network=", ".join(f"{space.element.family}{space.element.degree}" for space in parts.spaces.values()),
        provenance=provenance(),
    )


def _difference(parts: Discretisation, network: Network) -> dict[str, float]:
    """By field, the relative L2 distance from the answer of elements of one degree more, or less from the highest."""
    change = {name: space.element.degree + 1 for name, space in parts.spaces.items()}
    if max(change.values()) > HIGHEST:
        change = {name: degree - 2 for name, degree in change.items()}
    other = {name: replace(space.element, degree=change[name]) for name, space in parts.spaces.items()}
    finer_parts, _, found = _solved(parts.problem, parts.mesh, other)
    finer = element_network(finer_parts, found.u)
    first, second = ((each, parts.problem.parameters) for each in (network, finer))
    return distance(parts.problem, first, second)


def record_of(parts: Discretisation, expect: float | None) -> dict[str, Any]:
    """What was asked, as plain values."""
    elements = {name: [space.element.family, space.element.degree] for name, space in parts.spaces.items()}
    return {
        "problem": parts.problem.name,
        "network": {"kind": FINITE_ELEMENTS, "functions": [], "settled": [], "elements": elements},
        "solver": {"kind": "fem", "functions": []},
        "cells": len(parts.mesh.cells),
        "seed": 0,
        "device": "cpu",
        "dtype": "float64",
        "expect": expect,
    }
