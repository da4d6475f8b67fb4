"""What an axis of a box runs over: plain, periodic, parameter and graded intervals, and those in parts."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from itertools import pairwise

import torch
from torch import Tensor

from pinnml.errors import DomainError
from pinnml.validation import finite, positive


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

    @property
    def numbers(self) -> tuple[float, ...]:
        """What it is made of, in the order in which it is written."""
        return astuple(self)

    @property
    def parts(self) -> tuple[Interval, ...]:
        """The pieces on each of which fields are smooth: itself."""
        return (self,)

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


@dataclass(frozen=True, init=False)
class Parts(Interval):
    """An interval in parts that meet at interfaces: `Parts(0, 0.5, 1)` is (0, 1/2) and (1/2, 1).

    Fields may jump and kink where parts meet, and need equations there.
    """

    places: tuple[float, ...] = ()

    def __init__(self, *numbers: float):
        for number in numbers:
            finite("the end of a part", number, error=DomainError)
        if len(numbers) < 3 or any(a >= b for a, b in pairwise(numbers)):
            expected, cure = "three ascending numbers or more", "write Parts(0, 0.5, 1): the ends and what is between"
            raise DomainError("an axis in parts", expected=expected, got=numbers, cure=cure)
        low, *places, high = map(float, numbers)
        for name, value in (("low", low), ("high", high), ("places", tuple(places))):
            object.__setattr__(self, name, value)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The ends of the parts, in ascending order."""
        return (self.low, *self.places, self.high)

    @property
    def parts(self) -> tuple[Interval, ...]:
        """The parts, from low to high."""
        return tuple(Interval(a, b) for a, b in pairwise(self.numbers))
