"""The functions on the edges of a spline network: what they are at a layer's arguments, and how they become finer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Self

import torch
from torch import Tensor, nn

from pinnml.calculus import Jet, interval_of, pieces, series, windows
from pinnml.networks.base import Trace
from pinnml.networks.knots import Knots, free_knots, span_logits, split_logits
from pinnml.networks.nesting import check_digits, refinement, relu_refinement
from pinnml.networks.splines import LocalProduct, dense

#: From this many functions for each one that is not zero, products leave the zeros out (measured).
SPARSE = 2


@dataclass(frozen=True)
class Entry:
    """Where a layer z = f(x) W enters theta: the names of W and of what is trained in the edge functions f."""

    weight: str
    edges: str


class Edges(nn.Module, ABC):
    """N functions of each of p arguments, on the edges to q sums, with knots in `sets` of their own.

    Must define: `knots`, `features` and `split`.
    """

    order: int
    inputs: int
    outputs: int | None = None

    @property
    def size(self) -> int:
        """N, the number of functions of an argument."""
        return self.intervals + self.order - 1

    @property
    def numbers(self) -> int:
        """How many values of functions that are not zero there are at each sample; by edge where each has its own."""
        return self.inputs * self.order * (self.outputs or 1)

    @property
    @abstractmethod
    def knots(self) -> Tensor:
        """The knots, (sets, n + 2 r - 1)."""

    @property
    def intervals(self) -> int:
        """The number of intervals between the ends of the knots, n."""
        return self.knots.shape[1] - 2 * self.order + 1

    @property
    def inner(self) -> Tensor:
        """The knots between the ends, (sets, n + 1)."""
        return self._between(self.knots)

    def _between(self, knots: Tensor) -> Tensor:
        return knots[:, self.order - 1 : knots.shape[1] - self.order + 1]

    @abstractmethod
    def features(self, x: Jet, trace: Trace | None, name: str) -> Jet:
        """All functions of all arguments (K, n, p): (K, n, p N)."""

    def product(self, x: Jet, weight: Tensor, trace: Trace | None, entry: Entry) -> Tensor:
        """z_q = sum_p sum_i W_(p i) q f_i(x_p), (K, n, q), from x (K, n, p) and W (p N, q); noted in the trace."""
        features = self.features(x, trace, entry.edges).coefficients
        z = features @ weight
        if trace is not None:
            trace.layer(entry.weight, features, z)
        return z

    @abstractmethod
    def split(self, marked: Tensor | None = None) -> tuple[Self, Tensor]:
        """The functions with all intervals halved, or those marked (sets, n), and P (p or 1, q or 1, N, N').

        P carries weights over, w' = w P, without a change of the sums.
        """

    def check_levels(self, times: int) -> None:
        """Refuse functions that cannot be halved so many times. Raises SettingsError."""

    def places(self, x: Tensor) -> Tensor:
        """The intervals in which arguments (n, p) lie, numbered through all sets: (n, arguments)."""
        return _intervals(self.inner, x)

    def outside(self, x: Tensor) -> Tensor:
        """Whether arguments (n, p) lie beyond the knots."""
        inner = self.inner
        return (x < inner[:, 0].min()) | (x > inner[:, -1].max())


class BSplines(Edges):
    """B-splines on knots that are fixed, or trained by `free_knots`: one set for all arguments, for each, or each edge.

    t (sets, n + 2 r - 1): the knots at the start. outputs: q if every edge has its own set, else None. least: None for
    fixed knots, or the smallest span there can be, as a part of the range.
    """

    def __init__(self, t: Tensor, order: int, inputs: int, *, outputs: int | None = None, least: float | None = None):
        super().__init__()
        self.order, self.inputs, self.outputs = order, inputs, outputs
        self.logits = None
        if least is None:
            self.register_buffer("t", t)
            self.register_buffer("table", pieces(windows(t, order)))
        else:
            inner = t[:, order - 1 : t.shape[1] - order + 1]
            spans = inner.diff(dim=1) / (inner[:, -1:] - inner[:, :1])
            self.register_buffer("ends", inner[0, [0, -1]])
            self.register_buffer("least", torch.tensor(least, dtype=t.dtype))
            self.logits = nn.Parameter(span_logits(spans, least))

    @property
    def knots(self) -> Tensor:
        """The knots, (sets, n + 2 r - 1)."""
        return self.get_buffer("t") if self.logits is None else self._freed(self.logits)

    @property
    def intervals(self) -> int:
        """The number of intervals between the ends of the knots, n."""
        return super().intervals if self.logits is None else self.logits.shape[1]

    def features(self, x: Jet, trace: Trace | None, name: str) -> Jet:
        """All splines of all arguments, (K, n, p N)."""
        first, local = self._local(x, trace, name)
        return local.map(lambda c: dense(first, c, self.size).flatten(start_dim=-2))

    def product(self, x: Jet, weight: Tensor, trace: Trace | None, entry: Entry) -> Tensor:
        """The sums, without the splines that are zero where that is quicker."""
        if self.outputs is not None:
            return self._edgewise(x, weight, trace, entry)
        if trace is None and self.size >= SPARSE * self.order:
            first, local = self._local(x, None, "")
            step = torch.arange(self.order, device=first.device)
            argument = self.size * torch.arange(self.inputs, device=first.device)
            rows = ((first + argument).unsqueeze(-1) + step).flatten(start_dim=1)
            return LocalProduct.apply(local.coefficients.flatten(start_dim=2), rows, weight)  # pyright: ignore
        return super().product(x, weight, trace, entry)  # with zeros, as a Jacobian is made of all functions

    def split(self, marked: Tensor | None = None) -> tuple[BSplines, Tensor]:
        """The splines on finer knots, and P by set."""
        marks = [None] * len(self.knots) if marked is None else list(marked.cpu())
        if self.logits is None:
            old, least = [Knots.restored(t, self.order) for t in self.knots], None
            new = [knots.split(mark) for knots, mark in zip(old, marks, strict=True)]
        else:
            old, new, least = self._split_free(self.logits, marks)
        matrices = torch.stack([refinement(a, b) for a, b in zip(old, new, strict=True)])
        t = torch.stack([knots.t for knots in new])
        finer = BSplines(t, self.order, self.inputs, outputs=self.outputs, least=least)
        sets = (1 if len(t) == 1 else self.inputs, self.outputs or 1)
        return finer.to(self.knots), matrices.unflatten(0, sets).to(self.knots)

    def _split_free(self, logits: Tensor, marks: Sequence[Tensor | None]) -> tuple[list[Knots], list[Knots], float]:
        """Trained knots, the finer ones to train on, and the smallest span of these."""
        ends, least = _exact(self.get_buffer("ends")), _exact(self.get_buffer("least"))
        coarse = list(_exact(logits))
        fine = [split_logits(row, mark, least) for row, mark in zip(coarse, marks, strict=True)]
        old = [Knots(free_knots(row, ends, self.order, least), self.order) for row in coarse]
        new = [Knots(free_knots(row, ends, self.order, least / 2), self.order) for row in fine]
        return old, new, float(least) / 2

    def _freed(self, logits: Tensor) -> Tensor:
        return free_knots(logits, self.get_buffer("ends"), self.order, self.get_buffer("least"))

    def _local(self, x: Jet, trace: Trace | None, name: str) -> tuple[Tensor, Jet]:
        """The first spline that is not zero, (n, a), and the r of them (K, n, a, r); a is p, or p q for every edge."""
        outputs = self.outputs or 1
        x = x.map(lambda c: c.repeat_interleave(outputs, dim=-1))
        knots = self.knots
        inner = self._between(knots)
        sets = torch.arange(x.shape[1], device=x.device) * (len(inner) > 1)
        first = _intervals(inner, x.value) - sets * self.intervals
        if self.logits is not None and trace is not None:
            t = self._freed(trace.per_sample(name, self.logits, x.shape[0])).expand(-1, x.shape[1], -1)
            places = first.unsqueeze(-1) + torch.arange(2 * self.order, device=x.device)
            window = t.gather(-1, places)
            start, width = window[..., self.order - 1], window[..., self.order] - window[..., self.order - 1]
            polynomials = pieces(window)
        else:
            table = self.get_buffer("table") if self.logits is None else pieces(windows(knots, self.order))
            number = first + sets * self.intervals
            start, width = inner[:, :-1].flatten()[number], inner.diff(dim=1).flatten()[number]
            polynomials = table.flatten(end_dim=1)[number]
        rows = series(polynomials, (x.value - start) / width, width, x.indices.order)
        return first, Jet(x.indices, x.coefficients.unsqueeze(-1)).compose(lambda *_: rows)

    def _edgewise(self, x: Jet, weight: Tensor, trace: Trace | None, entry: Entry) -> Tensor:
        """The sums where every edge has splines of its own, and so no features that edges share."""
        n, p, q = x.shape[0], self.inputs, weight.shape[1]
        weights = weight[None] if trace is None else trace.per_sample(entry.weight, weight, n)
        by_edge = weights.unflatten(1, (p, self.size)).transpose(2, 3).flatten(1, 2).expand(n, -1, -1)  # (n, p q, N)
        first, local = self._local(x, trace, entry.edges)
        places = first.unsqueeze(-1) + torch.arange(self.order, device=first.device)
        terms = (local.coefficients * by_edge.gather(-1, places)).sum(dim=-1)
        return terms.unflatten(-1, (p, q)).sum(dim=-2)


class PowerReLUs(Edges):
    """((x - t_j) / h)^(r-1), cut off below t_j where t_j > low; h is the mean spacing, t (n + 2 r - 1,) fixed.

    On the knots these are the power-ReLU functions; beyond them they go on as B-splines do, so that both span one
    space everywhere.
    """

    def __init__(self, t: Tensor, order: int, inputs: int):
        super().__init__()
        self.order, self.inputs = order, inputs
        self.register_buffer("t", t)

    @property
    def knots(self) -> Tensor:
        """The knots, (1, n + 2 r - 1)."""
        return self.get_buffer("t").unsqueeze(0)

    def features(self, x: Jet, trace: Trace | None, name: str) -> Jet:
        """All functions of all arguments, (K, n, p N)."""
        t, inner, r = self.knots[0, : self.size], self.inner[0], self.order
        h = (inner[-1] - inner[0]) / self.intervals
        shifted = (x.value.unsqueeze(-1) - t) / h
        whole = torch.arange(self.size, device=t.device) < r
        on = ((shifted > 0) | whole).to(shifted)
        rows = [on * comb(r - 1, m) * shifted ** max(r - 1 - m, 0) / h**m for m in range(x.indices.order + 1)]
        functions = Jet(x.indices, x.coefficients.unsqueeze(-1)).compose(lambda *_: rows)
        return functions.map(lambda c: c.flatten(start_dim=-2))

    def check_levels(self, times: int) -> None:
        """Refuse finer functions that lose their digits."""
        knots = Knots.restored(self.get_buffer("t"), self.order)
        for _ in range(times):
            knots = knots.split()
            check_digits(knots, self.knots.dtype)

    def split(self, marked: Tensor | None = None) -> tuple[PowerReLUs, Tensor]:
        """The functions on finer knots, and P."""
        old = Knots.restored(self.get_buffer("t"), self.order)
        new = old.split(None if marked is None else marked[0].cpu())
        check_digits(new, self.knots.dtype)
        finer = PowerReLUs(new.t, self.order, self.inputs).to(self.knots)
        return finer, relu_refinement(old, new)[None, None].to(self.knots)


def _exact(t: Tensor) -> Tensor:
    """Numbers as the algebra of knots wants them: on the CPU, in double precision."""
    return t.detach().cpu().double()


def _intervals(inner: Tensor, x: Tensor) -> Tensor:
    """The intervals of sets of knots (sets, n + 1) in which x (n, a) lies, numbered through all sets."""
    if len(inner) == 1:
        return interval_of(inner[0], x)
    n = inner.shape[1] - 1
    repeats = len(inner) // x.shape[1]  # one argument meets the knots of all its edges
    x = x.repeat_interleave(repeats, dim=1)
    return interval_of(inner, x.mT).mT + n * torch.arange(len(inner), device=x.device)
