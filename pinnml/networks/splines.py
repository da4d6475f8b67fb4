"""B-splines piece by piece: at every place only the r functions that are not zero there.

Outside [low, high] a spline goes on as the polynomial of its first or last interval, so that it has no dead zone and
refinement changes it nowhere.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Numbers of the weights that are gathered at a time: few enough to stay in a CPU's cache, or many for a GPU.
GATHERED = {"cpu": 2**18, "cuda": 2**26}


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


def dense(first: Tensor, local: Tensor, size: int) -> Tensor:
    """Local values (..., r) in their places among all functions, (..., size)."""
    places = first.unsqueeze(-1) + torch.arange(local.shape[-1], device=first.device)
    return local.new_zeros((*local.shape[:-1], size)).scatter(-1, places.expand(local.shape), local)


class LocalProduct(torch.autograd.Function):
    """z_kno = sum_j local_knj weight_(rows_nj) o: a product with a sparse matrix whose rows share their places.

    local (K, n, j), rows (n, j), weight (R, o), z (K, n, o). The weights are gathered for a few samples at a time, and
    again on the way back, so that they stay in the cache and nothing is kept.
    """

    @staticmethod
    def forward(ctx: Any, local: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
        """The product."""
        local = local.transpose(0, 1).contiguous()  # sample by sample, as the products want them
        ctx.save_for_backward(local, rows, weight)
        z = local.new_empty((*local.shape[:2], weight.shape[1]))
        for part in _parts(rows, weight):
            torch.bmm(local[part], _gathered(weight, rows[part]), out=z[part])
        return z.transpose(0, 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor]:
        """By the local values, and by the weights."""
        local, rows, weight = ctx.saved_tensors
        g = gradients[0].transpose(0, 1).contiguous()
        by_local, by_weight = torch.empty_like(local), torch.zeros_like(weight)
        for part in _parts(rows, weight):
            torch.bmm(g[part], _gathered(weight, rows[part]).mT, out=by_local[part])
            outer = torch.bmm(local[part].mT, g[part])
            by_weight.index_add_(0, rows[part].reshape(-1), outer.flatten(end_dim=1))
        return by_local.transpose(0, 1), None, by_weight


def _parts(rows: Tensor, weight: Tensor) -> list[slice]:
    """The samples in pieces whose weights fit the cache."""
    size = max(GATHERED[rows.device.type] // (rows.shape[1] * weight.shape[1]), 1)
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def _gathered(weight: Tensor, rows: Tensor) -> Tensor:
    """The rows of the weights that each sample meets, (n, j, o)."""
    return weight.index_select(0, rows.reshape(-1)).view(*rows.shape, -1)


def _added(total: list[Tensor], polynomial: list[Tensor], constant: Tensor, slope: Tensor) -> list[Tensor]:
    """`total` plus (constant + slope u) times a polynomial, by powers of u."""
    shifted = [torch.zeros_like(constant), *polynomial[:-1]]
    return [t + constant * c + slope * d for t, c, d in zip(total, polynomial, shifted, strict=True)]
