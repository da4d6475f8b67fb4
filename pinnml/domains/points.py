"""Scattered points with columns of measured values: data for an inverse problem, or the domain of a regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet
from pinnml.domains.box import TIME
from pinnml.domains.records import READERS
from pinnml.domains.rules import spanning_box
from pinnml.domains.sample import Grid, Sample
from pinnml.errors import DomainError, ShapeError, unknown_name
from pinnml.validation import positive


class Points:
    """N positions and what was measured there: `Points({"x": x, "t": t}, {"temperature": values}, noise=0.1)`.

    positions: axis -> (N,); columns: name -> (N,), real or complex. noise: the standard deviation of the measured
    values, one number or column -> number; None where it is not known. As a domain its one region is "interior" and
    its measure is 1, so that a loss is a mean square. A tenth of 20 or more points is held out to judge the fit;
    as data of a problem (`Problem(data=...)`) all are used. Raises ShapeError for columns of unequal length,
    DomainError for values that are not finite.
    """

    def __init__(
        self,
        positions: Mapping[str, Any],
        columns: Mapping[str, Any] | None = None,
        noise: float | Mapping[str, float] | None = None,
    ):
        for given, what in ((positions, "positions"), ({} if columns is None else columns, "columns")):
            if not isinstance(given, Mapping):
                cure = 'Points({"x": x}, {"measured": values})'
                raise ShapeError(
                    f"{what} of points",
                    expected="a mapping from names to arrays (N,)",
                    got=type(given).__name__,
                    cure=cure,
                )
        self._positions = {name: _column(name, values) for name, values in positions.items()}
        self._columns = {name: _column(name, values) for name, values in (columns or {}).items()}
        lengths = {name: len(column) for name, column in {**self._positions, **self._columns}.items()}
        if not self._positions or len(set(lengths.values())) != 1:
            raise ShapeError("points and columns do not fit", expected="columns of one length", got=lengths)
        if not next(iter(lengths.values())):
            raise DomainError("no points at all", expected="at least 1", got=0)
        self._axes = Axes(tuple(self._positions), tuple(name for name in self._positions if name != TIME))
        self._noise = self._checked_noise(noise)

    def __len__(self) -> int:
        return len(next(iter(self._positions.values())))

    def __repr__(self) -> str:
        return f"Points({len(self)} at {', '.join(self._positions)}; {', '.join(self._columns) or 'no columns'})"

    @property
    def axes(self) -> Axes:
        """The names of the coordinates."""
        return self._axes

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the measured values."""
        return tuple(self._columns)

    @property
    def noise(self) -> Mapping[str, float]:
        """The standard deviation of measured values by name, as far as it is known."""
        return self._noise

    @property
    def bounds(self) -> np.ndarray:
        """The bounding box, (d, 2)."""
        return np.array([(float(column.min()), float(column.max())) for column in self._positions.values()])

    @property
    def regions(self) -> tuple[str, ...]:
        """One region: all of them."""
        return ("interior",)

    def region(self, name: str) -> str:
        """The canonical name of a region."""
        if name != "interior":
            raise unknown_name("region", name, self.regions, where=repr(self))
        return name

    def has_normal(self, name: str) -> bool:
        """Scattered points have no normals."""
        return False

    def has_two_sides(self, name: str) -> bool:
        """Nor sides."""
        return False

    def shares(self, region: str, points: int) -> int:
        """All points, whatever was asked for."""
        return len(self)

    def sample(self, region: str, n: int, generator: torch.Generator, rule: str = "sobol") -> Sample:
        """The points that are not held out, or n of them at random where n is less."""
        kept = self._split()[0]
        if n < 1:
            raise DomainError("a region was given no points", expected="at least 1", got=n, cure="raise points")
        if n < len(kept):
            kept = kept[torch.randperm(len(kept), generator=generator)[:n]]
        return self._rows(kept)

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """The tenth of the points that the training never sees."""
        return self._rows(self._split()[1])

    def all(self) -> Sample:
        """Every point, with its columns."""
        return self._rows(torch.arange(len(self)))

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried from the bounding box to the unit box."""
        widths = np.diff(self.bounds, axis=1)[:, 0]
        return [
            (coordinates[name] - float(low)) / (float(width) or 1.0)
            for name, (low, _), width in zip(self._positions, self.bounds, widths, strict=True)
        ]

    def spanning(self) -> Tensor:
        """Fixed points (n, d) that tell the range of a function: those of the bounding box."""
        return spanning_box(self.bounds)

    def grid(self, resolution: int, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
        """The points themselves, without cells."""
        return Grid(self.all().x.numpy(), None, None, self._axes.names)

    def to_json(self) -> dict[str, Any]:
        """The bounding box, by axis: all that the network needs to be called again."""
        return {"points": {name: list(ends) for name, ends in zip(self._positions, self.bounds.tolist(), strict=True)}}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Points:
        """Two points that span the bounding box of a `to_json` record."""
        return cls(record["points"])

    def _checked_noise(self, noise: Any) -> dict[str, float]:
        """Standard deviations by column. Raises SettingsError or UnknownNameError."""
        given = (
            noise if isinstance(noise, Mapping) else dict.fromkeys(self._columns, noise) if noise is not None else {}
        )
        if unknown := [name for name in given if name not in self._columns]:
            raise unknown_name("column", unknown[0], self._columns, where="noise")
        return {name: float(positive(f"noise of '{name}'", value)) for name, value in given.items()}

    def _split(self) -> tuple[Tensor, Tensor]:
        """Row numbers for training and held out; a fixed shuffle, so that no seed moves a point across."""
        everything = torch.arange(len(self))
        if len(self) < 20:
            return everything, everything
        shuffled = torch.randperm(len(self), generator=torch.Generator().manual_seed(0))
        part = len(self) // 10
        return shuffled[part:].sort().values, shuffled[:part].sort().values

    def _rows(self, rows: Tensor) -> Sample:
        x = torch.stack([column[rows] for column in self._positions.values()], dim=1)
        weight = torch.full((len(rows),), 1 / len(rows), dtype=torch.float64)
        return Sample(x, weight, None, {name: column[rows] for name, column in self._columns.items()})


READERS["points"] = Points.from_json


def _column(name: str, values: Any) -> Tensor:
    try:
        column = torch.as_tensor(np.asarray(values))
    except (TypeError, ValueError) as error:
        cure = "give an array or a list of numbers"
        raise ShapeError(f"column '{name}'", expected="numbers, shape (N,)", got=error, cure=cure) from None
    if column.ndim != 1:
        raise ShapeError(
            f"column '{name}'", expected="shape (N,)", got=f"shape {tuple(column.shape)}", cure="flatten it"
        )
    column = column.to(torch.complex128 if column.is_complex() else torch.float64)
    if not bool(torch.isfinite(column).all()):
        raise DomainError(f"column '{name}' holds NaN or infinity", cure="remove those rows")
    return column
