"""Where sweeps from a prediction stand: what they have added, and how much that still changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from pinnml.surrogates.sweeps.krylov import Sweep
from pinnml.surrogates.sweeps.norms import FieldNorms

#: A correction is known where what is still to come is at most this part of it in every field, and the square of the
#: energy is known to this factor, if there is one.
SETTLED, KNOWN = 0.3, 2.0
#: Below this part of a field all is round-off; and below this one nothing bends.
ROUND_OFF, STRAIGHT = 1e-12, 1e-6
#: A sweep is not trusted to be less than this part of the one before.
LEAST_LEFT = 0.3


@dataclass(frozen=True, eq=False)
class Progress:
    """After a number of sweeps from numbers u (N,), on the way to u*.

    fields (N,): the corrected ones. By field (f,) in L2: added, what sweeps have added in all; rest, about the most
    that is still to come; whole, the corrected fields. fallen, most: by how much |u* - u|_A^2 fell and what it was at
    most, NaN where A is not symmetric and positive; matrix: A (N, N). confirmed: whether the residual itself has been
    looked at after a correction, of equations that bend.
    """

    fields: np.ndarray
    added: np.ndarray
    rest: np.ndarray
    whole: np.ndarray
    fallen: float
    most: float
    matrix: csr_array
    sweeps: int
    confirmed: bool

    @property
    def settled(self) -> bool:
        """Whether what was added is about all that lacked, in every field."""
        sound = not self.most > KNOWN * self.fallen
        confirmed = self.confirmed or bool((self.added <= STRAIGHT * self.whole).all())
        known = (self.rest <= SETTLED * self.added) | (self.added + self.rest <= ROUND_OFF * self.whole)
        return sound and confirmed and bool(known.all())

    @property
    def relative(self) -> np.ndarray:
        """What u was off by field, beside the corrected fields."""
        return beside(self.added, self.whole)

    @property
    def left(self) -> np.ndarray:
        """What the corrected fields are off at most, by field, beside their size; infinite where nothing tells."""
        return beside(self.rest, self.whole) if self.confirmed else np.full_like(self.rest, np.inf)

    @property
    def energy(self) -> tuple[float, float] | None:
        """The least and the most that |u* - u|_A / |u*|_A is."""
        whole = float(self.fields @ (self.matrix @ self.fields))
        if not (math.isfinite(self.fallen) and whole > 0):
            return None
        return math.sqrt(self.fallen / whole), math.sqrt(self.most / whole)


class Track:
    """What sweeps from numbers u (N,) add up to, in rounds of one residual each.

    least: a number below the eigenvalues of M^-1 A; bends: whether a round ends somewhere else than at u*.
    """

    def __init__(self, norms: FieldNorms, u: np.ndarray, least: float, *, bends: bool):
        self.norms, self.least, self.bends = norms, least, bends
        self.fields, self.total, self.weighted = u, np.zeros_like(u), norms.mass @ u
        self.squares = norms.products(u, self.weighted)
        self.added, self.cross = np.zeros_like(self.squares), np.zeros_like(self.squares)
        self.fallen, self.most, self.sweeps, self.rounds = 0.0, math.nan, 0, 0
        self.round, self.before_round = _Sum(norms), np.full_like(self.squares, np.inf)
        self.last = self.first = self.rest = np.full_like(self.squares, np.inf)

    def begin(self, step: float) -> None:
        """A new residual, where a part `step` of the last round was taken."""
        if step < 1:
            self._move((step - 1) * self.round.total, (step - 1) * self.round.weighted)
            self.round = self.round.times(step)
        self.before_round, self.round = self.round.size, _Sum(self.norms)
        self.rounds += 1

    def after(self, change: np.ndarray, sweep: Sweep, matrix: csr_array) -> Progress:
        """With a further sweep, which adds `change` (N,)."""
        weighted = self.norms.mass @ change
        self._move(change, weighted)
        self.sweeps += 1
        self.rest = self._rest(change, weighted, sweep)
        rest = self.rest + (self._further() if self.rounds else 0.0)
        if self.rounds == 0:
            self.most = self.fallen + sweep.left / self.least
            self.fallen += sweep.fallen
        added, whole = _roots(self.added), _roots(self.squares + 2 * self.cross + self.added)
        energy, confirmed = (self.fallen, max(self.most, self.fallen)), self.rounds > 0 or not self.bends
        return Progress(self.fields, added, rest, whole, *energy, matrix, self.sweeps, confirmed)

    def _move(self, change: np.ndarray, weighted: np.ndarray) -> None:
        """To fields (N,) that are so much larger, given M times the change."""
        products = self.norms.products
        self.added = self.added + 2 * products(self.total, weighted) + products(change, weighted)
        self.cross = self.cross + products(change, self.weighted)
        self.total, self.fields = self.total + change, self.fields + change

    def _further(self) -> np.ndarray:
        """What further rounds add by field (f,), if they go on as the last two."""
        return series(self.round.size, beside(self.round.size, self.before_round))

    def _rest(self, change: np.ndarray, weighted: np.ndarray, sweep: Sweep) -> np.ndarray:
        """What is still to come of a round by field (f,), if sweeps go on as so far.

        Of the last sweep counts an envelope: one that is small by chance is not believed. Sweeps that are
        preconditioned badly add little and look as if nothing were left: where no energy tells, as much is left as of
        the residual.
        """
        size, first = _roots(self.norms.products(change, weighted)), self.round.count == 0
        self.round.add(change, weighted)
        before, self.last = self.last, size if first else np.maximum(size, LEAST_LEFT * self.last)
        self.first = size if first else self.first
        if first:
            return np.full_like(self.last, np.inf)  # two tell how sweeps go on
        mean = beside(self.last, self.first) ** (1 / (self.round.count - 1))
        rest = series(self.last, np.maximum(beside(self.last, before), mean))
        return rest if math.isfinite(sweep.fallen) else np.maximum(rest, sweep.part * self.round.size)


class _Sum:
    """Changes of fields, and the size of their sum."""

    def __init__(self, norms: FieldNorms):
        self.norms, self.count = norms, 0
        self.total = self.weighted = np.zeros(1)

    def times(self, factor: float) -> _Sum:
        """All of it, scaled."""
        scaled = _Sum(self.norms)
        scaled.add(factor * self.total, factor * self.weighted)
        return scaled

    def add(self, change: np.ndarray, weighted: np.ndarray) -> None:
        """One more, (N,), and M times it."""
        self.total, self.weighted, self.count = self.total + change, self.weighted + weighted, self.count + 1

    @property
    def size(self) -> np.ndarray:
        """By field (f,)."""
        return _roots(self.norms.products(self.total, self.weighted))


def series(last: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Last (q + q^2 + ...); infinite where q is not below 1."""
    return np.where(q < 1, last * q / np.where(q < 1, 1 - q, 1.0), np.where(last > 0, np.inf, 0.0))


def beside(sizes: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Sizes over those of whole fields; as they are where these are zero."""
    return sizes / np.where(whole > 0, whole, 1.0)


def _roots(squares: np.ndarray) -> np.ndarray:
    return np.sqrt(squares.clip(min=0.0))  # which round-off may make negative
