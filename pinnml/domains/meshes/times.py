"""A mesh over time, or for a range of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet
from pinnml.domains.box import TIME, Box
from pinnml.domains.intervals import Interval, Parameter, Periodic
from pinnml.domains.meshes.mesh import Mesh
from pinnml.domains.meshes.sampling import CHOICE, check_sampling, pieces_at, thinned
from pinnml.domains.rules import SPANNING, unit_points
from pinnml.domains.sample import Grid, Sample
from pinnml.errors import MeshError, UnknownNameError, unknown_name


class MeshTimes:
    """The product of a mesh and intervals of time and parameters: `mesh.times(t=(0, 1), nu=Parameter(1, 2))`.

    Regions are those of the mesh, at all times, and "initial", "t=0", "t=max" and so on: all of the mesh at an instant.
    Weights multiply; normals are those of space. Raises MeshError for an axis of space or a name that the mesh has.
    """

    def __init__(self, mesh: Mesh, axes: Mapping[str, Any]):
        _check_axes(mesh, axes)
        self._mesh, self._box, self._given = mesh, Box(**axes), dict(axes)
        self._intervals = {n: i if isinstance(i, Interval) else Interval(*map(float, i)) for n, i in axes.items()}
        self._axes = Axes((*mesh.axes.names, *axes), mesh.axes.space)
        if clash := {*mesh.regions} & {*self._box.regions, "t=min", "t=max"} - {"interior"}:
            cure = "rename it in the mesh"
            raise MeshError(f"the mesh has a region '{min(clash)}', and so has time", got=min(clash), cure=cure)

    def __repr__(self) -> str:
        return f"{self._mesh!r} x {self._box!r}"

    @property
    def mesh(self) -> Mesh:
        """The mesh."""
        return self._mesh

    def times(self, **axes: Any) -> MeshTimes:
        """The same mesh over further axes as well."""
        if twice := set(axes) & set(self._given):
            raise MeshError(f"the mesh goes over '{min(twice)}' already", got=min(twice), cure="name another axis")
        return MeshTimes(self._mesh, {**self._given, **axes})

    def during(self, start: float, end: float) -> MeshTimes:
        """The same mesh from one instant to another. Raises DomainError where time is no plain axis (start, end)."""
        return MeshTimes(self._mesh, self._box.during(start, end).intervals)

    @property
    def axes(self) -> Axes:
        """The names of the coordinates: those of the mesh, then the others."""
        return self._axes

    @property
    def bounds(self) -> np.ndarray:
        """The bounding box, (d, 2)."""
        return np.concatenate([self._mesh.bounds, self._box.bounds])

    @property
    def periodic(self) -> tuple[str, ...]:
        """The names of the periodic axes."""
        return self._box.periodic

    @property
    def regions(self) -> tuple[str, ...]:
        """The names of the regions, the instants with their numbers."""
        return (*self._mesh.regions, *(name for name in self._box.regions if name != "interior"))

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The groups of facets that lie between cells, all of them or some."""
        return self._mesh.interfaces

    def region(self, name: str) -> str:
        """The canonical name of a region: "initial" becomes "t=min"; UnknownNameError if there is none such."""
        if name in self._mesh.regions:
            return name
        try:
            return self._box.region(name)
        except UnknownNameError:
            raise unknown_name("region", name, self.regions, where=repr(self)) from None

    def has_normal(self, name: str) -> bool:
        """Whether a region is made of facets of space."""
        return name in self._mesh.regions and self._mesh.has_normal(name)

    def has_two_sides(self, name: str) -> bool:
        """Whether a region is made of facets between cells alone."""
        return name in self._mesh.regions and self._mesh.has_two_sides(name)

    def bare(self, said: Iterable[str]) -> list[str]:
        """The outer groups of facets that `said` regions do not cover together."""
        return self._mesh.bare(said)

    def shares(self, region: str, points: int) -> int:
        """The points of a region where the interior gets `points`.

        The faces of space and the initial one share 2 d sqrt(points) as those of a box with equal sides; parts share
        the interior's by their measure.
        """
        if not self.has_normal(region) and region in self._mesh.regions:
            return max(round(points * self._mesh.share(region)), 1)
        faces = 2 * len(self._axes.space) + 1
        share = (faces - 1) * self._mesh.share(region) if self.has_normal(region) else 1
        return max(round(2 * len(self._axes.names) * math.sqrt(points) * share / faces), 1)

    def sample(self, region: str, n: int, generator: torch.Generator, rule: str = "sobol") -> Sample:
        """About n points of a region, each with a time of its own; float64, on the CPU.

        The rules are those of the mesh and of a box. gauss and grid have all pairs of fewer places and times.
        """
        check_sampling(n, rule)
        name = self.region(region)
        instant = name not in self._mesh.regions
        space = "interior" if instant else name
        if rule in ("gauss", "grid"):
            return self._tensor(name, n, generator, rule)
        pieces = self._mesh.pieces(space)
        free = [(axis, i) for axis, i in self._intervals.items() if not (instant and axis == TIME)]
        thin = rule == "chebyshev" and not self.has_normal(name)
        k, many = 1 + pieces.dimension, CHOICE * n if thin else n
        d = k + len(free)
        unit, weight = unit_points("random" if rule == "random" else "sobol", many, d, generator, (False,) * d)
        found = pieces_at(pieces, unit[:, :k], weight)
        others, stretch = self._placed(unit[:, k:], name, rule == "chebyshev")
        sample = replace(found, x=torch.cat([found.x, others], dim=1), weight=found.weight * stretch)
        if thin:
            sample = thinned(sample, n, generator, found.weight * self._mesh.nearness(found.x))
        whole = self._mesh.measure(space) * math.prod(i.high - i.low for _, i in free)
        return replace(sample, weight=sample.weight * (whole / sample.weight.sum()))

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """About n independent random points of a region, to judge a solution that has not seen them."""
        return self.sample(region, n, generator, "random")

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried to the unit box, periodic ones as a circle."""
        return self._mesh.scaled(coordinates) + self._box.scaled(coordinates)

    def spanning(self) -> Tensor:
        """Fixed points (n, d) that tell the range of a function: a Sobol set, and it at both ends."""
        generator = torch.Generator().manual_seed(0)
        inside = self.sample("interior", SPANNING, generator).x
        s, ends = len(self._mesh.axes.names), torch.from_numpy(self._box.bounds).T
        sides = [torch.cat([inside[:, :s], end.expand(len(inside), -1)], dim=1) for end in ends]
        return torch.cat([inside, *sides])

    def grid(self, resolution: int, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
        """The mesh's own nodes and cells at `fixed` values; of a mesh of lines also its product with another axis."""
        others, space = self._box.axes.names, self._mesh.axes.names
        if axes == space:
            grid = self._mesh.grid(resolution, axes, fixed)
            rest = np.tile([fixed[name] for name in others], (len(grid.points), 1))
            return Grid(np.hstack([grid.points, rest]), grid.cells, grid.cell_type, space, grid.cell_data)
        if len(space) == 1 and len(axes) == 2 and axes[0] == space[0] and axes[1] in others:
            return self._over(axes[1], resolution, fixed)
        cure = "look at it along the axes of the mesh"
        raise MeshError("a mesh has one grid", expected=", ".join(space), got=", ".join(axes), cure=cure)

    def to_json(self) -> dict[str, Any]:
        """The record of the mesh with the other axes."""
        return {**self._mesh.to_json(), "times": self._box.to_json()["box"]}

    def _placed(self, unit: Tensor, region: str, gathered: bool) -> tuple[Tensor, Tensor]:
        """The other coordinates from points of the unit cube (n, k), and how much they are stretched.

        An instant holds time. Gathered points are denser towards the ends of axes that are not periodic, as Chebyshev
        points are.
        """
        columns, stretch, free = [], torch.ones(len(unit), dtype=torch.float64), 0
        for axis, interval in self._intervals.items():
            if axis == TIME and region not in self._mesh.regions:
                end = interval.low if region == "t=min" else interval.high
                columns.append(torch.full((len(unit),), end, dtype=torch.float64))
                continue
            place, free = unit[:, free], free + 1
            if gathered and not isinstance(interval, Periodic):
                stretch = stretch * torch.sin(math.pi * place)
                place = (1 - torch.cos(math.pi * place)) / 2
            column, slope = interval.placed(place)
            columns.append(column)
            stretch = stretch * slope
        return torch.stack(columns, dim=1), stretch

    def _tensor(self, region: str, n: int, generator: torch.Generator, rule: str) -> Sample:
        """About n pairs: all of some places and of some values of the other axes, two along each at least."""
        instant = region not in self._mesh.regions
        few = round(n ** (len(self._intervals) / len(self._axes.names)))
        space = self._mesh.sample("interior" if instant else region, max(n // few, 1), generator, rule)
        fewest = 2 ** (len(self._intervals) - instant)
        times = self._box.sample(region if instant else "interior", max(n // len(space), fewest), generator, rule)
        place = torch.arange(len(space)).repeat_interleave(len(times))
        time = torch.arange(len(times)).repeat(len(space))
        x = torch.cat([space.x[place], times.x[time]], dim=1)
        return replace(space[place], x=x, weight=space.weight[place] * times.weight[time])

    def _over(self, axis: str, resolution: int, fixed: Mapping[str, float]) -> Grid:
        """The quadrilaterals of every line of the mesh and every step of another axis."""
        x, lines = self._mesh.cells.points[:, 0], self._mesh.cells.corners
        interval = self._intervals[axis]
        steps = np.linspace(interval.low, interval.high, resolution)
        columns = [np.repeat(x, resolution)]
        for name in self._box.axes.names:
            columns.append(np.tile(steps, len(x)) if name == axis else np.full(len(x) * resolution, fixed[name]))
        below = (lines[:, :, None] * resolution + np.arange(resolution - 1)).transpose(0, 2, 1).reshape(-1, 2)
        cells = np.column_stack([below, below[:, 1] + 1, below[:, 0] + 1])
        return Grid(np.stack(columns, axis=1), cells, "quad", (*self._mesh.axes.names, axis))


def times(mesh: Mesh, **axes: tuple[float, float] | Interval) -> MeshTimes:
    """A mesh over time, or for a range of parameters: `mesh.times(t=(0, 1), nu=Parameter(1, 2))`."""
    return MeshTimes(mesh, axes)


Mesh.times = times


def _check_axes(mesh: Mesh, axes: Mapping[str, Any]) -> None:
    """Raise MeshError for no axis, for one of space and for one that the mesh has."""
    wrong = [name for name, ends in axes.items() if name != TIME and not isinstance(ends, Parameter)]
    if not axes or wrong or {*axes} & {*mesh.axes.names}:
        raise MeshError(
            "a mesh is multiplied by time and by parameters",
            expected="t=(low, high), or names other than the mesh's with Parameter(low, high)",
            got=", ".join(axes) or "nothing",
            cure="mesh.times(t=(0, 1), nu=Parameter(1, 2)); a further axis of space belongs into the mesh: extrude it",
        )
