"""Conditions on the faces of a box for one scalar field u that is known: values, slopes, or both mixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinnml import Box, Equation, normal_derivative
from scripts.statements.drawing import Draw
from scripts.statements.statement import Known

KINDS = ("value", "slope", "mixed")


def faces(domain: Any) -> list[str]:
    """The faces of space of a box, without those of periodic axes."""
    assert isinstance(domain, Box)
    return [f"{axis}={end}" for axis in domain.axes.space if axis not in domain.periodic for end in ("min", "max")]


def value(u):
    return u


def slope(u, normal):
    return normal_derivative(u, normal)


def values(known: Known, on: str | Sequence[str] = "boundary") -> Equation:
    """u is given."""
    return known.law(value, on=on if isinstance(on, str) else tuple(on))


def slopes(known: Known, on: str | Sequence[str] = "boundary") -> Equation:
    """Its outward slope is given."""
    return known.law(slope, on=on if isinstance(on, str) else tuple(on))


def mixed(known: Known, on: str | Sequence[str], film: float) -> Equation:
    """The slope, and `film` over the length of the box times u, together are given."""
    assert isinstance(known.domain, Box)
    low, high = known.domain.bounds[0]

    def exchange(u, normal):
        return normal_derivative(u, normal) + film / float(high - low) * u

    return known.law(exchange, on=on if isinstance(on, str) else tuple(on))


def any_conditions(draw: Draw, known: Known) -> list[Equation]:
    """One kind for each face, not slopes alone."""
    where = faces(known.domain)
    kinds = [draw.one_of("value", "value", "slope", "mixed") for _ in where]
    if set(kinds) == {"slope"}:
        kinds[draw.whole(0, len(kinds) - 1)] = "value"
    film = draw.power(0.3, 10)
    made = []
    for kind, equation in (("value", values), ("slope", slopes), ("mixed", lambda k, on: mixed(k, on, film))):
        if on := [face for face, each in zip(where, kinds, strict=True) if each == kind]:
            made.append(equation(known, on))
    return made
