"""Random numbers, boxes and smooth functions, from which statements are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
import torch

from pinnml import Box, Periodic

#: Of functions along an axis, in radians from end to end.
HIGHEST = 7.0
#: How often a function has a rounded kink, and a bump; their widths as a part of the box.
KINKS, BUMPS, WIDTHS = 0.2, 0.2, (0.04, 0.4)
#: How often lengths, fields and coefficients have units in which they are far from one.
STRANGE = 0.15


@dataclass(frozen=True)
class Shape:
    """A smooth function of coordinates, tensors or jets: size times the sum of its parts on the unit box."""

    bounds: tuple[tuple[float, float], ...]
    parts: tuple[Callable[[Sequence[Any]], Any], ...]
    size: float = 1.0

    def __call__(self, *coordinates: Any) -> Any:
        pairs = zip(coordinates, self.bounds, strict=True)
        unit = [(x - low) / (high - low) for x, (low, high) in pairs]
        return self.size * sum(part(unit) for part in self.parts)


class Draw:
    """Everything that is random about one statement."""

    def __init__(self, *seed: int):
        self._random = np.random.default_rng(seed)

    def number(self, low: float, high: float) -> float:
        """Evenly between two ends."""
        return float(self._random.uniform(low, high))

    def power(self, low: float, high: float) -> float:
        """Between two positive ends, its logarithm evenly."""
        return float(np.exp(self._random.uniform(np.log(low), np.log(high))))

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self._random.integers(low, high + 1))

    def one_of(self, *options: Any) -> Any:
        """Any of them."""
        return options[self.whole(0, len(options) - 1)]

    def often(self, part: float) -> bool:
        """True in this part of all draws."""
        return bool(self._random.random() < part)

    def unit(self) -> float:
        """A power of ten: mostly one, now and then as far from it as nanometres or gigapascals."""
        return 10.0 ** self.whole(-9, 9) if self.often(STRANGE) else 1.0

    def array(self, *shape: int) -> np.ndarray:
        """Numbers in (0, 1)."""
        return self._random.random(shape)

    def noise(self, n: int, deviation: float) -> np.ndarray:
        """Independent normal errors."""
        return self._random.normal(0.0, deviation, n)

    def box(self, axes: str, length: float = 1.0, time: float | None = None, periodic: str = "") -> Box:
        """A box of about this length along each axis of space, from 0 to about `time` along t."""
        made = {}
        for name in axes:
            if name == "t":
                made[name] = (0.0, (time or 1.0) * self.power(0.7, 1.5))
            else:
                low, width = length * self.number(-1, 1) * self.whole(0, 1), length * self.power(0.5, 2)
                made[name] = Periodic(low, low + width) if name in periodic else (low, low + width)
        return Box(**made)

    def shape(self, box: Box, size: float | None = None, smooth: bool = False) -> Shape:
        """A function on a box: a few waves, now and then a constant, a rounded kink or a bump, periodic as the box."""
        names, n = box.axes.names, len(box.axes.names)
        around = np.array([name in box.periodic for name in names])
        parts: list[Callable[[Sequence[Any]], Any]] = []
        for _ in range(self.whole(1, 3)):
            free = self._random.uniform(-HIGHEST, HIGHEST, n)
            whole = 2 * pi * self._random.integers(-2, 3, n)
            waves = np.where(around, whole, free)
            parts.append(_wave(self.number(0.3, 1), waves, self.number(0, 2 * pi)))
        if self.often(0.3):
            parts.append(_constant(self.number(-1, 1)))
        if not smooth and not around.any():
            if self.often(KINKS):
                direction = self._random.normal(size=n)
                direction = direction / np.linalg.norm(direction)
                parts.append(_kink(self.number(0.5, 2), direction, self.array(n), self.power(*WIDTHS)))
            if self.often(BUMPS):
                parts.append(bump(self.number(0.5, 2), self.array(n), self.power(*WIDTHS)))
        bounds = tuple((float(low), float(high)) for low, high in box.bounds)
        return Shape(bounds, tuple(parts), self.power(0.1, 10) if size is None else size)


def _constant(height: float) -> Callable[[Sequence[Any]], Any]:
    return lambda unit: height + 0 * unit[0]


def _wave(height: float, waves: np.ndarray, phase: float) -> Callable[[Sequence[Any]], Any]:
    return lambda unit: height * torch.sin(_product(waves, unit) + phase)


def _kink(height: float, direction: np.ndarray, centre: np.ndarray, width: float) -> Callable[[Sequence[Any]], Any]:
    offset = float(direction @ centre)
    return lambda unit: height * torch.sqrt((_product(direction, unit) - offset) ** 2 + width**2)


def bump(height: float, centre: np.ndarray, width: float) -> Callable[[Sequence[Any]], Any]:
    """A Gaussian on the unit box."""

    def part(unit: Sequence[Any]) -> Any:
        square: Any = sum((x - float(c)) ** 2 for x, c in zip(unit, centre, strict=True))
        return height * torch.exp(-square / (2 * width**2))

    return part


def _product(weights: np.ndarray, unit: Sequence[Any]) -> Any:
    return sum(float(w) * x for w, x in zip(weights, unit, strict=True))
