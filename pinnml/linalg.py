"""Least squares that keeps its digits: QR first, then the rank decision or the damping on the small factor.

Plain functions on tensors. J^T J is formed only where the caller says that half the digits will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import scipy.linalg
import torch
from torch import Tensor

from pinnml.deadline import NEVER, Deadline, OutOfTimeError

#: Up to this many unknowns the rank is decided by an SVD of R; beyond, by pivoted QR, at a third of the cost.
SVD_UNKNOWNS = 1500
#: Columns that are taken at once by a factorisation that looks at the clock, and operations below which none does.
PANEL, BRIEF = 128, 1e10
#: Operations of a factorisation of n unknowns, in units of n^3: as many as a product of matrices makes meanwhile.
SVD_COST, PIVOTED_COST, EIGEN_COST = 60.0, 15.0, 25.0
#: Directions of Krylov's space at most, and the share of the time left that they may take.
KRYLOV, KRYLOV_SHARE = 200, 0.5


@dataclass(frozen=True)
class LeastSquares:
    """A least-squares solution x (P,), its numerical rank, and the condition number of the part that was kept."""

    x: Tensor
    rank: int
    condition: float


@dataclass(frozen=True)
class Triangle:
    """min |A x - b| reduced to min |R z - d| with x = z / scale; `misfit` is the part of |b| that no x reaches.

    r (P, P) upper triangular, d (P,) = Q^T b, scale (P,).
    """

    r: Tensor
    d: Tensor
    scale: Tensor
    misfit: float


def triangle(a: Tensor, b: Tensor, *, scaled: bool = True, deadline: Deadline = NEVER) -> Triangle:
    """The triangular factor R of A (M, P), its columns scaled to length one, together with Q^T b for b (M,).

    b rides along as a last column, so that Q is never formed. Raises OutOfTimeError.
    """
    unknowns = a.shape[1]
    scale = torch.linalg.vector_norm(a, dim=0) if scaled else a.new_ones(unknowns)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    joined = torch.empty((a.shape[0], unknowns + 1), dtype=a.dtype, device=a.device)
    torch.div(a, scale, out=joined[:, :unknowns])
    joined[:, unknowns] = b
    factor = _triangular_factor(joined, deadline)
    if factor.shape[0] <= unknowns:  # fewer equations than unknowns: zero rows make the factor square
        factor = torch.cat([factor, factor.new_zeros((unknowns + 1 - factor.shape[0], unknowns + 1))])
    misfit = float(factor[unknowns, unknowns].abs())
    return Triangle(factor[:unknowns, :unknowns], factor[:unknowns, unknowns], scale, misfit)


def _triangular_factor(a: Tensor, deadline: Deadline) -> Tensor:
    """R of A (M, P), which may be overwritten: panel by panel, with a look at the clock, where it takes long."""
    rows, columns = a.shape
    if deadline.moment is None or 2.0 * rows * columns**2 < BRIEF:
        return torch.linalg.qr(a, mode="r")[1]
    for first in range(0, min(rows, columns), PANEL):
        deadline.check()
        last = min(first + PANEL, columns)
        panel, tau = torch.geqrf(a[first:, first:last])
        a[first:, first:last] = panel
        if last < columns:
            _reflect(panel, tau, a[first:, last:])
    return a[: min(rows, columns)].triu()


def _reflect(panel: Tensor, tau: Tensor, others: Tensor) -> None:
    """Q^T others in place, for the Householder vectors (m, k) below a panel's diagonal and their factors tau (k,).

    As Q = I - V T V^T in products of matrices, many times as fast as `torch.ormqr` on a CPU. T^-1 + T^-T = V^T V, and
    the diagonal of T^-1 is 1 / tau; vectors with tau = 0 reflect nothing. Source: Schreiber and Van Loan,
    doi:10.1137/0910005.
    """
    v, nothing = panel[:, : len(tau)].tril(-1), tau == 0
    v.diagonal().fill_(1.0)
    v[:, nothing] = 0.0
    inverse = (v.mT @ v).triu(1)
    inverse.diagonal().copy_(1 / torch.where(nothing, torch.ones_like(tau), tau))
    others -= v @ torch.linalg.solve_triangular(inverse.mT, v.mT @ others, upper=False)


class RankRevealed:
    """A triangle taken apart, R = Q M, so that solutions for many cut-offs cost little each.

    Q orthogonal; M = S V^T, or a pivoted triangle where there are many unknowns. Pivots are the singular values, or
    the diagonal. Raises OutOfTimeError where that would take longer than there is time.
    """

    def __init__(self, system: Triangle, deadline: Deadline = NEVER):
        unknowns = system.r.shape[1]
        self._system = system
        self._spectral = unknowns <= SVD_UNKNOWNS
        deadline.forecast((SVD_COST if self._spectral else PIVOTED_COST) * unknowns**3)
        if self._spectral:
            q, self._pivots, self._right = torch.linalg.svd(system.r)
            self._q: tuple[Tensor, ...] = (q,)
        else:
            factors = scipy.linalg.qr(system.r.cpu().numpy(), pivoting=True, mode="raw", check_finite=False)
            (reflections, tau), r, order = factors  # pyright: ignore[reportAssignmentType]
            device = system.r.device
            self._q = torch.from_numpy(reflections).to(device), torch.from_numpy(tau).to(device)
            self._right, self._order = torch.from_numpy(r).to(device), torch.from_numpy(order).to(device)
            self._pivots = self._right.diagonal().abs()
        self._d = self._turned(system.d[:, None]).squeeze(1)

    @property
    def largest(self) -> float:
        """The largest pivot: with columns of length one, the length of the longest image of a unit vector."""
        return float(self._pivots.max())

    def rank(self, cutoff: float | None = None) -> int:
        """The directions whose pivot exceeds cutoff times the largest.

        `cutoff` None means the number of unknowns times the round-off of the dtype.
        """
        if cutoff is None:
            cutoff = len(self._pivots) * torch.finfo(self._pivots.dtype).eps
        return int((self._pivots > cutoff * self._pivots.max()).sum())

    def solve(self, cutoff: float | None = None) -> LeastSquares:
        """Min |R z - d|^2 over the directions that a cut-off leaves."""
        rank = self.rank(cutoff)
        if rank == 0:
            return LeastSquares(torch.zeros_like(self._d), 0, float("inf"))
        condition = float(self._pivots[0] / self._pivots[rank - 1])
        z = self._reached(self._d[:rank].unsqueeze(1)).squeeze(1)
        return LeastSquares(z / self._system.scale, rank, condition)

    def apart(self, columns: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        """Columns (P, k) as they stand in the rows of R: what x of this rank reach of them, and the rest.

        The solutions (P, k) with R x = the reach, and the coordinates of the rest.
        """
        turned = self._turned(columns)
        return self._reached(turned[:rank]) / self._system.scale[:, None], turned[rank:]

    def directions(self, floor: float) -> Tensor:
        """Columns x (P, P) of |A x| = 1 each that together reach everything.

        Those of pivots below floor times the largest are as long as if theirs were there: they stand for all that A
        does not see, to rounding.
        """
        least, scale = floor * self.largest, self._system.scale[:, None]
        if self._spectral:
            return self._right.mT / self._pivots.clamp(min=least) / scale
        rank = self.rank(floor)
        identity = torch.eye(len(self._pivots), dtype=self._pivots.dtype, device=self._pivots.device)
        unseen = -self._reached(self._right[:rank, rank:])
        unseen[self._order[rank:]] = identity[rank:, rank:]
        unseen /= torch.linalg.vector_norm(unseen, dim=0) * least
        return torch.cat([self._reached(identity[:rank, :rank]), unseen], dim=1) / scale

    def _turned(self, columns: Tensor) -> Tensor:
        """Q^T columns (P, k); of a pivoted triangle by its reflections, so that Q is never formed."""
        if self._spectral:
            return self._q[0].mT @ columns
        reflections, lengths = self._q
        return torch.ormqr(reflections, lengths, columns, transpose=True)

    def _reached(self, turned: Tensor) -> Tensor:
        """The unknowns z (P, k), in units of the columns' lengths, with R z = Q columns of coordinates (rank, k)."""
        rank = len(turned)
        if self._spectral:
            return self._right[:rank].mT @ (turned / self._pivots[:rank, None])
        z = turned.new_zeros((len(self._pivots), turned.shape[1]))
        z[self._order[:rank]] = torch.linalg.solve_triangular(self._right[:rank, :rank], turned, upper=True)
        return z


class Bordered:
    """min |A x + B y - b| for many x and a few y: the rank decision is that of A, and y sees what A cannot reach.

    system: the triangle of [A B], A first; border: the number of y.
    """

    def __init__(self, system: Triangle, border: int, deadline: Deadline = NEVER):
        inner = len(system.d) - border
        self._system, self._inner = system, inner
        alone = Triangle(system.r[:inner, :inner], system.d[:inner], system.scale[:inner], 0.0)
        self.inner = RankRevealed(alone, deadline)

    def solve(self, cutoff: float) -> Tensor:
        """X and y (P,), over the directions of A that a cut-off leaves."""
        seen, target, reach = self._border(cutoff)
        y = torch.linalg.lstsq(seen, target[:, None], driver="gelsd").solution if seen.shape[1] else target[:0, None]
        x = reach[:, -1:] - reach[:, :-1] @ y
        return torch.cat([x, y / self._system.scale[self._inner :, None]]).squeeze(1)

    def border_factor(self, cutoff: float) -> Tensor:
        """The triangular factor (k, k) of B with the reach of A projected out: what tells y from x."""
        seen = self._border(cutoff)[0] * self._system.scale[self._inner :]
        return torch.linalg.qr(seen, mode="r")[1]

    def apart(self, rows: Tensor, cutoff: float) -> Tensor:
        """B (M, k) less what x makes of it, from the rows [A B] (M, P)."""
        return rows[:, self._inner :] - rows[:, : self._inner] @ self._made(cutoff)

    def answer(self, rows: Tensor, b: Tensor, cutoff: float) -> Tensor:
        """X and y (P, k) for other targets b (M, k), from the rows [A B] (M, P)."""
        directions = self.inner.directions(cutoff)[:, : self.inner.rank(cutoff)]
        turned = (rows[:, : self._inner] @ directions).mT @ b
        y = torch.linalg.lstsq(self.apart(rows, cutoff), b).solution
        return torch.cat([directions @ turned - self._made(cutoff) @ y, y])

    def _made(self, cutoff: float) -> Tensor:
        """What x makes of the columns of B."""
        return self._border(cutoff)[2][:, :-1] * self._system.scale[self._inner :]

    def _border(self, cutoff: float) -> tuple[Tensor, Tensor, Tensor]:
        """The rows that y alone answers for, their target, and what x makes of the columns of B and of b."""
        n, r, d = self._inner, self._system.r, self._system.d
        columns = torch.cat([r[:n, n:], d[:n, None]], dim=1)
        reach, rest = self.inner.apart(columns, self.inner.rank(cutoff))
        return torch.cat([rest[:, :-1], r[n:, n:]]), torch.cat([rest[:, -1], d[n:]]), reach


@dataclass(frozen=True)
class DampedSteps:
    """Every Levenberg-Marquardt step against r from one factorisation J = U S V^T: -V S (S^2 + mu)^-1 U^T r.

    j (M, P), s (q,) singular values, v (P, q), u (M, q) or None where only V is known, g (q,) = U^T r. `floor` is
    the least damping that the digits of the factorisation allow. Residuals scaled by c need mu scaled by c^2.
    """

    j: Tensor
    s: Tensor
    v: Tensor
    u: Tensor | None
    g: Tensor
    floor: float

    def step(self, damping: float) -> Tensor:
        """The step (P,) that minimises |r + J d|^2 + damping |d|^2."""
        return -self.v @ self._components(self.g, damping)

    def answer(self, x: Tensor, damping: float) -> Tensor:
        """The step against any other rows x (M,)."""
        return -self.v @ self._components(_projected(self.j, self.u, self.s, self.v, x), damping)

    def length(self, damping: float) -> float:
        """The norm of `step(damping)`."""
        return float(torch.linalg.vector_norm(self._components(self.g, damping)))

    def predicted(self, damping: float) -> float:
        """The decrease of 1/2 |r|^2 that the linear model promises for `step(damping)`."""
        left = damping / (self.s**2 + damping) if damping else torch.zeros_like(self.s)
        return float(0.5 * (self.g**2 * (1 - left**2)).sum())

    def damping_for(self, radius: float) -> float:
        """The damping whose step has this length, by bisection in its logarithm; the floor if that is shorter."""
        if self.length(self.floor) <= radius:
            return self.floor
        high = float(torch.linalg.vector_norm(self.s * self.g)) / radius  # |S g| / mu bounds the length
        low = max(1e-40 * high, self.floor)
        for _ in range(60):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if self.length(middle) > radius else (low, middle)
        return high

    def _components(self, g: Tensor, damping: float) -> Tensor:
        return self.s * g / (self.s**2 + damping)


def damped_steps(j: Tensor, r: Tensor, *, gram: bool = False, deadline: Deadline = NEVER) -> DampedSteps:
    """Factorise J (M, P) for steps against r (M,), always on the smaller side (the kernel form when P > M).

    By QR and an SVD of the triangle; `gram` takes the eigenvectors of the smaller Gram matrix instead, twice as
    fast, with a floor under the damping since singular values below sqrt(eps) of the largest are lost in it.
    Null directions are left out. Where the factorisation would outlast the deadline, steps are those of the Krylov
    space of J^T r, which can end at any time.
    """
    try:
        u, s, v = _gram_factors(j, deadline) if gram else _svd_factors(j, deadline)
    except OutOfTimeError:
        deadline.check()
        (u, s, v), gram = _krylov_factors(j, r, deadline.part(KRYLOV_SHARE)), False
    eps, largest = torch.finfo(j.dtype).eps, float(s.max()) if len(s) else 0.0
    keep = s > max(j.shape) * eps * largest
    u, s, v = (u if u is None else u[:, keep]), s[keep], v[:, keep]
    return DampedSteps(j, s, v, u, _projected(j, u, s, v, r), eps * largest**2 if gram else 0.0)


def _projected(j: Tensor, u: Tensor | None, s: Tensor, v: Tensor, x: Tensor) -> Tensor:
    """U^T x, by way of V where U is not at hand."""
    return u.mT @ x if u is not None else (v.mT @ (j.mT @ x)) / s


def _gram_factors(j: Tensor, deadline: Deadline) -> tuple[Tensor | None, Tensor, Tensor]:
    wide, finfo = j.shape[1] > j.shape[0], torch.finfo(j.dtype)
    few, many = sorted(j.shape)
    deadline.forecast(2 * many * few**2 + EIGEN_COST * few**3)
    values, vectors = torch.linalg.eigh(j @ j.mT if wide else j.mT @ j)
    if not wide:
        return None, values.clamp(min=finfo.eps * float(values[-1])).sqrt(), vectors
    images = j.mT @ vectors  # their lengths are the singular values, to more digits than the eigenvalues hold
    s = torch.linalg.vector_norm(images, dim=0).clamp(min=finfo.tiny)
    return vectors, s, images / s


def _svd_factors(j: Tensor, deadline: Deadline) -> tuple[Tensor | None, Tensor, Tensor]:
    wide = j.shape[1] > j.shape[0]
    few, many = sorted(j.shape)
    deadline.forecast(8 * many * few**2 + SVD_COST * few**3)
    q, r = torch.linalg.qr(j.mT if wide else j)
    left, s, right = torch.linalg.svd(r)
    return (right.mT, s, q @ left) if wide else (q @ left, s, right.mT)


def _krylov_factors(j: Tensor, r: Tensor, deadline: Deadline) -> tuple[Tensor, Tensor, Tensor]:
    """U, S and V of J as the Krylov space of J^T r sees it, as large as the time allows: J V = U S.

    Golub and Kahan's bidiagonalisation from r, every vector made orthogonal to all before it.
    """
    most = min(*j.shape, KRYLOV)
    left, right = r.new_zeros((most + 1, len(r))), r.new_zeros((most, j.shape[1]))
    bidiagonal = r.new_zeros((most + 1, most))
    left[0] = r / torch.linalg.vector_norm(r).clamp(min=torch.finfo(r.dtype).tiny)
    count = 0
    while count < most and (count < 2 or deadline.left > 0):
        if not _appended(right, count, j.mT @ left[count], bidiagonal[count, count]):
            break
        count += 1
        if not _appended(left, count, j @ right[count - 1], bidiagonal[count, count - 1]):
            break
    u, s, v = torch.linalg.svd(bidiagonal[: count + 1, :count], full_matrices=False)
    return left[: count + 1].mT @ u, s, right[:count].mT @ v.mT


def _appended(basis: Tensor, place: int, vector: Tensor, length: Tensor) -> bool:
    """Put a vector, less what the rows before span, at its place; its length beside it; whether there was any."""
    whole = torch.linalg.vector_norm(vector)
    for _ in range(2):
        vector = vector - basis[:place].mT @ (basis[:place] @ vector)
    length.copy_(torch.linalg.vector_norm(vector))
    if not bool(length > torch.finfo(vector.dtype).eps * len(vector) * whole):
        return False
    basis[place] = vector / length
    return True
