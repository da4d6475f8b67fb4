"""Finite-element functions go on from cell to cell, however cells and points are numbered."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from pinnml.domains.cells import KINDS, CellKind, Cells
from pinnml.domains.geometry import Mapped, mapped, mapped_facets
from pinnml.elements import Element, Space
from tests.helpers.shuffled import VECTORIAL, alone, found_again, inner_facets, shuffled
from tests.helpers.tabulation import evaluated

CASES = [
    *((Element("P", degree), kind) for degree in (1, 2, 3, 4) for kind in KINDS.values()),
    *((Element(family, degree), kind) for family in ("N1curl", "RT") for degree in (1, 2, 3) for kind in VECTORIAL),
]
#: Those of which a shared edge or face has more than one function, or one with a direction.
DIRECTED = [
    (element, kind) for element, kind in CASES if kind.dimension > 1 and (element.family != "P" or element.degree > 2)
]


def named(case) -> str:
    return f"{case.family}{case.degree}" if isinstance(case, Element) else case.name


def trace(space: Space, coefficients: torch.Tensor, at: Mapped, cell: int, normal: torch.Tensor) -> torch.Tensor:
    """What has to go on across a facet with a normal (q, s): the value, or components tangential or normal to it."""
    value = evaluated(space, coefficients, at, torch.tensor([cell])).value[0]
    if space.element.family == "P":
        return value
    along = (value * normal).sum(dim=-1, keepdim=True)
    return along if space.element.family == "RT" else value - along * normal


@cache
def meetings(kind: CellKind) -> tuple[Cells, list[tuple[int, Mapped, int, Mapped]]]:
    """Shuffled cells, and the same points of every facet between two of them as points of either."""
    cells, found = shuffled(kind), []
    for (first, facet), (second, _) in inner_facets(cells):
        here = mapped_facets(alone(cells, first), facet, 3)
        found.append((first, here, second, found_again(cells, second, here.x[0].numpy())))
    return cells, found


def jump(element: Element, kind: CellKind) -> float:
    """The largest jump across facets of a random function of the space, over its largest value there."""
    cells, facets = meetings(kind)
    space = Space(element, cells)
    coefficients = torch.from_numpy(np.random.default_rng(1).standard_normal(space.size))
    jumps, sizes = [], []
    for first, here, second, there in facets:
        assert here.normal is not None
        ours = trace(space, coefficients, here, first, here.normal[0])
        jumps.append((ours - trace(space, coefficients, there, second, here.normal[0])).abs().max())
        sizes.append(ours.abs().max())
    return float(max(jumps) / max(sizes))


@pytest.mark.parametrize("kind", VECTORIAL, ids=lambda kind: kind.name)
def test_the_meshes_have_cells_of_either_sense_and_start_anywhere(kind: CellKind):
    cells = shuffled(kind)
    middle = np.full((1, kind.dimension), 0.3)
    signs = torch.linalg.det(mapped(cells, middle, np.ones(1)).jacobian).sign()
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}
    assert len(np.unique(cells.corners.argmin(axis=1))) > 1
    assert len(inner_facets(cells)) > 0


@pytest.mark.parametrize(("element", "kind"), CASES, ids=named)
def test_functions_go_on_across_facets(element: Element, kind: CellKind):
    # round-off: places are found again to 1e-15, and functions of degree 4 in a cell of size 1/2 are 1e2 times as steep
    assert jump(element, kind) < 1e-12


@pytest.mark.parametrize(("element", "kind"), DIRECTED, ids=named)
def test_they_jump_if_cells_are_taken_to_lie_alike(element: Element, kind: CellKind, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pinnml.elements.space.orientation", lambda cells, element: np.zeros(len(cells), dtype=int))
    assert jump(element, kind) > 1e-3
