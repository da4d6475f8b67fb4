"""Unstructured meshes as domains: cells of one kind, named parts and faces."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet
from pinnml.domains.box import Box
from pinnml.domains.cells import Cells
from pinnml.domains.intervals import Interval
from pinnml.domains.meshes.axes import checked_axes
from pinnml.domains.meshes.facets import Facets, facets_of
from pinnml.domains.meshes.files.reading import read_mesh
from pinnml.domains.meshes.groups import UNNAMED, groups_of
from pinnml.domains.meshes.lagrange import finest_degree, lagrange_cells
from pinnml.domains.meshes.mesh_record import digest
from pinnml.domains.meshes.nodes import sound_nodes
from pinnml.domains.meshes.orientation import in_file_order, oriented
from pinnml.domains.meshes.quality import Quality, quality_of
from pinnml.domains.meshes.sampling import Density, Pieces, sampled, towards
from pinnml.domains.rules import SPANNING
from pinnml.domains.sample import Domain, Grid, Sample
from pinnml.errors import MeshError, unknown_name
from pinnml.output.notebook import as_table


class Mesh:
    """Cells of one kind with named parts and faces: `Mesh.read("plate.msh")`, or from arrays.

    points (N, s), or (N, 3) in a plane along axes at any height; cells (C, g) of a kind by meshio's name, nodes in the
    order of files; parts: name -> numbers of cells; faces: name -> numbers of the corners of facets (f, c), outside or
    between cells. axes: names of the coordinates; else those of x, y, z along which the mesh extends.
    Regions: "interior", every part, "boundary" (all outer facets), every group of facets, and "unnamed boundary" where
    some outer facets have a name and others have none.

    The cells are used as they are, curved ones too; corners of simplices are put in ascending order, other cells with
    a negative Jacobian are turned over, serendipity cells completed, unused points dropped. Raises MeshError for
    anything else that keeps the cells from covering a piece of space once.
    """

    #: `mesh.times(t=(0, 1), nu=Parameter(1, 2))`: this mesh over time and parameters; set by `times.py`.
    times: ClassVar[Callable[..., Domain]]

    def __init__(
        self,
        points: Any,
        cells: Any,
        kind: str,
        *,
        parts: Mapping[str, Any] | None = None,
        faces: Mapping[str, Any] | None = None,
        axes: Iterable[str] | None = None,
    ):
        nodes = sound_nodes(points, cells, kind)
        self._axes = checked_axes(axes, nodes.axes)
        self._cells = oriented(nodes.points, nodes.cells, nodes.kind)
        self._facets = facets_of(self._cells)
        self._groups = groups_of(self._cells, self._facets, parts or {}, faces or {}, nodes.number)
        self._outline = Box(**{n: Interval(*ends) for n, ends in zip(self._axes.names, self.bounds, strict=True)})

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        axes: Iterable[str] | None = None,
        *,
        rename: Mapping[str, str] | None = None,
    ) -> Mesh:
        """The mesh in a .msh, .vtu, .vtk or .xdmf file, with its groups as regions; see `read_mesh`.

        rename: other names for groups, by those that they would have: `{"boundary": "wall", "face 3": "lid"}`.
        """
        found = read_mesh(path, rename)
        try:
            return cls(found.points, found.cells, found.kind, parts=found.parts, faces=found.faces, axes=axes)
        except MeshError as error:
            raise error.within(f"mesh '{os.path.basename(path)}'") from None

    def __repr__(self) -> str:
        names = ", ".join(name for name in self.regions if name not in ("interior", "boundary", UNNAMED))
        over = ", ".join(self._axes.names)
        return f"Mesh({len(self._cells)} {self._cells.kind.name} cells over {over}; {names or 'no named groups'})"

    def _repr_html_(self) -> str:
        size = {0: "", 1: "length", 2: "area", 3: "volume"}
        rows = [
            (name, f"from {low:.6g} to {high:.6g}")
            for name, (low, high) in zip(self._axes.names, self.bounds.tolist(), strict=True)
        ]
        for name in self.regions:
            pieces = self.pieces(name)
            what = "cells" if pieces.local is None else "facets"
            measure = f", {size[pieces.dimension]} {self.measure(name):.6g}" if pieces.dimension else ""
            rows.append((name, f"{len(pieces)} {what}{measure}"))
        return as_table(f"Mesh of {len(self._cells)} {self._cells.kind.name} cells", rows)

    @property
    def cells(self) -> Cells:
        """The cells, nodes in basix's order."""
        return self._cells

    @property
    def facets(self) -> Facets:
        """The facets of the cells, each once."""
        return self._facets

    @property
    def axes(self) -> Axes:
        """The names of the coordinates."""
        return self._axes

    @property
    def bounds(self) -> np.ndarray:
        """The bounding box of the nodes, (d, 2)."""
        return np.stack([self._cells.points.min(axis=0), self._cells.points.max(axis=0)], axis=1)

    @property
    def regions(self) -> tuple[str, ...]:
        """The names of the regions."""
        return tuple(self._groups.pieces)

    @property
    def periodic(self) -> tuple[str, ...]:
        """No axis goes round."""
        return ()

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The groups of facets that lie between cells, all of them or some."""
        return self._groups.interfaces

    def region(self, name: str) -> str:
        """The name itself; UnknownNameError if there is no such region."""
        if name not in self._groups.pieces:
            raise unknown_name("region", name, self.regions, where=repr(self))
        return name

    def has_normal(self, name: str) -> bool:
        """Whether a region is made of facets."""
        return self.pieces(name).local is not None

    def has_two_sides(self, name: str) -> bool:
        """Whether a region is made of facets between cells alone."""
        return self._groups.is_inside(name)

    def pieces(self, region: str) -> Pieces:
        """The cells or facets of a region, of a facet between cells the side whose outward normal it has."""
        return self._groups.pieces[self.region(region)]

    def between(self, first: str, second: str, but: Iterable[str] = ()) -> Pieces:
        """The facets between two parts that are in none of some groups, with the outward normals of the first."""
        return self._groups.between(self._cells, self._facets, first, second, but)

    def measure(self, region: str = "interior") -> float:
        """The length, area or volume of a region; in no dimension, the number of its points."""
        return float(self.pieces(region).measure.sum())

    def bare(self, said: Iterable[str]) -> list[str]:
        """The outer groups of facets, "unnamed boundary" among them, that `said` regions do not cover together."""
        return self._groups.bare({*said})

    def sample(self, region: str, n: int, generator: torch.Generator, rule: str = "sobol") -> Sample:
        """About n points of a region by a rule, float64, on the CPU; the weights sum to its measure.

        random: independent; sobol: low discrepancy; both as dense everywhere. chebyshev: denser towards the boundary,
        as 1 / sqrt(distance). gauss: a quadrature on every cell or facet, of the degree that gives about n points, and
        at least one point on each; grid: the same, but the middles of n of them where there are more.
        """
        return sampled(self.pieces(region), n, generator, rule, lambda: self.nearness)

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """About n independent random points of a region, to judge a solution that has not seen them."""
        return self.sample(region, n, generator, "random")

    def shares(self, region: str, points: int) -> int:
        """The points of a region where the interior gets `points`.

        Parts share them by their measure, the faces 2 d sqrt(points); none gets less than half of an equal share.
        """
        if self.has_normal(region) and self.pieces(region).dimension == 0:
            return len(self.pieces(region))
        total = 2 * len(self._axes.names) * math.sqrt(points) if self.has_normal(region) else points
        return max(round(total * self.share(region)), 1)

    def share(self, region: str) -> float:
        """The part of its measure in that of the boundary or the interior, at least half of an equal share."""
        if region in ("interior", "boundary"):
            return 1.0
        whole = "boundary" if self.has_normal(region) else "interior"
        alike = [name for name in self.regions if self.has_normal(name) == self.has_normal(region) and name != whole]
        return min(max(self.measure(region) / self.measure(whole), 0.5 / len(alike)), 1.0)

    @cached_property
    def nearness(self) -> Density:
        """The density 1 / sqrt(distance) towards the boundary, of points (n, d)."""
        return towards(self.pieces("boundary"))

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried from the bounding box to the unit box."""
        return self._outline.scaled(coordinates)

    def spanning(self) -> Tensor:
        """Fixed points (n, d) that tell the range of a function: nodes and a Sobol set."""
        inside = self.sample("interior", SPANNING, torch.Generator().manual_seed(0)).x
        return torch.cat([torch.from_numpy(self._cells.points), inside])

    def grid(self, resolution: int, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
        """The mesh's own cells, of so high a degree that there are about resolution^d points."""
        if tuple(axes) != self._axes.names:
            cure = "look at it along all of its axes"
            raise MeshError("a mesh has one grid", expected=", ".join(self._axes.names), got=", ".join(axes), cure=cure)
        return self.grid_of(finest_degree(self._cells, resolution ** len(axes)))

    def grid_of(self, degree: int) -> Grid:
        """The mesh's own cells with the nodes of a degree, its own nodes if that is the degree of its cells."""
        kind = self._cells.kind
        if degree == kind.degree:
            nodes = in_file_order(self._cells)
            return Grid(self._cells.points, nodes, kind.name, self._axes.names, self.part_marks())
        return Grid(*lagrange_cells(self._cells, degree), self._axes.names, self.part_marks())

    def part_marks(self) -> dict[str, np.ndarray]:
        """For every part that is not the whole, as `part_<name>`, 1 in its cells and 0 in the others, (c,)."""
        marks = {}
        for name in self.regions:
            pieces = self.pieces(name)
            if pieces.local is None and len(pieces) < len(self._cells):
                marks[f"part_{name}"] = np.isin(np.arange(len(self._cells)), pieces.cell).astype(np.uint8)
        return marks

    def quality(self) -> Quality:
        """How many cells there are, how large and how regular."""
        return quality_of(self._cells, self.measure())

    def to_json(self) -> dict[str, Any]:
        """The bounding box, by axis, and a digest that tells meshes apart."""
        ends = {name: list(pair) for name, pair in zip(self._axes.names, self.bounds.tolist(), strict=True)}
        return {"mesh": ends, "digest": {"sha256": [self._digest]}}

    @cached_property
    def _digest(self) -> str:
        groups = [array for pieces in self._groups.pieces.values() for array in (pieces.cell, pieces.local)]
        arrays = [self._cells.points, self._cells.nodes, *(array for array in groups if array is not None)]
        return digest(arrays, (self._cells.kind.name, *self.regions))
