"""What a saved solution knows of the mesh it was found on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet
from pinnml.domains.box import Box
from pinnml.domains.records import READERS
from pinnml.domains.sample import Grid, Sample
from pinnml.errors import MeshError


class MeshRecord:
    """The axes and the bounding box of a mesh that is not at hand: enough to call a network, not to solve on.

    Whatever needs the mesh raises MeshError.
    """

    def __init__(self, record: Mapping[str, Any]):
        self._record = dict(record)
        times = {"box": record.get("times", {})}
        outline = {"box": {name: ["Interval", *ends] for name, ends in record["mesh"].items()} | times["box"]}
        self._outline = Box.from_json(outline)

    def __repr__(self) -> str:
        return f"the mesh over {', '.join(self.axes.names)} of a saved solution"

    def during(self, start: float, end: float) -> MeshRecord:
        """The same from one instant to another. Raises DomainError where there is no plain axis of time."""
        box = self._outline.during(start, end).to_json()["box"]
        return MeshRecord({**self._record, "times": {name: box[name] for name in self._record.get("times", {})}})

    @property
    def axes(self) -> Axes:
        """The names of the coordinates."""
        return self._outline.axes

    @property
    def bounds(self) -> np.ndarray:
        """The bounding box, (d, 2)."""
        return self._outline.bounds

    @property
    def regions(self) -> tuple[str, ...]:
        """None: they are of the mesh."""
        return ()

    def region(self, name: str) -> str:
        """MeshError."""
        self._refuse()

    def has_normal(self, name: str) -> bool:
        """MeshError."""
        self._refuse()

    def has_two_sides(self, name: str) -> bool:
        """MeshError."""
        self._refuse()

    def sample(self, region: str, n: int, generator: torch.Generator, rule: str = "sobol") -> Sample:
        """MeshError."""
        self._refuse()

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """MeshError."""
        self._refuse()

    def shares(self, region: str, points: int) -> int:
        """MeshError."""
        self._refuse()

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried from the bounding box to the unit box."""
        return self._outline.scaled(coordinates)

    def spanning(self) -> Tensor:
        """MeshError."""
        self._refuse()

    def grid(self, resolution: int, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
        """MeshError."""
        self._refuse()

    def to_json(self) -> dict[str, Any]:
        """The record that it came from."""
        return self._record

    def _refuse(self) -> NoReturn:
        raise MeshError(
            "the mesh is not in the file of a solution",
            expected="the problem with its mesh",
            got=repr(self),
            cure="load(path, problem=...)",
        )


READERS["mesh"] = MeshRecord


def digest(arrays: Iterable[np.ndarray], names: Iterable[str]) -> str:
    """What tells meshes apart: SHA-256 of arrays and names."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, dtype="<f8" if array.dtype.kind == "f" else "<i8").tobytes())
    for name in names:
        found.update(name.encode() + b"\0")
    return found.hexdigest()
