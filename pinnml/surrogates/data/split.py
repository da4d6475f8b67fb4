"""Which draws train, which choose settings, and which tell the error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pinnml.errors import SettingsError
from pinnml.validation import finite

PARTS = ("training", "validation", "test")
#: The stream of a seed that deals out draws; draws themselves have streams of [seed, place, number].
STREAM = 2**31


@dataclass(frozen=True)
class Split:
    """Numbers of draws, ascending, each in one of three parts. All snapshots of a draw are in the part of that draw."""

    training: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @classmethod
    def of(cls, samples: int, shares: Sequence[float], seed: int) -> Split:
        """The draws 0 to samples - 1, dealt out at random in proportion to three shares, such as 8, 1, 1.

        Raises SettingsError for shares that are no such three, and where a part with a share would be empty.
        """
        sizes = _sizes(samples, checked_shares(shares))
        order = np.random.default_rng([seed, STREAM]).permutation(samples)
        ends = np.cumsum(sizes)
        return cls(*(tuple(np.sort(part).tolist()) for part in np.split(order, ends[:-1])))

    def __str__(self) -> str:
        return ", ".join(f"{len(getattr(self, name))} {name}" for name in PARTS)

    def to_json(self) -> dict[str, Any]:
        """The numbers by part."""
        return {name: list(numbers) for name, numbers in asdict(self).items()}


def checked_shares(shares: Sequence[float]) -> tuple[float, ...]:
    """Three shares of which the first is above 0. Raises SettingsError."""
    given = tuple(shares)
    cure = "write shares=(8, 1, 1), or numbers of samples such as (1000, 100, 200)"
    expected = f"shares of {', '.join(PARTS)}, the first above 0"
    if len(given) != len(PARTS):
        raise SettingsError("shares of a data set", expected=expected, got=given, cure=cure)
    for name, share in zip(PARTS, given, strict=True):
        finite(f"the share of {name}", share)
    if given[0] <= 0 or min(given) < 0:
        raise SettingsError("shares of a data set", expected=expected, got=given, cure=cure)
    return given


def _sizes(samples: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to shares, the largest remainders rounded up, and none zero that has a share."""
    exact = samples * np.array(shares, dtype=float) / sum(shares)
    sizes = np.floor(exact + 1e-9).astype(int)
    for place in np.argsort(sizes - exact, kind="stable")[: samples - sizes.sum()]:
        sizes[place] += 1
    if empty := [name for name, size, share in zip(PARTS, sizes, shares, strict=True) if share > 0 and not size]:
        got = f"{samples} samples in shares of {', '.join(f'{share:g}' for share in shares)}"
        cure = "draw more samples, or choose other shares"
        raise SettingsError(f"no sample for {empty[0]}", expected="one sample for each part", got=got, cure=cure)
    return sizes.tolist()
