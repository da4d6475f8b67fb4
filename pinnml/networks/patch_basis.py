"""Polynomials on overlapping patches, blended by a smooth partition of unity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.polynomial import Polynomial
from torch import Tensor

from pinnml.calculus import Jet
from pinnml.calculus.splines import series
from pinnml.networks.base import LocalBasis, Trace


class PatchBasis(LocalBasis):
    """phi_pb(x) = window_p(x) P_b((x - centre_p) / half_p): k = patches * polynomials functions of the unit box.

    Windows and polynomials are products over the axes. Along an axis of N patches a window is one on its cell of length
    1/N but for the ends, where over a length of `overlap` / N to either side it falls to zero with `smoothness`
    continuous derivatives while its neighbour's rises: windows sum to one, and every point lies on two patches an axis
    at most. P_b are products of Legendre polynomials of total degree up to `degree`, of mean square one.

    Source: partition-of-unity networks, arXiv:2101.11256, with windows that stand still; flat tops make the functions
    of neighbours independent, whatever the degree (the particle-partition of unity method of Griebel and Schweitzer).
    """

    def __init__(self, counts: Sequence[int], periodic: Sequence[bool], degree: int, overlap: float, smoothness: int):
        super().__init__()
        self._powers: Tensor
        self._pairs: Tensor
        self._step: Tensor
        self.counts, self.periodic, self.degree = tuple(counts), tuple(periodic), degree
        self.overlap, self.highest_order, self._smoothness = overlap, smoothness + 1, smoothness
        powers = [each for each in product(range(degree + 1), repeat=len(counts)) if sum(each) <= degree]
        pairs = list(product(*(range(min(2, n)) for n in counts)))
        self.register_buffer("_powers", torch.tensor(powers), persistent=False)
        self.register_buffer("_pairs", torch.tensor(pairs), persistent=False)
        self.register_buffer("_step", torch.tensor(_smooth_step(smoothness), dtype=torch.float64), persistent=False)

    @property
    def size(self) -> int:
        """The number of functions."""
        return math.prod(self.counts) * self.of_each

    @property
    def of_each(self) -> int:
        """The number of functions of a patch."""
        return len(self._powers)

    @property
    def numbers(self) -> int:
        """Those of the patches that a point lies on."""
        return len(self._pairs) * self.of_each

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """All functions (K, n, k), nearly all of them zero."""
        functions, columns = self.local(x)
        dense = functions.new_zeros((*functions.shape[:2], self.size))
        return Jet(x.indices, dense.scatter_(2, columns.expand_as(functions), functions))

    def local(self, x: Jet) -> tuple[Tensor, Tensor]:
        """The functions (K, n, a) of the patches on which each point may lie, and their places (n, a) among all."""
        along = [self._along(axis, x) for axis in range(len(self.counts))]
        places = self._pairs.repeat_interleave(self.of_each, dim=0) * (self.degree + 1) + self._powers.repeat(
            len(self._pairs), 1
        )
        functions = []
        for index in x.indices.indices:
            parts = (
                rows[order][:, places[:, axis]]
                for axis, (order, (rows, _)) in enumerate(zip(index, along, strict=True))
            )
            functions.append(math.prod(parts, start=torch.ones((), dtype=x.dtype, device=x.device)))
        patches = torch.zeros((len(x.value), len(self._pairs)), dtype=torch.long, device=x.device)
        for axis, (_, pair) in enumerate(along):
            patches = patches * self.counts[axis] + pair[:, self._pairs[:, axis]]
        columns = patches.unsqueeze(2) * self.of_each + torch.arange(self.of_each, device=x.device)
        return torch.stack(functions), columns.flatten(1)

    def owners(self, x: Jet) -> Tensor:
        """The patches (n, p) on which the points may lie, or -1 for one on which a point does not lie."""
        patches = torch.zeros((len(x.value), len(self._pairs)), dtype=torch.long, device=x.device)
        away = torch.zeros_like(patches, dtype=torch.bool)
        for axis, count in enumerate(self.counts):
            first, wrapped = self._pair(axis, x.value[:, axis])
            s = x.value[:, axis, None] * count - first[:, None] - torch.arange(wrapped.shape[1], device=x.device)
            off = (s <= -self.overlap) & self._has_edge(axis, wrapped) | (s >= 1 + self.overlap) & self._has_edge(
                axis, wrapped + 1
            )
            patches = patches * count + wrapped[:, self._pairs[:, axis]]
            away |= off[:, self._pairs[:, axis]]
        return torch.where(away, -1, patches)

    def positions(self) -> Tensor:
        """The places (patches, e) of the patches on the unit box, by number."""
        axes = [(torch.arange(n, dtype=torch.float64) + 0.5) / n for n in self.counts]
        return torch.cartesian_prod(*axes).reshape(-1, len(axes))

    def richer(self, coef: Tensor) -> tuple[PatchBasis, Tensor]:
        """The same patches with polynomials of one degree more, and the head of the same fields."""
        rich = PatchBasis(self.counts, self.periodic, self.degree + 1, self.overlap, self._smoothness).to(coef.device)
        same = (rich._powers.sum(dim=1) <= self.degree).nonzero().squeeze(1)  # both are in one order
        head = coef.new_zeros((math.prod(self.counts), rich.of_each, coef.shape[1]))
        head[:, same] = coef.unflatten(0, (-1, self.of_each))
        return rich, head.flatten(0, 1)

    def _pair(self, axis: int, s: Tensor) -> tuple[Tensor, Tensor]:
        """The first patch along an axis on which points s (n,) may lie, and all (n, 1 or 2) by number.

        The first is counted on beyond the ends of a periodic axis.
        """
        count = self.counts[axis]
        first = torch.floor(s * count - 0.5).long()
        if not self.periodic[axis]:
            first = first.clamp(0, max(count - 2, 0))
        return first, (first[:, None] + torch.arange(min(2, count), device=s.device)) % count

    def _has_edge(self, axis: int, edge: Tensor) -> Tensor:
        """Whether a window falls at the lower edge of a patch, by number."""
        inside = (edge > 0) & (edge < self.counts[axis])
        return torch.ones_like(inside) if self.periodic[axis] and self.counts[axis] > 1 else inside

    def _along(self, axis: int, x: Jet) -> tuple[list[Tensor], Tensor]:
        """Taylor coefficients (n, p (degree + 1)) of window times polynomial along an axis, and the patches (n, p)."""
        order = max(index[axis] for index in x.indices.indices)
        value, count = x.value[:, axis], self.counts[axis]
        first, patches = self._pair(axis, value)
        steps = torch.arange(patches.shape[1], device=x.device)
        s = value[:, None] * count - first[:, None] - steps  # from 0 to 1 on the cell of a patch
        low, high = self._has_edge(axis, patches), self._has_edge(axis, patches + 1)
        rising = [
            _edge(row, low, start) for row, start in zip(self._risen(s, order), (1.0, *[0.0] * order), strict=True)
        ]
        falling = [_edge(row, high, 0.0) for row in self._risen(s - 1, order)]
        window = [up - down for up, down in zip(rising, falling, strict=True)]
        begin, end = -self.overlap * low.to(s.dtype), 1 + self.overlap * high.to(s.dtype)
        half = (end - begin) / 2
        polynomials = _legendre((s - begin) / half - 1, half, self.degree, order)
        slope = self._slope(axis, x) * count
        rows = []
        for m in range(order + 1):
            row = torch.stack([window[j].unsqueeze(-1) * polynomials[m - j] for j in range(m + 1)]).sum(dim=0)
            rows.append((row * slope**m if m else row).flatten(1))
        return rows, patches

    def _risen(self, s: Tensor, order: int) -> list[Tensor]:
        """Taylor coefficients of the smooth step from zero to one around s = 0, in units of a cell."""
        u, width = (s / (2 * self.overlap) + 0.5).clamp(0, 1), torch.full_like(s, 2 * self.overlap)
        late = u > 0.5  # there it is one less what it is on the other side, which keeps digits
        rows = [row.squeeze(-1) for row in series(self._step.to(s), torch.where(late, 1 - u, u), width, order)]
        flat = (u <= 0) | (u >= 1)
        rows = [torch.where(late, (-1) ** (m + 1) * row, row) for m, row in enumerate(rows)]
        return [rows[0] + late.to(s.dtype), *(torch.where(flat, 0.0, row) for row in rows[1:])]

    def _slope(self, axis: int, x: Jet) -> Tensor | float:
        """Of the input by its coordinate, which the inputs are linear in."""
        unit = tuple(int(axis == each) for each in range(len(self.counts)))
        place = x.indices.position.get(unit)
        return 1.0 if place is None else x.coefficients[place, :1, axis]


def _edge(row: Tensor, there: Tensor, otherwise: float) -> Tensor:
    return torch.where(there, row, otherwise)


def _smooth_step(smoothness: int) -> list[float]:
    """Coefficients of the polynomial from 0 at 0 to 1 at 1 whose first derivatives vanish at either end."""
    slope = Polynomial([0.0, 1.0, -1.0]) ** smoothness
    step = slope.integ()
    return (np.asarray(step.coef, dtype=np.float64) / float(step(1.0))).tolist()


def _legendre(t: Tensor, half: Tensor, degree: int, order: int) -> list[Tensor]:
    """Taylor coefficients of Legendre polynomials of mean square one at t in [-1, 1], (..., degree + 1), per half."""
    zero = torch.zeros_like(t)
    table = [[torch.ones_like(t), *[zero] * order]]
    for k in range(degree):
        before = table[k - 1] if k else [zero] * (order + 1)
        times_t = [t * table[k][m] + (table[k][m - 1] / half if m else 0.0) for m in range(order + 1)]
        table.append([((2 * k + 1) * a - k * b) / (k + 1) for a, b in zip(times_t, before, strict=True)])
    norms = torch.sqrt(2 * torch.arange(degree + 1, dtype=t.dtype, device=t.device) + 1)
    return [torch.stack([row[m] for row in table], dim=-1) * norms for m in range(order + 1)]
