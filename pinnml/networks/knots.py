"""Knots of splines on one interval: fixed ones, trained ones, and finer ones that hold them.

Order r means degree r - 1. Between the knots t_0 = low and t_n = high lie n intervals; r - 1 further knots on either
side carry the functions that reach over the ends. There are N = n + r - 1 functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.errors import SettingsError

#: Knots, and spacings, that differ by less than this relative to their size count as equal.
SAME = 1e-12
#: A trained span that is all but the least one still has a finite logit.
SMALLEST = 1e-30


@dataclass(frozen=True, eq=False)
class Knots:
    """Increasing knots t_(1-r), ..., t_(n+r-1), t (n + 2 r - 1,), for splines of order r on [t_0, t_n].

    Raises SettingsError for knots that do not increase, or too few of them.
    """

    t: Tensor
    order: int

    def __post_init__(self) -> None:
        if not isinstance(self.order, int) or self.order < 1:
            raise SettingsError("the order of a spline", expected="a whole number of 1 or more", got=repr(self.order))
        if self.t.ndim != 1 or len(self.t) < 2 * self.order:
            raise SettingsError(
                "too few knots", expected=f"{2 * self.order} or more for order {self.order}", got=tuple(self.t.shape)
            )
        rises = self.t.diff() > 0  # false for NaN
        if not bool(rises.all()):
            place = int((~rises).nonzero()[0])
            got = f"{float(self.t[place]):g} before {float(self.t[place + 1]):g}"
            raise SettingsError("knots must increase", expected="each above the one before", got=got)

    @classmethod
    def uniform(cls, low: float, high: float, intervals: int, order: int, dtype: torch.dtype = torch.float64) -> Knots:
        """Equally spaced knots, those beyond the ends included."""
        steps = torch.arange(1 - order, intervals + order, dtype=dtype)
        return cls(low + (high - low) / intervals * steps, order)

    @classmethod
    def restored(cls, t: Tensor, order: int) -> Knots:
        """Knots in double precision on the CPU from those that a network keeps; equal spacings are equal again."""
        exact = cls(t.detach().cpu().double(), order)
        rounding = 4 * torch.finfo(t.dtype).eps * float(exact.t.abs().max())
        if exact.is_uniform or not bool((exact.t.diff() - exact.spacing).abs().max() <= rounding):
            return exact
        return cls.uniform(float(exact.inner[0]), float(exact.inner[-1]), exact.intervals, order)

    @property
    def intervals(self) -> int:
        """N - r + 1, the number of intervals between low and high."""
        return len(self.t) - 2 * self.order + 1

    @property
    def size(self) -> int:
        """The number of functions, N."""
        return self.intervals + self.order - 1

    @property
    def inner(self) -> Tensor:
        """The knots t_0, ..., t_n, (n + 1,)."""
        return self.t[self.order - 1 : self.order + self.intervals]

    @property
    def spacing(self) -> float:
        """The mean distance of the knots between low and high."""
        return float(self.inner[-1] - self.inner[0]) / self.intervals

    @property
    def spots(self) -> Tensor:
        """Greville's abscissae (N,): the weights at which the splines make up the function x."""
        if self.order == 1:
            return (self.inner[1:] + self.inner[:-1]) / 2
        return self.t[1:-1].unfold(0, self.order - 1, 1).mean(dim=1)

    @property
    def is_uniform(self) -> bool:
        """Whether all spacings are equal, but for round-off."""
        return bool((self.t.diff() - self.spacing).abs().max() <= SAME * self.spacing * self.intervals)

    def halves(self, other: Knots) -> bool:
        """Whether these are equally spaced, and `other` has twice as many of half the spacing."""
        twice = self.is_uniform and other.is_uniform and other.intervals == 2 * self.intervals
        return twice and bool(_near(self.inner[[0, -1]], other.inner[[0, -1]]).all())

    def split(self, marked: Tensor | None = None) -> Knots:
        """The knots with the middle of every interval added, or of those marked, (n,).

        If all are split, those beyond the ends are split as well, and what lies too far outside to matter is dropped.
        """
        if marked is not None and not bool(marked.all()):
            middles = (self.inner[1:] + self.inner[:-1]) / 2
            return Knots(torch.cat([self.t, middles[marked]]).sort().values, self.order)
        middles = (self.t[1:] + self.t[:-1]) / 2
        joined = torch.stack([self.t[:-1], middles], dim=1).reshape(-1)
        joined = torch.cat([joined, self.t[-1:]])
        reach = self.order - 1  # coarse knots beyond each end, of which as many fine ones are kept
        return Knots(joined[reach : len(joined) - reach], self.order)

    def holds(self, value: float) -> bool:
        """Whether a number is one of the knots, but for round-off."""
        return bool(_near(self.t, self.t.new_tensor(value)).any())

    def agrees(self, other: Tensor) -> bool:
        """Whether other knots (n + 2 r - 1,) are these, but for round-off."""
        return len(other) == len(self.t) and bool(_near(self.t, other).all())


def free_knots(logits: Tensor, ends: Tensor, order: int, least: Tensor) -> Tensor:
    """t_j = low + (high - low) sum_(k<=j) (least + (1 - n least) softmax(logits)_k), (..., n + 2 r - 1).

    logits (..., n), ends (2,): low and high. least, a part of the whole range, is the smallest span there can be.
    Beyond the ends the knots go on at the distance of the first and the last span.
    """
    n, (low, high) = logits.shape[-1], ends
    spans = (high - low) * (least + (1 - n * least) * torch.softmax(logits, dim=-1))
    steps = torch.arange(1, order, dtype=logits.dtype, device=logits.device)
    start = low.expand(spans[..., :1].shape)
    inner = torch.cat([start, low + spans.cumsum(dim=-1)], dim=-1)
    before = start - spans[..., :1] * steps.flip(0)
    after = inner[..., -1:] + spans[..., -1:] * steps
    return torch.cat([before, inner, after], dim=-1)


def split_logits(logits: Tensor, marked: Tensor | None, least: Tensor) -> Tensor:
    """The logits (n',) at which the marked spans (n,), or all, are halved, and the least span; the others stay."""
    n = len(logits)
    repeats = 1 + (torch.ones(n, dtype=torch.long) if marked is None else marked.long())
    spans = (least + (1 - n * least) * torch.softmax(logits, dim=0)) / repeats
    fine = spans.repeat_interleave(repeats)
    return span_logits(fine, least / 2)


def span_logits(spans: Tensor, least: Tensor | float) -> Tensor:
    """The logits (..., n) of spans, parts of the whole range, none of which is smaller than the least."""
    return torch.log(((spans - least) / (1 - spans.shape[-1] * least)).clamp(min=SMALLEST))


def _near(t: Tensor, other: Tensor) -> Tensor:
    """Whether knots are the same but for round-off."""
    return (t - other).abs() <= SAME * (1 + other.abs())
