"""A problem's fields on a mesh: which elements they have, how their numbers are ordered, and the form to be solved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pinnml.domains import Box, Mesh, Sample
from pinnml.domains.cells import Cells
from pinnml.domains.geometry import Mapped, mapped, mapped_facets
from pinnml.domains.meshes.sampling import Pieces
from pinnml.domains.reference_cells import quadrature
from pinnml.elements.assembly import Patch, Piece
from pinnml.elements.element import Element
from pinnml.elements.form import Form
from pinnml.elements.pointwise import Carried, Integrand
from pinnml.elements.space import Space
from pinnml.elements.tabulation import lift, table
from pinnml.errors import ProblemError, SettingsError
from pinnml.problem import Field, Problem, Weak

#: Corners of a facet lie on a face of a box to this part of its extent.
ON_FACE = 1e-9
#: Points at which an integrand is evaluated at a time: few enough to stay in a CPU's cache.
POINTS = {"cpu": 2**17, "cuda": 2**22}


@dataclass(frozen=True, eq=False)
class Discretisation:
    """The finite-element fields of a problem.

    spaces: by field, in the problem's order. The numbers u (N,) of all fields stand one after the other: of a field of
    Lagrange elements all of its first component, then all of the second; of a vector element its degrees of freedom.
    """

    problem: Problem
    mesh: Mesh
    spaces: Mapping[str, Space]

    @classmethod
    def build(cls, problem: Problem, mesh: Mesh, elements: Mapping[str, Element]) -> Discretisation:
        """Spaces for all fields. Raises SettingsError or ProblemError for elements or fields that do not fit."""
        for field in problem.fields:
            _check_field(field, elements[field.name], mesh)
        built: dict[Element, Space] = {}
        for element in elements.values():
            built.setdefault(element, Space(element, mesh.cells))
        return cls(problem, mesh, {field.name: built[elements[field.name]] for field in problem.fields})

    @property
    def size(self) -> int:
        """N."""
        return sum(self.lengths)

    @property
    def lengths(self) -> list[int]:
        """How many numbers each field has."""
        return [self.spaces[f.name].size * (f.components if self.is_nodal(f) else 1) for f in self.problem.fields]

    @property
    def starts(self) -> dict[str, int]:
        """Where the numbers of each field begin."""
        ends = np.cumsum(self.lengths).tolist()
        return {field.name: start for field, start in zip(self.problem.fields, [0, *ends], strict=False)}

    def is_nodal(self, field: Field) -> bool:
        """Whether the numbers of a field are its values at nodes."""
        return self.spaces[field.name].element.family == "P"

    @property
    def carried(self) -> tuple[Carried, ...]:
        """What the fields carry at points."""
        axes = self.problem.domain.axes
        return tuple(Carried(f, self.spaces[f.name].element.family, axes) for f in self.problem.fields)

    @cached_property
    def corners(self) -> Space:
        """The piecewise linear functions by which nodal parameters are known."""
        return Space(Element("P", 1), self.mesh.cells)

    def pieces(self, region: str) -> Pieces:
        """The cells or facets of a region of the mesh, or of a face of the box that the problem is on."""
        if region in self.mesh.regions or not isinstance(self.problem.domain, Box):
            return self.mesh.pieces(region)
        axis, _, side = region.partition("=")
        place, outer = self.mesh.axes.position(axis), self.mesh.pieces("boundary")
        low, high = self.mesh.bounds[place]
        corners = self.mesh.cells.points[outer.corners][..., place]
        there = np.abs(corners - (low if side == "min" else high)).max(axis=1) <= ON_FACE * (high - low)
        assert outer.local is not None
        return Pieces(outer.cells, outer.cell[there], outer.local[there])

    def form(self, device: torch.device, degree: int | None = None) -> Form:
        """The weak form with a quadrature exact to a degree, by default twice that of the elements.

        Raises ProblemError for an integrand that is not linear in the test functions, ShapeError for none.
        """
        patches = []
        numbers = {
            name: torch.tensor(value, dtype=torch.float64, device=device)
            for name, value in self.problem.parameters.items()
        }
        for region, weak in self.weak_forms.items():
            patches += self.patches(region, weak, degree or self.degree, device)
            patches[-1].integrand.check(numbers)
        return Form(patches, self.size, self.corners.size)

    @property
    def degree(self) -> int:
        """That of a quadrature which is exact for products of two functions on cells that are not distorted."""
        return 2 * max(space.element.degree for space in self.spaces.values()) + self._bent

    @property
    def weak_forms(self) -> dict[str, tuple[Weak, ...]]:
        """The weak forms by the region that they are integrals over."""
        regions: dict[str, tuple[Weak, ...]] = {}
        for weak in self.problem.weak:
            for region in map(self.problem.canonical, weak.on):
                regions[region] = (*regions.get(region, ()), weak)
        return regions

    def patches(self, region: str, weak: tuple[Weak, ...], degree: int, device: torch.device) -> list[Patch]:
        """Weak forms on the cells or facets of a region, with a quadrature exact to a degree."""
        places = self._mapped(region, degree, POINTS[device.type])
        return [self._patch(weak, cells, at, device) for cells, at in places]

    @cached_property
    def _bent(self) -> int:
        """What the mapping of cells adds to the degree of integrands: nothing where it is affine."""
        kind = self.mesh.cells.kind
        return 0 if kind.is_affine else 2 * kind.degree

    def _mapped(self, region: str, degree: int, most: int) -> Iterator[tuple[Tensor, Mapped]]:
        """The cells or facets of a region, not too many at a time: numbers of cells, and quadrature points on them."""
        pieces, kind = self.pieces(region), self.mesh.cells.kind
        sides = [None] if pieces.local is None else np.unique(pieces.local).tolist()
        for side in sides:
            numbers = pieces.cell if side is None else pieces.cell[pieces.local == side]
            rule = quadrature(kind.reference, degree)
            for part in np.array_split(numbers, -(-len(numbers) * len(rule[1]) // most)):
                cells = Cells(self.mesh.cells.points, self.mesh.cells.nodes[part], kind)
                at = mapped(cells, *rule) if side is None else mapped_facets(cells, side, degree)
                yield torch.from_numpy(part), at

    def _patch(self, weak: tuple[Weak, ...], cells: Tensor, at: Mapped, device: torch.device) -> Patch:
        """The weak forms on some cells, with the functions of all fields there."""
        pieces, place = [], 0
        for field in self.problem.fields:
            space, start = self.spaces[field.name], self.starts[field.name]
            for number in range(field.components if self.is_nodal(field) else 1):
                pieces.append(_piece(space, cells, at, place, start + number * space.size).to(device))
                place += pieces[-1].lift.shape[-2]
        normal = None if at.normal is None else at.normal.flatten(0, 1)
        sample = Sample(at.x.flatten(0, 1), at.weight.flatten(), normal).to(device, torch.float64)
        integrand = Integrand(self.carried, weak, sample)
        first = torch.zeros(1, dtype=torch.int64)
        value = torch.ones((1, 1, 1, 1), dtype=torch.float64)
        corners = Piece(table(self.corners, at.reference)[:1], value, first, None, self.corners.dofs[cells])
        return Patch(integrand, at.weight.to(device), tuple(pieces), corners.to(device))


def _piece(space: Space, cells: Tensor, at: Mapped, place: int, start: int) -> Piece:
    """The functions of a space on cells by number; what they carry and their numbers are counted from a start each."""
    turns = None
    if space.turns is not None:
        matrices, which = space.turns
        turns = matrices[which[cells]]
    carriers = lift(space, at)
    places = torch.arange(place, place + carriers.shape[-2])
    return Piece(table(space, at.reference), carriers, places, turns, start + space.dofs[cells])


def _check_field(field: Field, element: Element, mesh: Mesh) -> None:
    """Refuse fields and elements that do not go together."""
    if field.is_complex:
        cure = "write it as two real fields"
        raise ProblemError(f"the field '{field.name}' is complex", expected="real fields", got="complex", cure=cure)
    dimension = mesh.cells.kind.dimension
    if element.family != "P" and field.components != dimension:
        cure = f'declare fields={{"{field.name}": {dimension}}}, or choose elements of family "P"'
        expected = f"a vector of {dimension} components for {element.family}"
        raise SettingsError(f"the field '{field.name}'", expected=expected, got=field.components, cure=cure)
