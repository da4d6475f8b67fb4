"""What tells data sets apart that may not be mixed, in words that a file can hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pinnml.domains import Mesh
from pinnml.errors import DataSetError
from pinnml.problem import Problem
from pinnml.surrogates.data.mesh_arrays import digest_of
from pinnml.surrogates.data.series import Series


def fields_of(problem: Problem) -> dict[str, int]:
    """The real columns of each field."""
    return {each.name: each.columns for each in problem.fields}


def random_of(problem: Problem) -> dict[str, str]:
    """What is random, in words."""
    return {name: repr(distribution) for name, distribution in problem.random.items()}


def identity_of(
    problem: str,
    fields: Mapping[str, int],
    random: Mapping[str, str],
    meshes: Iterable[Mesh],
    degree: int,
    seed: int,
    series: Series | None,
) -> dict[str, Any]:
    """All that the samples of one set have in common, by what it is called; the equations themselves are tried."""
    return {
        "problem": problem,
        "fields": dict(fields),
        "random inputs": dict(random),
        "mesh": [digest_of(each) for each in meshes],
        "degree": degree,
        "seed": seed,
        "series": None if series is None else series.to_json(),
    }


def check_same(expected: Mapping[str, Any], found: Mapping[str, Any], what: str, cure: str) -> None:
    """Raise DataSetError, naming the first thing in which two identities differ."""
    for name, value in expected.items():
        if found.get(name) != value:
            message = f"{what} differ in the {name}"
            raise DataSetError(message, expected=short(value), got=short(found.get(name)), cure=cure)


def short(value: Any) -> str:
    """A part of an identity in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(f"{each:.12}" if isinstance(each, str) else str(each) for each in value)
    return str(value)
