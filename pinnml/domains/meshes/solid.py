"""The inside of a closed surface of triangles."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet
from pinnml.domains.box import Box
from pinnml.domains.meshes.files.stl import read_stl
from pinnml.domains.meshes.mesh_record import digest
from pinnml.domains.meshes.nodes import LARGEST, place
from pinnml.domains.meshes.sampling import CHOICE, NEAR_POINTS, Density, check_sampling, in_reference, near, thinned
from pinnml.domains.reference_cells import quadrature
from pinnml.domains.rules import SPANNING, unit_points
from pinnml.domains.sample import Grid, Sample
from pinnml.errors import MeshError, unknown_name

#: Corners are one point within this part of the size of the surface: .stl files hold seven digits.
SAME_CORNER = 1e-6
#: Points are found by trying as long as this part of the bounding box is inside, and so often with twice as many.
LEAST_SHARE, MOST_DOUBLED = 1e-3, 6


class Solid:
    """The inside of a closed surface: `Solid.read("part.stl")`, or from the corners of its triangles (F, 3, 3).

    Regions: "interior" and "boundary". There are no cells: points of the interior are those of the bounding box that
    the surface encloses, and integrals over it are only as good as these are many; on the boundary they are exact.
    A surface with all triangles inside out is turned over. Raises MeshError for one that is not closed. That it does
    not pass through itself is taken for granted.
    """

    def __init__(self, triangles: Any):
        self._corners, self._numbers = _closed(np.asarray(triangles))
        self._axes = Axes(("x", "y", "z"), ("x", "y", "z"))
        self._outline = Box(**{name: tuple(ends) for name, ends in zip("xyz", self.bounds.tolist(), strict=True)})
        self._volume = float(np.linalg.det(self._triangles - self._corners.mean(axis=0)).sum() / 6)
        if self._volume < 0:
            self._numbers, self._volume = self._numbers[:, ::-1], -self._volume
        self._share = self._volume / float(np.prod(np.diff(self.bounds, axis=1)))
        if self._share < LEAST_SHARE:
            got, cure = f"{self._share:.3g} of its bounding box", "turn it, or mesh it and use Mesh.read"
            raise MeshError("a surface that encloses next to nothing", expected=LEAST_SHARE, got=got, cure=cure)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Solid:
        """The inside of the surface in an .stl file."""
        triangles = read_stl(path)
        try:
            return cls(triangles)
        except MeshError as error:
            raise error.within(f"surface '{os.path.basename(path)}'") from None

    def __repr__(self) -> str:
        return f"Solid({len(self._numbers)} triangles around a volume of {self._volume:.6g})"

    @property
    def axes(self) -> Axes:
        """The names of the coordinates: x, y, z."""
        return self._axes

    @property
    def bounds(self) -> np.ndarray:
        """The bounding box, (3, 2)."""
        return np.stack([self._corners.min(axis=0), self._corners.max(axis=0)], axis=1)

    @property
    def regions(self) -> tuple[str, ...]:
        """The names of the regions."""
        return ("interior", "boundary")

    @property
    def periodic(self) -> tuple[str, ...]:
        """No axis goes round."""
        return ()

    def region(self, name: str) -> str:
        """The name itself; UnknownNameError if there is no such region."""
        if name not in self.regions:
            raise unknown_name("region", name, self.regions, where=repr(self))
        return name

    def has_normal(self, name: str) -> bool:
        """Whether a region is the boundary."""
        return self.region(name) == "boundary"

    def has_two_sides(self, name: str) -> bool:
        """There is no surface inside."""
        return False

    def measure(self, region: str = "interior") -> float:
        """The volume, or the area of the boundary."""
        return float(self._areas.sum()) if self.has_normal(region) else self._volume

    def shares(self, region: str, points: int) -> int:
        """The boundary gets 6 sqrt(points) where the interior gets `points`, as a box does."""
        return round(6 * math.sqrt(points)) if self.has_normal(region) else points

    def sample(self, region: str, n: int, generator: torch.Generator, rule: str = "sobol") -> Sample:
        """About n points of a region by a rule, float64, on the CPU; the weights sum to its measure.

        random, sobol: as dense everywhere; chebyshev: in the interior as 1 / sqrt(distance) from the boundary; gauss,
        grid: on the boundary a quadrature on every triangle, in the interior the same as sobol.
        """
        check_sampling(n, rule)
        if self.has_normal(region):
            return self._on_triangles(n, generator, rule)
        plain = "random" if rule == "random" else "sobol"
        if rule != "chebyshev":
            return self._within(n, generator, plain)
        sample = self._within(CHOICE * n, generator, plain)
        return thinned(sample, n, generator, self._nearness(sample.x))

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """About n independent random points of a region, to judge a solution that has not seen them."""
        return self.sample(region, n, generator, "random")

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried from the bounding box to the unit box."""
        return self._outline.scaled(coordinates)

    def spanning(self) -> Tensor:
        """Fixed points (n, d) that tell the range of a function: a Sobol set, inside and on the surface."""
        generator = torch.Generator().manual_seed(0)
        return torch.cat([self.sample(region, SPANNING, generator).x for region in ("interior", "boundary")])

    def grid(self, resolution: int, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
        """The hexahedra of a mesh of the bounding box whose middle is inside."""
        grid = self._outline.grid(resolution, axes, fixed)
        if tuple(axes) != self._axes.names or grid.cells is None:
            raise MeshError("a solid has one grid", expected="x, y, z", got=", ".join(axes), cure="look at all of it")
        cells = grid.cells[self.encloses(torch.from_numpy(grid.points[grid.cells].mean(axis=1)))]
        used, numbers = np.unique(cells, return_inverse=True)
        return Grid(grid.points[used], numbers.reshape(cells.shape), grid.cell_type, grid.axes)

    def encloses(self, x: Tensor) -> np.ndarray:
        """Whether points (n, 3) are inside, (n,)."""
        import pyvista
        from vtkmodules.vtkFiltersModeling import vtkSelectEnclosedPoints

        surface = pyvista.PolyData.from_regular_faces(self._corners, self._numbers)
        select = vtkSelectEnclosedPoints()
        select.SetInputData(pyvista.PolyData(np.ascontiguousarray(x.numpy())))
        select.SetSurfaceData(surface)
        select.Update()
        return np.asarray(pyvista.wrap(select.GetOutput())["SelectedPoints"]).astype(bool)

    def to_json(self) -> dict[str, Any]:
        """The bounding box, by axis, and a digest that tells surfaces apart."""
        ends = dict(zip("xyz", self.bounds.tolist(), strict=True))
        return {"mesh": ends, "digest": {"sha256": [digest((self._corners, self._numbers), ("solid",))]}}

    @property
    def _triangles(self) -> np.ndarray:
        return self._corners[self._numbers]

    @cached_property
    def _crosses(self) -> np.ndarray:
        """The normals of the triangles, twice as long as these are large, (F, 3)."""
        sides = self._triangles[:, 1:] - self._triangles[:, :1]
        return np.cross(sides[:, 0], sides[:, 1])

    @cached_property
    def _areas(self) -> np.ndarray:
        return np.linalg.norm(self._crosses, axis=1) / 2

    @cached_property
    def _nearness(self) -> Density:
        places = self._on_triangles(NEAR_POINTS[2], torch.Generator().manual_seed(0), "sobol").x
        return near(places, math.sqrt(self.measure("boundary") / NEAR_POINTS[2]))

    def _within(self, n: int, generator: torch.Generator, rule: str) -> Sample:
        """N points of the bounding box that are inside, the first of a set that is large enough."""
        many = math.ceil(1.2 * n / self._share) + 64
        for more in range(MOST_DOUBLED):
            start = torch.Generator().set_state(generator.get_state())
            x = self._outline.sample("interior", many << more, start, rule).x
            inside = x[torch.from_numpy(self.encloses(x))]
            if len(inside) >= n:
                generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
                return Sample(inside[:n], torch.full((n,), self._volume / n, dtype=torch.float64))
        raise MeshError(
            "a surface that passes through itself",
            expected=f"{self._share:.3g} of the bounding box inside, as its volume says",
            got=f"{len(inside)} of {len(x)} points",
            cure="mend it in the program that it comes from",
        )

    def _on_triangles(self, n: int, generator: torch.Generator, rule: str) -> Sample:
        """Points on triangles, chosen by their area, or those of a quadrature on each."""
        whole = np.flatnonzero(self._areas > 0)
        if rule in ("gauss", "grid"):
            rules = [each for each in (quadrature("triangle", degree) for degree in range(13)) if each[1].min() > 0]
            points, weights = min(reversed(rules), key=lambda each: abs(math.log(len(whole) * len(each[1]) / n)))
            number = np.repeat(whole, len(points))
            places, weight = np.tile(points, (len(whole), 1)), np.tile(2 * weights, len(whole)) * self._areas[number]
        else:
            plain = "random" if rule == "random" else "sobol"
            unit = unit_points(plain, n, 3, generator, (False,) * 3)[0].numpy()
            share = np.cumsum(self._areas[whole])
            chosen = np.searchsorted(share, unit[:, 0] * share[-1], side="right").clip(max=len(whole) - 1)
            number, places = whole[chosen], in_reference("triangle", unit[:, 1:])
            weight = np.full(n, share[-1] / n)
        corners = self._triangles[number]
        x = corners[:, 0] + (places[:, None] @ (corners[:, 1:] - corners[:, :1]))[:, 0]
        normal = self._crosses[number] / (2 * self._areas[number, None])
        return Sample(torch.from_numpy(x), torch.from_numpy(weight), torch.from_numpy(normal))


def _closed(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners (N, 3), each once, and their numbers by triangle (F, 3), of a closed surface; MeshError otherwise."""
    cure = "close it in the program that it comes from: sew its edges, fill its holes, give its triangles one direction"
    if triangles.ndim != 3 or triangles.shape[1:] != (3, 3) or triangles.dtype.kind not in "iuf" or not len(triangles):
        got = f"{triangles.dtype} {triangles.shape}"
        raise MeshError("the triangles of a surface", expected="numbers (F, 3, 3)", got=got, cure="corners by triangle")
    points = triangles.reshape(-1, 3).astype(np.float64)
    if not (np.abs(points) < LARGEST).all() or not (size := np.ptp(points, axis=0)).all():
        raise MeshError("a surface that encloses nothing", expected="finite corners around a volume", cure=cure)
    step = SAME_CORNER * size.max()
    _, first, numbers = np.unique(np.round(points / step), axis=0, return_index=True, return_inverse=True)
    numbers = numbers.reshape(-1, 3)
    numbers = numbers[(numbers != np.roll(numbers, 1, axis=1)).all(axis=1)]
    edges = np.concatenate([numbers[:, [0, 1]], numbers[:, [1, 2]], numbers[:, [2, 0]]])
    directed, count = np.unique(edges, axis=0, return_counts=True)
    known = {tuple(edge) for edge in directed.tolist()}
    pairs = zip(directed.tolist(), count, strict=True)
    lone = [edge for edge, many in pairs if many > 1 or (edge[1], edge[0]) not in known]
    if lone or not len(numbers):
        where = place(points[first][lone[0]].mean(axis=0)) if lone else "nowhere"
        got = f"{len(lone)} edges that are not, the first around {where}"
        raise MeshError("a surface that is not closed", expected="edges between two triangles", got=got, cure=cure)
    return points[first], numbers
