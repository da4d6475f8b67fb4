"""B-splines piece by piece: at every place only the r functions that are not zero there.

Outside [low, high] a spline goes on as the polynomial of its first or last interval, so that it has no dead zone and
refinement changes it nowhere.
"""

from __future__ import annotations

import torch
from torch import Tensor


def windows(t: Tensor, order: int) -> Tensor:
    """The 2 r knots that matter on every interval, from knots t (..., n + 2 r - 1): (..., n, 2 r)."""
    n = t.shape[-1] - 2 * order + 1
    steps = torch.arange(max(n, 2 * order), device=t.device)
    return t[..., steps[:n].unsqueeze(1) + steps[: 2 * order]]


def pieces(window: Tensor) -> Tensor:
    """B-splines as polynomials: entry (s, k) is the coefficient of u^k in function s of an interval, (..., r, r).

    window (..., 2 r) holds the knots around the interval from window_(r-1) to window_r, and u runs from 0 to 1 on
    it. By the recursion of Cox and de Boor on the coefficients, differentiable in the knots; of numbers near one
    only, so that single precision will do.
    """
    r = window.shape[-1] // 2
    t = window.unbind(-1)
    start, width = t[r - 1], t[r] - t[r - 1]
    one, zero = torch.ones_like(start), torch.zeros_like(start)
    found = [[one] + [zero] * (r - 1)]
    for order in range(2, r + 1):
        raised = []
        for s in range(order):
            first, total = r - order + s, [zero] * r  # where function number s of this order begins
            if s > 0:  # (x - t_first) / (t_(first+order-1) - t_first) times the function that begins with it
                span = t[first + order - 1] - t[first]
                total = _added(total, found[s - 1], (start - t[first]) / span, width / span)
            if s < order - 1:  # (t_(first+order) - x) / (...) times the one that begins a knot later
                span = t[first + order] - t[first + 1]
                total = _added(total, found[s], (t[first + order] - start) / span, -width / span)
            raised.append(total)
        found = raised
    return torch.stack([torch.stack(row, dim=-1) for row in found], dim=-2)


def series(polynomials: Tensor, u: Tensor, width: Tensor, order: int) -> list[Tensor]:
    """Taylor coefficients m = 0, ..., order of the local functions, each (..., r), from `pieces` at u (...)."""
    u, width, powers = u.unsqueeze(-1), width.unsqueeze(-1), polynomials.unbind(-1)
    rows = [torch.zeros_like(powers[0]) for _ in range(order + 1)]
    for passed, coefficient in enumerate(reversed(powers)):  # Horner; each derivative is fed by the one below it
        for m in range(min(order, passed), 0, -1):
            rows[m] = torch.addcmul(rows[m - 1], rows[m], u)
        rows[0] = torch.addcmul(coefficient, rows[0], u)
    return [row / width**m if m else row for m, row in enumerate(rows)]


def interval_of(inner: Tensor, x: Tensor) -> Tensor:
    """The number of the interval between knots inner (n + 1,) in which x (...) lies; the first or last beyond."""
    found = torch.searchsorted(inner.detach().contiguous(), x.detach().contiguous(), right=True) - 1
    return found.clamp(0, inner.shape[-1] - 2)


def _added(total: list[Tensor], polynomial: list[Tensor], constant: Tensor, slope: Tensor) -> list[Tensor]:
    """`total` plus (constant + slope u) times a polynomial, by powers of u."""
    shifted = [torch.zeros_like(constant), *polynomial[:-1]]
    return [t + constant * c + slope * d for t, c, d in zip(total, polynomial, shifted, strict=True)]
