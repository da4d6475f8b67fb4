"""A moment by which work is to end, handed down to where it can stop."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

#: Work of fewer operations is not forecast, but begun.
SMALL = 1e10
#: The width of the square matrix whose product tells how fast a machine is.
SAMPLE = 512


class OutOfTimeError(Exception):
    """A deadline has passed, or would; who set it keeps the best there is."""


@dataclass(frozen=True)
class Deadline:
    """A moment of `time.perf_counter`; None for never."""

    moment: float | None = None

    @property
    def left(self) -> float:
        """Seconds from now on; infinity for never."""
        return float("inf") if self.moment is None else self.moment - time.perf_counter()

    def check(self) -> None:
        """Raise OutOfTimeError once it has passed."""
        if self.moment is not None and time.perf_counter() >= self.moment:
            raise OutOfTimeError

    def part(self, share: float) -> Deadline:
        """The end of this share of what is left."""
        return self if self.moment is None else Deadline(time.perf_counter() + share * max(self.left, 0.0))

    def forecast(self, operations: float) -> None:
        """Raise OutOfTimeError where so many operations, which nothing can stop, would end after it.

        operations: as many as a product of matrices would make in the same time.
        """
        if self.moment is None or operations < SMALL:
            return
        square = torch.ones((SAMPLE, SAMPLE), dtype=torch.float64)
        began = time.perf_counter()
        _ = square @ square
        if operations * (time.perf_counter() - began) / (2 * SAMPLE**3) > self.left:
            raise OutOfTimeError


NEVER = Deadline()
