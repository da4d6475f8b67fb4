"""`pinnml solve --solver fem` and `--reference MESH`: the classical solve of the weak form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pinnml.classical import reference
from pinnml.cli.settings import chosen
from pinnml.domains import Mesh
from pinnml.elements import Element
from pinnml.errors import SettingsError
from pinnml.problem import Problem
from pinnml.results import Solution
from pinnml.run import Recipe
from pinnml.system.weak import TestSpace

NAME = "fem"


@dataclass(frozen=True)
class FiniteElements:
    """What `fem:...` may say. degree: of all elements; family: of the elements of vector fields."""

    degree: int | None = None
    family: str | None = None


@dataclass(frozen=True)
class Functions:
    """What `--tests` may say. degree: of all elements; family: of those of vector fields; mesh: the name of a file."""

    degree: int | None = None
    family: str | None = None
    mesh: str | None = None


def test_space(problem: Problem, recipe: Recipe, text: str) -> TestSpace:
    """The recipe's test functions, or the default ones, with what `--tests` replaces."""
    said = chosen(f"tests:{text}", "tests", {"tests": Functions}, None)
    own = recipe.tests or TestSpace()
    own = own if own.elements else own.of(recipe.elements)
    elements = _with_family(problem, own.elements, said.family, "tests")
    return replace(own, degree=said.degree or own.degree, elements=elements, mesh=said.mesh or own.mesh)


def is_classical(solver: str | None, mesh: Path | None) -> bool:
    """Whether finite elements are asked for. Raises SettingsError where a mesh is given to another solver."""
    named = solver is not None and solver.partition(":")[0].strip() == NAME
    if mesh is not None and solver is not None and not named:
        raise SettingsError("--reference", expected="--solver fem, or none", got=solver, cure="leave --solver out")
    return named or mesh is not None


def by_elements(
    problem: Problem,
    elements: Mapping[str, Element] | None,
    solver: str | None,
    mesh: Path | None,
    out: str | None,
    unused: Mapping[str, object],
) -> Solution:
    """The classical answer. unused: options by name that have no meaning here, None where they were not given."""
    if given := [name for name, value in unused.items() if value is not None]:
        cure = f"leave --{given[0]} out, or choose another solver"
        raise SettingsError(
            f"--{given[0]}", expected="no such option with finite elements", got=unused[given[0]], cure=cure
        )
    settings = chosen(solver or NAME, "solver", {NAME: FiniteElements}, None)
    own = _with_family(problem, elements, settings.family, NAME)
    found = None if mesh is None else Mesh.read(mesh)
    return reference(problem, mesh=found, degree=settings.degree, elements=own, out=out)


def _with_family(
    problem: Problem, elements: Mapping[str, Element] | None, family: str | None, what: str
) -> Mapping[str, Element] | None:
    """Elements by field, those of vectors of a family that the command line names."""
    if family is None:
        return elements
    vectors, own = [field.name for field in problem.fields if field.is_vector], dict(elements or {})
    Element(family)  # raises where there is no such family
    if not vectors:
        got = ", ".join(field.name for field in problem.fields)
        raise SettingsError(f"{what}:family", expected="a vector field", got=got, cure="leave family out")
    return own | {name: replace(own.get(name, Element()), family=family) for name in vectors}
