"""Boxes of any dimension: named axes, time as an axis, periodic axes, parameter axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet
from pinnml.domains.intervals import Graded, Interval, Parameter, Parts, Periodic
from pinnml.domains.records import READERS
from pinnml.domains.rules import spanning_box, unit_points
from pinnml.domains.sample import Grid, Sample
from pinnml.errors import DomainError, unknown_name

TIME = "t"


class Box:
    """The product of named intervals, such as `Box(x=(0, 1), y=Periodic(0, 2 * pi), t=(0, 5))`.

    The axis `t` is time; axes given as `Parameter(low, high)` are parameters; all others are space. Points gather
    around a layer along a `Graded` axis. Along `Parts(0, 0.5, 1)` fields may jump and kink at 0.5. Regions:
    "interior", "boundary" (the faces of space), "initial" (the lower face of time), "interface" (all places where
    parts meet), and every face and interface by name, such as "x=0" or "x=min". Raises DomainError for an axis that
    cannot be.
    """

    def __init__(self, **axes: tuple[float, float] | Interval):
        if not axes:
            raise DomainError("a box without axes", cure="name them: Box(x=(0, 1), y=(0, 1))")
        self._intervals = {name: _interval(name, ends) for name, ends in axes.items()}
        space = (n for n, i in self._intervals.items() if n != TIME and not isinstance(i, Parameter))
        self._axes = Axes(tuple(axes), tuple(space))
        if isinstance(self._intervals.get(TIME), Parts):
            cure = "solve up to that time, and go on from what is found"
            raise DomainError("time in parts", expected=f"{TIME}=(start, end)", got=self._intervals[TIME], cure=cure)

    def __repr__(self) -> str:
        return f"Box({', '.join(f'{name}={_written(i)}' for name, i in self._intervals.items())})"

    @property
    def axes(self) -> Axes:
        """The names of the coordinates."""
        return self._axes

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """What each axis runs over."""
        return dict(self._intervals)

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
        return (*self._general(), *faces, *self.interfaces)

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Where parts meet, by name."""
        axes = {name: interval for name, interval in self._intervals.items() if isinstance(interval, Parts)}
        return tuple(f"{name}={_number(place)}" for name, interval in axes.items() for place in interval.places)

    def region(self, name: str) -> str:
        """The canonical name of a region: "x=0" becomes "x=min"; UnknownNameError if there is none such."""
        word = name.replace(" ", "")
        if word in self._general():
            return "t=min" if word == "initial" else word
        axis, _, end = word.partition("=")
        if axis in self._open() and (side := self._side(axis, end)):
            return f"{axis}={side}"
        raise unknown_name("region", name, self.regions, where=repr(self))

    def has_normal(self, name: str) -> bool:
        """Whether a region is made of faces of space, or of interfaces."""
        return name in ("boundary", "interface") or name.partition("=")[0] in self._axes.space

    def has_two_sides(self, name: str) -> bool:
        """Whether the region is an interface, or all of them."""
        return name == "interface" or name in self.interfaces

    def shares(self, region: str, points: int) -> int:
        """The points of a region where the interior gets `points`.

        The faces of space and the initial face share 2 d sqrt(points) by their measure; none gets less than half
        of an equal share, since axes may bear different units. A face without extent is one point. An interface has
        as many as a face of its measure.
        """
        if region == "interior":
            return points
        if region in ("boundary", "interface"):
            return sum(self.shares(face, points) for face in self._faces_of(region))
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
        if region in ("boundary", "interface"):
            shares = {face: self.shares(face, 10_000) for face in self._faces_of(region)}
            return _joined([self._face(face, k, generator, rule) for face, k in _divided(region, n, shares)])
        return self._face(region, n, generator, rule)

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """About n independent random points of a region, to judge a solution that has not seen them."""
        return self.sample(region, n, generator, "random")

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried to the unit box; a periodic one becomes a circle: two inputs.

        One in parts gets a second input that tells the part, from 0 to 1: it jumps where parts meet, and by it every
        smooth function of the inputs is another one on either side.
        """
        inputs = []
        for name, interval in self._intervals.items():
            unit = (coordinates[name] - interval.low) / (interval.high - interval.low)
            if isinstance(interval, Periodic):
                angle = 2 * math.pi * unit
                inputs += [(1 + torch.cos(angle)) / 2, (1 + torch.sin(angle)) / 2]  # pyright: ignore
            else:
                inputs.append(unit)
            if isinstance(interval, Parts):
                behind = [(coordinates[name].value >= place).to(unit.dtype) for place in interval.places]
                inputs.append(unit.constant(sum(behind[1:], behind[0]) / len(behind)))
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

    def during(self, start: float, end: float) -> Box:
        """The same box from one instant to another. Raises DomainError where time is no plain axis (start, end)."""
        time = self._intervals.get(TIME)
        if type(time) is not Interval:
            got = "no axis t" if time is None else f"{TIME}={_written(time)}"
            message, cure = "a window in time", f"call the axis of time {TIME}, and give it two ends alone"
            raise DomainError(message, expected=f"{TIME}=(start, end)", got=got, cure=cure)
        return Box(**{**self._intervals, TIME: Interval(start, end)})

    def to_json(self) -> dict[str, Any]:
        """The axes as plain lists: kind, low, high, and what else belongs to the kind."""
        return {"box": {n: [type(i).__name__, *i.numbers] for n, i in self._intervals.items()}}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Box:
        """The box of a `to_json` record."""
        kinds = {kind.__name__: kind for kind in (Interval, Periodic, Parameter, Graded, Parts)}
        return cls(**{name: kinds[kind](*numbers) for name, (kind, *numbers) in record["box"].items()})

    def _open(self) -> list[str]:
        """Axes with faces: those of space and time that are not periodic."""
        return [n for n, i in self._intervals.items() if not isinstance(i, (Periodic, Parameter))]

    def _space_faces(self) -> list[str]:
        return [f"{name}={side}" for name in self._open() if name in self._axes.space for side in ("min", "max")]

    def _general(self) -> list[str]:
        """The regions that are not single faces."""
        general = ["interior"] + ["boundary"] * bool(self._space_faces()) + ["initial"] * (TIME in self._open())
        return general + ["interface"] * bool(self.interfaces)

    def _faces_of(self, region: str) -> list[str]:
        return self._space_faces() if region == "boundary" else [*self.interfaces]

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
        places = interval.places if isinstance(interval, Parts) else ()
        sides = {"min": interval.low, "max": interval.high} | {_number(place): place for place in places}
        return next((side for side, bound in sides.items() if abs(value - bound) <= tolerance), None)

    def _measure(self, face: str) -> float:
        fixed = face.partition("=")[0]
        return math.prod(i.high - i.low for name, i in self._intervals.items() if name != fixed)

    def _face(self, face: str, n: int, generator: torch.Generator, rule: str) -> Sample:
        """Points of the interior, a face or an interface, drawn on every part by itself."""
        fixed = face.partition("=")[0]
        free = [name for name in self._intervals if name != fixed]
        pieces = [*product(*(self._intervals[name].parts for name in free))]
        fewest = 0.5 * self._measure(face) / len(pieces)
        shares = np.array([max(math.prod(i.high - i.low for i in piece), fewest) for piece in pieces])
        ends = np.round(n * shares.cumsum() / shares.sum())
        counts = np.diff(ends, prepend=0).clip(min=min(n, 1)).astype(int).tolist()
        drawn = (
            self._piece(face, dict(zip(free, piece, strict=True)), k, generator, rule)
            for piece, k in zip(pieces, counts, strict=True)
        )
        return _joined([*drawn])

    def _piece(
        self, face: str, intervals: Mapping[str, Interval], n: int, generator: torch.Generator, rule: str
    ) -> Sample:
        """Points of a product of intervals, with the value along the axis of a face for the other axis."""
        fixed, _, side = face.partition("=")
        periodic = tuple(isinstance(interval, Periodic) for interval in intervals.values())
        unit, weight = unit_points(rule, n, len(intervals), generator, periodic)
        x = torch.empty((len(weight), len(self._intervals)), dtype=torch.float64)
        for i, name in enumerate(self._intervals):
            if name == fixed:
                x[:, i] = self._place(name, side)
            else:
                x[:, i], stretch = intervals[name].placed(unit[:, [*intervals].index(name)])
                weight = weight * stretch
        normal = None
        if fixed in self._axes.space:
            normal = torch.zeros((len(x), len(self._axes.space)), dtype=torch.float64)
            normal[:, self._axes.space.index(fixed)] = -1.0 if side == "min" else 1.0
        return Sample(x, weight * (math.prod(i.high - i.low for i in intervals.values()) / weight.sum()), normal)

    def _place(self, name: str, side: str) -> float:
        interval = self._intervals[name]
        if isinstance(interval, Parts) and side not in ("min", "max"):
            return next(place for place in interval.places if _number(place) == side)
        return interval.low if side == "min" else interval.high


READERS["box"] = Box.from_json


def _interval(name: str, ends: object) -> Interval:
    if isinstance(ends, Interval):
        return ends
    try:
        low, high = map(float, ends if isinstance(ends, (tuple, list)) else ())
    except (TypeError, ValueError):
        expected = (
            "(low, high), Periodic(low, high), Parameter(low, high), Graded(low, high, at, width) or Parts(a, b, c)"
        )
        raise DomainError(f"axis '{name}'", expected=expected, got=ends, cure=f"write {name}=(0, 1)") from None
    return Interval(low, high)


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def _number(value: float) -> str:
    """The shortest of a few forms that reads back as the same number."""
    return next((text for text in (f"{value:.6g}", f"{value:.12g}") if float(text) == value), repr(value))


def _written(interval: Interval) -> str:
    kind = "" if type(interval) is Interval else type(interval).__name__
    return f"{kind}({', '.join(f'{number:g}' for number in interval.numbers)})"


def _divided(region: str, n: int, shares: Mapping[Any, float]) -> list[tuple[Any, int]]:
    """N points over pieces of a region, in proportion to their shares, at least one each."""
    if n < 1:
        raise DomainError(f"'{region}' was given no points", expected="at least 1", got=n, cure="raise points")
    return [(piece, max(round(n * share / sum(shares.values())), 1)) for piece, share in shares.items()]


def _joined(parts: list[Sample]) -> Sample:
    if len(parts) == 1:
        return parts[0]
    normals = [part.normal for part in parts if part.normal is not None]
    x, weight = (torch.cat([getattr(part, name) for part in parts]) for name in ("x", "weight"))
    return Sample(x, weight, torch.cat(normals) if normals else None)


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
