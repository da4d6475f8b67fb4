"""Samples of a region, and what every domain can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet

#: How far from an interface its two sides are, as a part of the largest coordinate, if that is not less than this.
NEXT_TO, SMALLEST = 2.0**-46, 1e-30


@dataclass(frozen=True)
class Sample:
    """Points of a region with quadrature weights.

    x (n, d) points by axis, weight (n,) summing to the measure of the region, normal (n, s) the outward unit
    normal in the s axes of space or None, columns (n,) each: measured values by name. two_sided: whether the points
    are pairs in a row, on either side of an interface, the normal leading from the first to the second.
    """

    x: Tensor
    weight: Tensor
    normal: Tensor | None = None
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    two_sided: bool = False

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Sample:
        return self._mapped(lambda tensor: tensor[rows])

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Sample:
        """The same sample on a device, in a floating-point type (complex columns in the matching complex type)."""
        complex_type = torch.promote_types(dtype, torch.complex32)
        spread = self._spread(torch.finfo(dtype).eps / torch.finfo(self.x.dtype).eps) if self.two_sided else self
        return spread._mapped(lambda tensor: tensor.to(device, complex_type if tensor.is_complex() else dtype))

    def both_sides(self, axes: Axes) -> Sample:
        """Each point twice, a few digits of rounding before it and behind it along its normal, with half its weight.

        So functions with a switch at the interface take the branch of their side.
        """
        assert self.normal is not None
        step = torch.zeros_like(self.x)
        step[:, [axes.names.index(name) for name in axes.space]] = self.normal
        step = NEXT_TO * max(float(self.x.abs().max()), SMALLEST) * step
        pairs = self[torch.arange(len(self)).repeat_interleave(2)]
        x = torch.stack([self.x - step, self.x + step], dim=1).flatten(0, 1)
        return replace(pairs, x=x, weight=pairs.weight / 2, two_sided=True)

    def _spread(self, factor: float) -> Sample:
        """The pairs further apart, for numbers of fewer digits."""
        pairs = self.x.unflatten(0, (-1, 2))
        middle = pairs.mean(dim=1, keepdim=True)
        return replace(self, x=(middle + max(factor, 1.0) * (pairs - middle)).flatten(0, 1))

    def _mapped(self, function: Any) -> Sample:
        return replace(
            self,
            x=function(self.x),
            weight=function(self.weight),
            normal=None if self.normal is None else function(self.normal),
            columns={name: function(column) for name, column in self.columns.items()},
        )


@dataclass(frozen=True)
class Grid:
    """A mesh to look at: points (n, d) by axis, cells (c, v) of one kind (in meshio's words), over some of the axes.

    cell_data: what is known of the cells, (c,) each by name.
    """

    points: np.ndarray
    cells: np.ndarray | None
    cell_type: str | None
    axes: tuple[str, ...]
    cell_data: Mapping[str, np.ndarray] = field(default_factory=dict)


class Domain(Protocol):
    """Where a problem lives. Met by Box, Points and whatever offers these."""

    @property
    def axes(self) -> Axes:
        """The names of the coordinates."""
        ...

    @property
    def bounds(self) -> np.ndarray:
        """The bounding box, (d, 2)."""
        ...

    @property
    def regions(self) -> tuple[str, ...]:
        """The names of the regions, for messages; other spellings of them may be understood as well."""
        ...

    def region(self, name: str) -> str:
        """The canonical name of a region; an unknown one is an UnknownNameError that lists those there are."""
        ...

    def has_normal(self, name: str) -> bool:
        """Whether the region is part of the boundary and so has an outward normal."""
        ...

    def has_two_sides(self, name: str) -> bool:
        """Whether the region lies inside, with the domain on both of its sides."""
        ...

    def sample(self, region: str, n: int, generator: torch.Generator, rule: str = "sobol") -> Sample:
        """About n points of a region, float64, on the CPU."""
        ...

    def held_out(self, region: str, n: int, generator: torch.Generator) -> Sample:
        """Points that the training has not seen."""
        ...

    def shares(self, region: str, points: int) -> int:
        """How many points a region gets where the interior gets `points`."""
        ...

    def scaled(self, coordinates: Mapping[str, Jet]) -> list[Jet]:
        """The coordinates carried to the unit box, periodic ones embedded as a circle: the inputs of a network."""
        ...

    def spanning(self) -> Tensor:
        """Fixed points (n, d) of the domain that tell the range of a function."""
        ...

    def grid(self, resolution: int, axes: tuple[str, ...], fixed: Mapping[str, float]) -> Grid:
        """A mesh over some of the axes, the others held at `fixed` values."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What it takes to make the domain again."""
        ...
