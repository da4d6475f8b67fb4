"""Boxes of any dimension: named axes, time as an axis, periodic axes, parameter axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet
from pinnml.domains.records import READERS
from pinnml.domains.rules import spanning_box, unit_points
from pinnml.domains.sample import Grid, Sample
from pinnml.errors import DomainError, unknown_name
from pinnml.validation import finite, positive

TIME = "t"


@dataclass(frozen=True)
class Interval:
    """An axis from `low` to `high` with a face at either end."""

    low: float
    high: float

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            finite(f"the end '{name}' of an axis", getattr(self, name), error=DomainError)
        if not self.low < self.high:
            cure = "write the lower end first, as in (0, 1)"
            raise DomainError("an axis needs two ends", expected="low < high", got=(self.low, self.high), cure=cure)

    def placed(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Points of the axis from points of (0, 1), and the derivative of the one by the other, both (n,)."""
        length = self.high - self.low
        return self.low + length * unit, torch.full_like(unit, length)


@dataclass(frozen=True)
class Periodic(Interval):
    """An axis whose ends are one point: fields are periodic along it exactly, and it has no faces."""


@dataclass(frozen=True)
class Parameter(Interval):
    """An axis that is neither space nor time: solve for a range of parameters at once."""


@dataclass(frozen=True)
class Graded(Interval):
    """An interval whose points gather around a layer: their density falls as 1 / sqrt(width^2 + (x - at)^2)."""

    at: float = 0.0
    width: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        finite("the place of a layer, `at`,", self.at, error=DomainError)
        positive("the width of a graded axis", self.width, error=DomainError)

    def placed(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """The points x = at + width sinh(s), s uniform, and dx/d(unit)."""
        first, last = (math.asinh((end - self.at) / self.width) for end in (self.low, self.high))
        s = first + (last - first) * unit
        return self.at + self.width * torch.sinh(s), (last - first) * self.width * torch.cosh(s)


class Box:
    """The product of named intervals, such as `Box(x=(0, 1), y=Periodic(0, 2 * pi), t=(0, 5))`.

    The axis `t` is time; axes given as `Parameter(low, high)` are parameters; all others are space. Points gather
    around a layer along a `Graded` axis. Regions:
    "interior", "boundary" (the faces of space), "initial" (the lower face of time), and every face by name,
    such as "x=0" or "x=min". Raises DomainError for an axis that cannot be.
    """

    def __init__(self, **axes: tuple[float, float] | Interval):
        if not axes:
            raise DomainError("a box without axes", cure="name them: Box(x=(0, 1), y=(0, 1))")
        self._intervals = {name: _interval(name, ends) for name, ends in axes.items()}
        space = (n for n, i in self._intervals.items() if n != TIME and not isinstance(i, Parameter))
        self._axes = Axes(tuple(axes), tuple(space))

    def __repr__(self) -> str:
        return f"Box({', '.join(f'{name}={_written(i)}' for name, i in self._intervals.items())})"

    @property
    def axes(self) -> Axes:
        """The names of the coordinates."""
        return self._axes

    @property
    def bounds(self) -> np.ndarray:
        """The ends of the axes, (d, 2)."""
        return np.array([(i.low, i.high) for i in self._intervals.values()], dtype=np.float64)

    @property
    def periodic(self) -> tuple[str, ...]:
        """The names of the periodic axes."""
        return tuple(name for name, interval in self._intervals.items() if isinstance(interval, Periodic))

    @property
    def regions(self) -> tuple[str, ...]:
        """All regions, faces written with their numbers."""
        faces = [f"{name}={_number(end)}" for name in self._open() for end in _ends(self._intervals[name])]
        general = ["interior"] + ["boundary"] * bool(self._space_faces()) + ["initial"] * (TIME in self._open())
        return (*general, *faces)

    def region(self, name: str) -> str:
        """The canonical name of a region: "x=0" becomes "x=min"; UnknownNameError if there is none such."""
        word = name.replace(" ", "")
        if word in self.regions[: 1 + bool(self._space_faces()) + (TIME in self._open())]:
            return "t=min" if word == "initial" else word
        axis, _, end = word.partition("=")
        if axis in self._open() and (side := self._side(axis, end)):
            return f"{axis}={side}"
        raise unknown_name("region", name, self.regions, where=repr(self))

    def has_normal(self, name: str) -> bool:
        """Whether a region is made of faces of space."""
        return name == "boundary" or name.partition("=")[0] in self._axes.space

    def shares(self, region: str, points: int) -> int:
        """The points of a region where the interior gets `points`.

        The faces of space and the initial face share 2 d sqrt(points) by their measure; none gets less than half
        of an equal share, since axes may bear different units. A face without extent is one point.
        """
        if region == "interior":
            return points
        if region == "boundary":
            return sum(self.shares(face, points) for face in self._space_faces())
        if len(self._intervals) == 1:
            return 1
        measures = {face: self._measure(face) for face in (*self._space_faces(), "t=min") if self._is_face(face)}
        total = 2 * len(self._intervals) * math.sqrt(points)
        share = measures.get(region, self._measure(region)) / sum(measures.values())
        return max(round(total * max(share, 0.5 / len(measures))), 1)

    def sample(self, region: str, n: int, generator: torch.Generator, rule: str = "sobol") -> Sample:
        """About n points of a region by a rule: random, sobol, chebyshev, grid or gauss; float64, on the CPU.

        The weights sum to the measure of the region (1 for a single point). Raises UnknownNameError for a region
        or rule that is not there, DomainError for n < 1.
        """
        region = self.region(region)
        if region == "boundary":
            faces = self._space_faces()
            parts = [self._face(face, k, generator, rule) for face, k in zip(faces, self._divided(n), strict=True)]
            return _joined(parts)
        return self._face(region, n, generator, rule)

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """About n independent random points of a region, to judge a solution that has not seen them."""
        return self.sample(region, n, generator, "random")

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried to the unit box; a periodic one becomes a circle: two inputs."""
        inputs = []
        for name, interval in self._intervals.items():
            unit = (coordinates[name] - interval.low) / (interval.high - interval.low)
            if isinstance(interval, Periodic):
                angle = 2 * math.pi * unit
                inputs += [(1 + torch.cos(angle)) / 2, (1 + torch.sin(angle)) / 2]  # pyright: ignore
            else:
                inputs.append(unit)
        return inputs

    def spanning(self) -> Tensor:
        """Fixed points (n, d) that tell the range of a function: corners and a Sobol set."""
        return spanning_box(self.bounds)

    def grid(self, resolution: int, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
        """A mesh of `resolution` points a side over one to three axes, the others held at `fixed` values."""
        ends = (self._intervals[name] for name in axes)
        lines = [np.linspace(interval.low, interval.high, resolution) for interval in ends]
        nodes = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, len(axes))
        points = np.empty((len(nodes), len(self._intervals)))
        for i, name in enumerate(self._axes.names):
            points[:, i] = nodes[:, axes.index(name)] if name in axes else fixed[name]
        shape = (resolution,) * len(axes)
        return Grid(points, *_cells(shape), axes)

    def to_json(self) -> dict[str, Any]:
        """The axes as plain lists: kind, low, high, and what else belongs to the kind."""
        return {"box": {n: [type(i).__name__, *astuple(i)] for n, i in self._intervals.items()}}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Box:
        """The box of a `to_json` record."""
        kinds = {kind.__name__: kind for kind in (Interval, Periodic, Parameter, Graded)}
        return cls(**{name: kinds[kind](*numbers) for name, (kind, *numbers) in record["box"].items()})

    def _open(self) -> list[str]:
        """Axes with faces: those of space and time that are not periodic."""
        return [n for n, i in self._intervals.items() if not isinstance(i, (Periodic, Parameter))]

    def _space_faces(self) -> list[str]:
        return [f"{name}={side}" for name in self._open() if name in self._axes.space for side in ("min", "max")]

    def _is_face(self, face: str) -> bool:
        return face.partition("=")[0] in self._open()

    def _side(self, axis: str, end: str) -> str | None:
        interval = self._intervals[axis]
        if end in ("min", "max"):
            return end
        try:
            value = float(end)
        except ValueError:
            return None
        tolerance = 1e-12 * max(abs(interval.low), abs(interval.high))
        sides = {"min": interval.low, "max": interval.high}
        return next((side for side, bound in sides.items() if abs(value - bound) <= tolerance), None)

    def _measure(self, face: str) -> float:
        fixed = face.partition("=")[0]
        return math.prod(i.high - i.low for name, i in self._intervals.items() if name != fixed)

    def _divided(self, n: int) -> list[int]:
        """N points over the faces of space, in proportion to their shares, at least one each."""
        if n < 1:
            raise DomainError("the boundary was given no points", expected="at least 1", got=n, cure="raise points")
        shares = np.array([self.shares(face, 10_000) for face in self._space_faces()], dtype=float)
        return [max(round(n * share), 1) for share in shares / shares.sum()]

    def _face(self, face: str, n: int, generator: torch.Generator, rule: str) -> Sample:
        fixed, _, side = face.partition("=")
        free = [name for name in self._intervals if name != fixed]
        periodic = tuple(isinstance(self._intervals[name], Periodic) for name in free)
        unit, weight = unit_points(rule, n, len(free), generator, periodic)
        x = torch.empty((len(weight), len(self._intervals)), dtype=torch.float64)
        for i, (name, interval) in enumerate(self._intervals.items()):
            if name == fixed:
                x[:, i] = interval.low if side == "min" else interval.high
            else:
                x[:, i], stretch = interval.placed(unit[:, free.index(name)])
                weight = weight * stretch
        normal = None
        if fixed in self._axes.space:
            normal = torch.zeros((len(x), len(self._axes.space)), dtype=torch.float64)
            normal[:, self._axes.space.index(fixed)] = -1.0 if side == "min" else 1.0
        return Sample(x, weight * (self._measure(face) / weight.sum()), normal)


READERS["box"] = Box.from_json


def _interval(name: str, ends: object) -> Interval:
    if isinstance(ends, Interval):
        return ends
    try:
        low, high = map(float, ends if isinstance(ends, (tuple, list)) else ())
    except (TypeError, ValueError):
        expected = "(low, high), Periodic(low, high), Parameter(low, high) or Graded(low, high, at, width)"
        raise DomainError(f"axis '{name}'", expected=expected, got=ends, cure=f"write {name}=(0, 1)") from None
    return Interval(low, high)


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def _number(value: float) -> str:
    """The shortest of a few forms that reads back as the same number."""
    return next((text for text in (f"{value:.6g}", f"{value:.12g}") if float(text) == value), repr(value))


def _written(interval: Interval) -> str:
    kind = "" if type(interval) is Interval else type(interval).__name__
    return f"{kind}({', '.join(f'{number:g}' for number in astuple(interval))})"


def _joined(parts: list[Sample]) -> Sample:
    normals = [part.normal for part in parts if part.normal is not None]
    return Sample(torch.cat([part.x for part in parts]), torch.cat([part.weight for part in parts]), torch.cat(normals))


def _cells(shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """The cells of a structured grid and their kind: line, quad or hexahedron, in VTK's order of corners."""
    corners = {
        1: ([(0,), (1,)], "line"),
        2: ([(0, 0), (1, 0), (1, 1), (0, 1)], "quad"),
        3: ([(a, b, c) for c in (0, 1) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))], "hexahedron"),
    }
    offsets, kind = corners[len(shape)]
    node = np.arange(math.prod(shape)).reshape(shape)
    views = [node[tuple(slice(o, n - 1 + o) for o, n in zip(offset, shape, strict=True))] for offset in offsets]
    return np.stack([view.ravel() for view in views], axis=1), kind
