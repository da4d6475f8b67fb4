"""Bases of the same spline space, and spaces within finer ones: the matrices that carry weights over.

Source: arXiv:2603.04827, sections 2 and 3; its two-scale factor is printed as 2^-r and must be 2^(1-r).
"""

from __future__ import annotations

from math import comb, factorial

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.networks.knots import Knots

#: The largest part of a B-spline that may be lost to rounding in the power-ReLU basis. Layers multiply it: more in
#: double precision, and slopes at one point would depend on how many points are taken together.
LARGEST_LOSS = {torch.float32: 1e-3, torch.float64: 1e-7}


def relu_basis(knots: Knots, x: Tensor) -> Tensor:
    """The power-ReLU functions relu(x - t_j)^(r-1), j = 1-r, ..., n-1, (..., N): the same space on [low, high]."""
    shifted = x.unsqueeze(-1) - knots.t[: knots.size]
    return (shifted > 0).to(x) * shifted ** (knots.order - 1)


def change_of_basis(knots: Knots) -> Tensor:
    """A (N, N) with b = A psi: B-splines from power-ReLU functions; in closed form for equally spaced knots."""
    if knots.is_uniform:
        return uniform_change_of_basis(knots.size, knots.order, knots.spacing).to(knots.t)
    return recursive_change_of_basis(knots)


def recursive_change_of_basis(knots: Knots) -> Tensor:
    """The same for any knots, order by order."""
    t, r, size = knots.t, knots.order, knots.size
    a = torch.eye(size + r, dtype=t.dtype, device=t.device)
    a = a - torch.diag(a.new_ones(size + r - 1), 1)
    for order in range(2, r + 1):
        rows = len(t) - order
        i = torch.arange(rows, device=t.device)
        a = a[:rows] / (t[i + order - 1] - t[i])[:, None] - a[1 : rows + 1] / (t[i + order] - t[i + 1])[:, None]
    return a[:size, :size]


def uniform_change_of_basis(size: int, order: int, spacing: float) -> Tensor:
    """The same for equal spacing h: A_ij = (-1)^(j-i) C(r, j-i) / ((r-1)! h^(r-1))."""
    a = torch.zeros((size, size), dtype=torch.float64)
    for s in range(min(order, size - 1) + 1):
        value = (-1) ** s * comb(order, s) / (factorial(order - 1) * spacing ** (order - 1))
        a += value * torch.diag(torch.ones(size - s, dtype=torch.float64), s)
    return a


def refinement(coarse: Knots, fine: Knots) -> Tensor:
    """P (N_coarse, N_fine) with b_coarse = P b_fine, so that weights go over by w_fine = w_coarse P.

    In closed form where equal spacings are halved, else by knot insertion (Boehm), one knot at a time, which is
    stable for any knots. Raises SettingsError if the knots between low and high, or the orders, do not nest.
    """
    if coarse.order != fine.order:
        raise SettingsError("splines of different order do not nest", expected=coarse.order, got=fine.order)
    if coarse.halves(fine):
        return uniform_refinement(coarse.size, coarse.order).to(coarse.t)
    inner = fine.inner.tolist()
    missing = [value for value in coarse.inner.tolist() if not fine.holds(value)]
    same_ends = coarse.holds(inner[0]) and coarse.holds(inner[-1])
    t, p = coarse.t, torch.eye(coarse.size, dtype=coarse.t.dtype, device=coarse.t.device)
    for value in fine.t.tolist():
        if not coarse.holds(value):
            t, p = _inserted(t, p, value, coarse.order)
    start = int((t - fine.t[0]).abs().argmin())
    if missing or not same_ends or not fine.agrees(t[start : start + len(fine.t)]):
        expected = "every coarse knot among the fine ones, those beyond the ends included, and the same ends"
        got = f"fine knots without {missing[0]:g}" if missing else "other knots at or beyond the ends"
        cure = "refine the whole knot vector: Knots.split()"
        raise SettingsError("these levels do not nest", expected=expected, got=got, cure=cure)
    return p[:, start : start + fine.size]


def uniform_refinement(size: int, order: int) -> Tensor:
    """The two-scale relation for halved equal intervals, factors 2^(1-r) C(r, s): a transposed convolution."""
    i = torch.arange(size)
    p = torch.zeros((size, 2 * size + order - 1), dtype=torch.float64)
    for s in range(order + 1):
        p[i, 2 * i + s] = 2.0 ** (1 - order) * comb(order, s)
    return p[:, order - 1 : 2 * size]  # without the fine functions that lie beyond the ends


def relu_refinement(coarse: Knots, fine: Knots) -> Tensor:
    """P (N_coarse, N_fine) for the functions of `PowerReLUs`, ((x - t_j) / h)^(r-1): r whole, others cut off below t_j.

    Those that are cut off are among the fine ones; the whole polynomials are combinations of the fine ones.
    """
    refinement(coarse, fine)  # raises where they do not nest
    r, ratio = coarse.order, fine.spacing / coarse.spacing
    p = coarse.t.new_zeros((coarse.size, fine.size))
    p[:r, :r] = torch.linalg.solve(_powers(fine), _powers(coarse), left=False)
    for j in range(r, coarse.size):
        p[j, int((fine.t - coarse.t[j]).abs().argmin())] = 1.0
    scale = torch.full_like(p, ratio ** (r - 1))
    scale[:r] = 1.0
    return scale * p


def check_digits(knots: Knots, dtype: torch.dtype) -> None:
    """Refuse knots on which rounding loses too much of a spline that is a sum of power-ReLU functions."""
    loss = torch.finfo(dtype).eps * cancellation(knots)
    if loss > LARGEST_LOSS[dtype]:
        precision = "single" if dtype == torch.float32 else "double"
        cure = "a lower order, fewer intervals or levels, or a KAN (the same functions in a local basis)"
        raise SettingsError(
            f"the power-ReLU basis loses too many digits in {precision} precision",
            expected=f"at most {LARGEST_LOSS[dtype]:g} of a spline lost to rounding",
            got=f"{loss:.1g} with order {knots.order} and {knots.intervals} intervals",
            cure=f"choose {'float64, ' if precision == 'single' else ''}{cure}",
        )


def cancellation(knots: Knots) -> float:
    """The largest sum_j |A_ij| psi_j(x): how large the terms are of which a B-spline, of size one, is the sum."""
    x = torch.linspace(float(knots.inner[0]), float(knots.inner[-1]), 201, dtype=knots.t.dtype)
    return float((relu_basis(knots, x) @ change_of_basis(knots).abs().mT).max())


def _powers(knots: Knots) -> Tensor:
    """The polynomials ((x - t_j) / h)^(r-1), j = 1-r, ..., 0, by powers of x - low, with h of these knots, (r, r)."""
    r = knots.order
    shift = (knots.t[:r] - knots.inner[0]).unsqueeze(1)
    k = torch.arange(r, device=knots.t.device)
    binomials = knots.t.new_tensor([comb(r - 1, i) for i in range(r)])
    return binomials * (-shift) ** (r - 1 - k) / knots.spacing ** (r - 1)


def _inserted(t: Tensor, p: Tensor, value: float, order: int) -> tuple[Tensor, Tensor]:
    """One more knot (Boehm): function i is alpha_i times its new self and 1 - alpha_(i+1) times the next."""
    count = len(t) - order  # functions before
    span = t[order - 1 :] - t[: count + 1]
    ratio = torch.where(
        span > 0, (value - t[: count + 1]) / torch.where(span > 0, span, 1.0), (t[: count + 1] <= value).to(t)
    )
    alpha = ratio.clamp(0.0, 1.0)
    place = int((t < value).sum())
    column = p.new_zeros((len(p), 1))
    p = torch.cat([p * alpha[:count], column], dim=1) + torch.cat([column, p * (1 - alpha[1:])], dim=1)
    return torch.cat([t[:place], t.new_tensor([value]), t[place:]]), p
