"""Which mesh and which elements: looked over before any work is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pinnml.domains import Box, Domain, Mesh
from pinnml.elements.element import Element, check_elements
from pinnml.errors import ProblemError, SettingsError, unknown_name
from pinnml.problem import Problem, check_nothing_random

#: Meshes end where their problems do to this part of the extent.
SAME_EXTENT = 1e-6
#: And have their measure to this part, for straight cells leave some of a round domain.
SAME_MEASURE = 0.1


def checked_mesh(problem: Problem, mesh: Mesh | None) -> Mesh:
    """The mesh to solve on. Raises ProblemError or SettingsError where finite elements cannot begin."""
    check_nothing_random(problem)
    if not problem.weak:
        cure = "add weak=lambda u, v: dot(grad(u), grad(v)) - f * v, or solve at points"
        raise ProblemError("there is no weak form", expected="Problem(..., weak=...)", got="none", cure=cure)
    if problem.ansatz is not None:
        cure = "write the conditions as equations on the boundary, and leave the ansatz out, or solve at points"
        message, expected = "weak forms know no ansatz", "conditions as equations"
        raise ProblemError(message, expected=expected, got="an ansatz", cure=cure)
    if problem.domain.axes.names != problem.domain.axes.space:
        got, cure = ", ".join(problem.domain.axes.names), "solve at points, or for one instant"
        raise ProblemError("weak forms are of steady problems", expected="axes of space alone", got=got, cure=cure)
    if isinstance(problem.domain, Box) and problem.domain.periodic:
        got, cure = (
            f"{', '.join(problem.domain.periodic)} periodic",
            "solve at points, or write conditions at both ends",
        )
        raise ProblemError("finite elements know no periodic axes", expected="axes with ends", got=got, cure=cure)
    found: Any = problem.domain if mesh is None else mesh
    if not isinstance(found, Mesh):
        cure = 'give one: mesh=Mesh.read("plate.msh")'
        raise SettingsError("finite elements need a mesh", expected="a Mesh", got=repr(found), cure=cure)
    low, high = problem.domain.bounds.T
    misfit = np.abs(problem.domain.bounds - found.bounds) if found.axes == problem.domain.axes else np.inf
    outlines = [_outline(domain) for domain in (problem.domain, found)]
    if np.any(misfit > SAME_EXTENT * (high - low)[:, None]):
        cure = "give the mesh of the problem's own domain"
        raise SettingsError("the mesh is of another domain", expected=outlines[0], got=outlines[1], cure=cure)
    measures = [_measure(domain) for domain in (problem.domain, found)]
    if abs(measures[1] - measures[0]) > SAME_MEASURE * measures[0]:
        got, cure = f"a measure of {measures[1]:.4g}", "give the mesh of the problem's own domain"
        expected = f"a measure of {measures[0]:.4g}"
        raise SettingsError("the mesh is of another domain", expected=expected, got=got, cure=cure)
    return found


def _measure(domain: Domain) -> float:
    """The length, area or volume inside."""
    return float(domain.sample("interior", 1, torch.Generator().manual_seed(0), "random").weight.sum())


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
