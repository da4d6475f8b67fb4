"""Splines on one interval: B-splines piece by piece, the power-ReLU basis of the same space, and refinement.

Order r means degree r - 1. Between the knots t_0 = low and t_n = high lie n intervals; r - 1 further knots on either
side carry the functions that reach over the ends. There are N = n + r - 1 functions. Outside [low, high] a spline goes
on as the polynomial of its first or last interval, so that it has no dead zone and refinement changes it nowhere.

Source: arXiv:2603.04827, sections 2 and 3; its two-scale factor is printed as 2^-r and must be 2^(1-r).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, factorial

import torch
from torch import Tensor

from pinnml.errors import SettingsError

#: Knots, and spacings, that differ by less than this relative to their size count as equal.
SAME = 1e-12


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
        if not bool((self.t.diff() > 0).all()):
            place = int((self.t.diff() <= 0).nonzero()[0])
            got = f"{float(self.t[place]):g} before {float(self.t[place + 1]):g}"
            raise SettingsError("knots must increase", expected="each above the one before", got=got)

    @classmethod
    def uniform(cls, low: float, high: float, intervals: int, order: int, dtype: torch.dtype = torch.float64) -> Knots:
        """Equally spaced knots, those beyond the ends included."""
        steps = torch.arange(1 - order, intervals + order, dtype=dtype)
        return cls(low + (high - low) / intervals * steps, order)

    @property
    def intervals(self) -> int:
        """N - r + 1, the number of intervals between low and high."""
        return len(self.t) - 2 * self.order + 1

    @property
    def size(self) -> int:
        """The number of functions."""
        return self.intervals + self.order - 1

    @property
    def inner(self) -> Tensor:
        """The knots t_0, ..., t_n, (n + 1,)."""
        return self.t[self.order - 1 : self.order + self.intervals]

    @property
    def is_uniform(self) -> bool:
        """Whether all spacings are equal."""
        spacing = self.t.diff()
        return bool((spacing - spacing.mean()).abs().max() <= SAME * (self.inner[-1] - self.inner[0]))

    def refined(self) -> Knots:
        """The knots with the middle of every interval added; what lies too far outside to matter is dropped."""
        middles = (self.t[1:] + self.t[:-1]) / 2
        joined = torch.stack([self.t[:-1], middles], dim=1).reshape(-1)
        joined = torch.cat([joined, self.t[-1:]])
        reach = self.order - 1  # coarse knots beyond each end, of which as many fine ones are kept
        return Knots(joined[reach : len(joined) - reach], self.order)


def pieces(knots: Knots) -> Tensor:
    """B-splines as polynomials: entry (i, s, k) is the coefficient of u^k in function i + s on interval i, (n, r, r).

    u = (x - t_i) / (t_(i+1) - t_i). By the recursion of Cox and de Boor on the coefficients, differentiable in the
    knots; of numbers near one only, so that single precision will do.
    """
    t, r, n = knots.t, knots.order, knots.intervals
    left = torch.arange(n, device=t.device) + r - 1  # the place in t of each interval's left knot
    start, width = t[left], t[left + 1] - t[left]
    found = t.new_zeros((n, 1, r))
    found[:, 0, 0] = 1.0
    for order in range(2, r + 1):
        raised = t.new_zeros((n, order, r))
        for s in range(order):
            first = left - order + 1 + s  # where function number s of this order begins
            if s > 0:  # (x - t_first) / (t_(first+order-1) - t_first) times the function that begins with it
                span = t[first + order - 1] - t[first]
                raised[:, s] += _times_linear(found[:, s - 1], (start - t[first]) / span, width / span)
            if s < order - 1:  # (t_(first+order) - x) / (...) times the one that begins a knot later
                span = t[first + order] - t[first + 1]
                raised[:, s] += _times_linear(found[:, s], (t[first + order] - start) / span, -width / span)
        found = raised
    return found


def local_series(knots: Knots, x: Tensor, order: int, table: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The r functions that are not zero at x: the number of the first, and Taylor coefficients (order + 1, ..., r).

    x (...), numbers (...). Coefficient m is the m-th derivative over m!. `table` is `pieces(knots)`, if it is at hand.
    """
    table = pieces(knots) if table is None else table
    inner, r = knots.inner, knots.order
    first = (torch.searchsorted(inner.detach(), x.detach().contiguous(), right=True) - 1).clamp(0, knots.intervals - 1)
    width = (inner[1:] - inner[:-1])[first]
    u = ((x - inner[first]) / width).unsqueeze(-1)
    coefficients, rows = table[first], []
    for m in range(order + 1):
        row = torch.zeros_like(coefficients[..., 0])
        for k in range(r - 1, m - 1, -1):  # Horner
            row = row * u + comb(k, m) * coefficients[..., k]
        rows.append(row / width.unsqueeze(-1) ** m)
    return first, torch.stack(rows)


def dense(first: Tensor, local: Tensor, size: int) -> Tensor:
    """Local values (..., r) in their places among all functions, (..., size)."""
    r = local.shape[-1]
    places = first.unsqueeze(-1) + torch.arange(r, device=first.device)
    return local.new_zeros((*local.shape[:-1], size)).scatter(-1, places.expand(local.shape), local)


def relu_basis(knots: Knots, x: Tensor) -> Tensor:
    """The power-ReLU functions relu(x - t_j)^(r-1), j = 1-r, ..., n-1, (..., N): the same space on [low, high]."""
    shifted = x.unsqueeze(-1) - knots.t[: knots.size]
    return (shifted > 0).to(x) * shifted ** (knots.order - 1)


def change_of_basis(knots: Knots) -> Tensor:
    """A (N, N) with b = A psi: B-splines from power-ReLU functions, by recursion, for any knots."""
    t, r, size = knots.t, knots.order, knots.size
    a = torch.eye(size + r, dtype=t.dtype, device=t.device)
    a = a - torch.diag(a.new_ones(size + r - 1), 1)
    for order in range(2, r + 1):
        rows = len(t) - order
        i = torch.arange(rows, device=t.device)
        a = a[:rows] / (t[i + order - 1] - t[i])[:, None] - a[1 : rows + 1] / (t[i + order] - t[i + 1])[:, None]
    return a[:size, :size]


def uniform_change_of_basis(size: int, order: int, spacing: float) -> Tensor:
    """The same in closed form for equal spacing h: A_ij = (-1)^(j-i) C(r, j-i) / ((r-1)! h^(r-1))."""
    a = torch.zeros((size, size), dtype=torch.float64)
    for s in range(min(order, size - 1) + 1):
        value = (-1) ** s * comb(order, s) / (factorial(order - 1) * spacing ** (order - 1))
        a += value * torch.diag(torch.ones(size - s, dtype=torch.float64), s)
    return a


def refinement(coarse: Knots, fine: Knots) -> Tensor:
    """P (N_coarse, N_fine) with b_coarse = P b_fine on [low, high], so that weights go over by w_fine = w_coarse P.

    By knot insertion (Boehm), one knot at a time, which is stable for any knots. Raises SettingsError if the knots
    between low and high, or the orders, do not nest.
    """
    if coarse.order != fine.order:
        raise SettingsError("splines of different order do not nest", expected=coarse.order, got=fine.order)
    missing = [value for value in coarse.inner.tolist() if not _holds(fine.inner, value)]
    t, p = coarse.t, torch.eye(coarse.size, dtype=coarse.t.dtype, device=coarse.t.device)
    for value in fine.t.tolist():
        if not _holds(t, value):
            t, p = _inserted(t, p, value, coarse.order)
    start = int((t - fine.t[0]).abs().argmin())
    kept = t[start : start + len(fine.t)]
    same_ends = all(_near(fine.inner[end], coarse.inner[end]) for end in (0, -1))
    if missing or not same_ends or len(kept) < len(fine.t) or not bool(_near(kept, fine.t).all()):
        raise SettingsError(
            "these levels do not nest",
            expected="every coarse knot among the fine ones, those beyond the ends included, and the same ends",
            got=f"fine knots without {missing[0]:g}" if missing else "other knots at or beyond the ends",
            cure="refine the whole knot vector: Knots.refined()",
        )
    return p[:, start : start + fine.size]


def uniform_refinement(size: int, order: int) -> Tensor:
    """The same for halved equal intervals: the two-scale relation with factors 2^(1-r) C(r, s)."""
    intervals = size - order + 1
    p = torch.zeros((size, 2 * intervals + order - 1), dtype=torch.float64)
    for i in range(size):
        for s in range(order + 1):
            place = 2 * i + s - (order - 1)
            if 0 <= place < p.shape[1]:
                p[i, place] = 2.0 ** (1 - order) * comb(order, s)
    return p


def _times_linear(polynomials: Tensor, constant: Tensor, slope: Tensor) -> Tensor:
    """(constant + slope u) times polynomials with coefficients (n, r) of u^k."""
    shifted = torch.cat([torch.zeros_like(polynomials[:, :1]), polynomials[:, :-1]], dim=1)
    return constant[:, None] * polynomials + slope[:, None] * shifted


def _inserted(t: Tensor, p: Tensor, value: float, order: int) -> tuple[Tensor, Tensor]:
    """One more knot (Boehm): function i is alpha_i times its new self and 1 - alpha_(i+1) times the next."""
    count = len(t) - order  # functions before
    span = t[order - 1 :] - t[: count + 1]
    ratio = torch.where(
        span > 0, (value - t[: count + 1]) / torch.where(span > 0, span, 1.0), (t[: count + 1] <= value).to(t)
    )
    alpha = ratio.clamp(0.0, 1.0)
    step = torch.diag(alpha[:count]).new_zeros((count, count + 1))
    step[:, :count] += torch.diag(alpha[:count])
    step[:, 1:] += torch.diag(1 - alpha[1:])
    place = int((t < value).sum())
    return torch.cat([t[:place], t.new_tensor([value]), t[place:]]), p @ step


def _near(t: Tensor, other: Tensor) -> Tensor:
    """Whether knots are the same but for round-off."""
    return (t - other).abs() <= SAME * (1 + other.abs())


def _holds(t: Tensor, value: float) -> bool:
    return bool(_near(t, t.new_tensor(value)).any())
