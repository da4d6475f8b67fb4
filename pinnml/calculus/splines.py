"""B-splines piece by piece: at every place only the r functions that are not zero there.

Outside [low, high] a spline goes on as the polynomial of its first or last interval, so that it has no dead zone and
refinement changes it nowhere.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


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
    start, width = window[..., r - 1 : r], window[..., r : r + 1] - window[..., r - 1 : r]
    found = torch.ones_like(start).unsqueeze(-1)
    for m in range(1, r):  # from m functions with m coefficients to one more of either
        begin, end = window[..., r - m : r], window[..., r : r + m]  # the m knots on either side of the interval
        span = end - begin
        constant, raised = pad(found, (0, 1)), (width / span).unsqueeze(-1) * pad(found, (1, 0))
        rising = ((start - begin) / span).unsqueeze(-1) * constant + raised  # (x - begin) / span times each
        falling = ((end - start) / span).unsqueeze(-1) * constant - raised  # (end - x) / span times each
        found = pad(rising, (0, 0, 1, 0)) + pad(falling, (0, 0, 0, 1))
    return found


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
