"""The classical answer: finite elements on a mesh, from the weak form of the same problem."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinnml.arguments import check_elements
from pinnml.calculus import total_order
from pinnml.classical import FINITE_ELEMENTS, Constraint, Discretisation, Found, constraint, element_network, newton
from pinnml.conditions import bare_faces
from pinnml.domains import Domain, Mesh
from pinnml.elements import Element
from pinnml.errors import ProblemError, SettingsError, unknown_name
from pinnml.networks import Network
from pinnml.output import RunFolder
from pinnml.problem import Problem
from pinnml.provenance import provenance
from pinnml.solution import ERROR_POINTS, ERROR_SEED, Solution, errors, fields_at, relative_l2, value_array
from pinnml.solve import write_run
from pinnml.solvers import Status
from pinnml.verdict import Verdict

#: The highest degree with which an answer is checked.
HIGHEST = 4


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
    are met there; all else is the weak form's. Newton's method starts from zero fields. Where nothing is known to
    compare with, a second solve with elements of one degree more tells the error. expect, out: as for `solve`.

    Raises ProblemError for a problem without a weak form, or one that does not determine its fields.
    """
    began = time.perf_counter()
    mesh = checked_mesh(problem, mesh)
    chosen = elements_of(problem, degree, elements)
    folder = None if out is None else RunFolder(Path(out))
    parts, held, found = _solved(problem, mesh, chosen)
    seconds = time.perf_counter() - began
    verdict = _verdict(parts, found, expect)
    verdict = replace(verdict, warnings=(*verdict.warnings, *_remarks(problem, held)))
    verdict = replace(verdict, seconds=seconds, seconds_verify=time.perf_counter() - began - seconds)
    network = element_network(parts, found.u)
    history = tuple({"step": i, "loss": norm**2 / 2} for i, norm in enumerate(found.norms))
    record = record_of(parts, expect)
    solution = Solution(problem.domain, problem.fields, network, problem.parameters, verdict, history, problem, record)
    if folder is not None:
        write_run(solution, folder)
    return solution


def checked_mesh(problem: Problem, mesh: Mesh | None) -> Mesh:
    """The mesh to solve on. Raises ProblemError or SettingsError where finite elements cannot begin."""
    if not problem.weak:
        cure = "add weak=lambda u, v: dot(grad(u), grad(v)) - f * v, or choose a solver of the strong form"
        raise ProblemError("finite elements need a weak form", expected="Problem(..., weak=...)", got="none", cure=cure)
    if problem.ansatz is not None:
        cure = "write the conditions as equations on the boundary, and leave the ansatz out"
        message, expected = "finite elements know no ansatz", "conditions as equations"
        raise ProblemError(message, expected=expected, got="an ansatz", cure=cure)
    if problem.domain.axes.names != problem.domain.axes.space:
        got, cure = ", ".join(problem.domain.axes.names), "choose a network, or solve for one instant"
        raise ProblemError("finite elements solve steady problems", expected="axes of space alone", got=got, cure=cure)
    found: Any = problem.domain if mesh is None else mesh
    if not isinstance(found, Mesh):
        cure = 'give one: mesh=Mesh.read("plate.msh")'
        raise SettingsError("finite elements need a mesh", expected="a Mesh", got=repr(found), cure=cure)
    outlines = [_outline(domain) for domain in (problem.domain, found)]
    if found.axes != problem.domain.axes or not np.allclose(problem.domain.bounds, found.bounds, rtol=1e-6):
        cure = "give the mesh of the problem's own domain"
        raise SettingsError("the mesh is of another domain", expected=outlines[0], got=outlines[1], cure=cure)
    return found


def _outline(domain: Domain) -> str:
    """The axes and their ends."""
    return ", ".join(f"{n} from {a:g} to {b:g}" for n, (a, b) in zip(domain.axes.names, domain.bounds, strict=True))


def elements_of(problem: Problem, degree: int | None, elements: Mapping[str, Element] | None) -> dict[str, Element]:
    """An element for each field. Raises SettingsError or UnknownNameError."""
    check_elements(elements)
    names = [field.name for field in problem.fields]
    given = elements or {}
    if unknown := [name for name in given if name not in names]:
        raise unknown_name("field", unknown[0], names, where="elements")
    chosen = {name: given.get(name, Element()) for name in names}
    return chosen if degree is None else {name: replace(element, degree=degree) for name, element in chosen.items()}


def _solved(problem: Problem, mesh: Mesh, elements: Mapping[str, Element]) -> tuple[Discretisation, Constraint, Found]:
    parts = Discretisation.build(problem, mesh, elements)
    form, held = parts.form(torch.device("cpu")), constraint(parts)
    return parts, held, newton(form, held, torch.zeros(parts.size, dtype=torch.float64), problem.parameters)


def _remarks(problem: Problem, held: Constraint) -> Iterator[str]:
    """What finite elements made of conditions that they cannot meet as they are written."""
    if held.disagreeing:
        yield f"Conditions disagree at {held.disagreeing} nodes, as where two values meet: their mean was taken."
    if problem.data:
        yield f"Measured values ({', '.join(problem.data)}) are for networks: finite elements left them out."


def _verdict(parts: Discretisation, found: Found, expect: float | None) -> Verdict:
    """The verdict on numbers that were found; the seconds are left to the caller."""
    problem, network = parts.problem, element_network(parts, found.u)
    relative = errors(problem, network, problem.parameters, ERROR_POINTS, ERROR_SEED)
    is_unknown = all(error is None for error in relative.values())
    difference = _difference(parts, network) if is_unknown and found.status.by_own_test else {}
    verdict = plain_verdict(parts, found.status, found.norms[-1], found.norms[-1] / (found.norms[0] or 1.0))
    steps = len(found.norms) - 1
    return replace(verdict, relative_l2=relative, difference=difference, expected=expect, steps=steps)


def plain_verdict(parts: Discretisation, status: Status, left: float, part: float) -> Verdict:
    """What is known of any answer of finite elements: the norm that is left of the weak form, and its part of all."""
    problem = parts.problem
    return Verdict(
        status=status,
        relative_l2={field.name: None for field in problem.fields},
        held_out={"weak form": left},
        training={"weak form": left},
        relative={"weak form": part},
        seconds=0.0,
        seconds_verify=0.0,
        steps=1,
        parameters=parts.size,
        residuals=parts.size,
        parameters_found=dict(problem.parameters),
        warnings=tuple(bare_faces(problem)),
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
    sample = parts.mesh.held_out("interior", ERROR_POINTS, torch.Generator().manual_seed(ERROR_SEED))
    indices = total_order(parts.mesh.axes, 0)
    fields = [fields_at(each, parts.problem.parameters, sample.x, indices, parts.problem) for each in (network, finer)]
    values = [{name: value_array(value, len(sample)) for name, value in found.items()} for found in fields]
    return {name: relative_l2(values[0][name], values[1][name], sample.weight.numpy()) for name in parts.spaces}


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
