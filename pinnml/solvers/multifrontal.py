"""Least squares with rows that see a few neighbouring groups of unknowns each, by dense QR of small fronts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pinnml.deadline import NEVER, Deadline

#: Groups of one front at most, where nothing is cut further.
LEAF = 4
#: A column of which others leave less than this part of its length stands for nothing of its own.
ROUND_OFF = 1e-12


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows (m, g w + 1) of the groups (g,) that they see, w unknowns each; the last column is the right side."""

    groups: tuple[int, ...]
    rows: Tensor


@dataclass(eq=False)
class Front:
    """Unknowns that are eliminated together: those of groups `own`, while `beyond` are left to later fronts."""

    own: tuple[int, ...]
    children: list[Front]
    beyond: tuple[int, ...] = ()
    pieces: list[Piece] = field(default_factory=list)

    @property
    def groups(self) -> tuple[int, ...]:
        """All that its rows see, own ones first."""
        return (*self.own, *self.beyond)


@dataclass(frozen=True, eq=False)
class Factors:
    """R of A = Q R, front by front in the order of elimination, and Q^T b; lengths (groups, w) of the columns of A.

    A front's triangle (own w, groups w + 1) has the rows of its own unknowns, the last column is that of Q^T b. lost:
    the unknowns that stay at zero, since others make up for them.
    """

    triangles: tuple[tuple[Front, Tensor], ...]
    lengths: Tensor
    lost: int

    @property
    def condition(self) -> float:
        """The largest entry on the diagonal of R, its columns of length one, beside the least: a lower bound."""
        pivots = (self._own(front, triangle).diagonal().abs() for front, triangle in self.triangles if front.own)
        least = min(float(each.min()) for each in pivots)
        return 1 / least if least > 0 else float("inf")

    @property
    def rank(self) -> int:
        """The unknowns that are not lost."""
        return self.lengths.numel() - self.lost

    def solve(self) -> Tensor:
        """X (groups, w) of least |A x - b|."""
        return self._upwards([triangle[:, -1] for _, triangle in self.triangles])

    def normal_inverse(self, y: Tensor) -> Tensor:
        """(A^T A)^-1 y, for y (groups, w)."""
        width, left = self.lengths.shape[1], (y / self.lengths).clone()
        found = []
        for front, triangle in self.triangles:  # R^T z = y
            own = list(front.own)
            z = torch.linalg.solve_triangular(self._own(front, triangle).mT, left[own].reshape(-1, 1), upper=False)
            beyond = triangle[:, len(own) * width : -1].mT @ z
            left[list(front.beyond)] -= beyond.reshape(-1, width)
            found.append(z.squeeze(1))
        return self._upwards(found)

    def _upwards(self, right: Sequence[Tensor]) -> Tensor:
        """X with R x = right, by front."""
        x, width = torch.zeros_like(self.lengths), self.lengths.shape[1]
        for (front, triangle), each in zip(reversed(self.triangles), reversed(right), strict=True):
            own = len(front.own) * width
            left = (each - triangle[:, own:-1] @ x[list(front.beyond)].reshape(-1)).unsqueeze(1)
            solved = torch.linalg.solve_triangular(self._own(front, triangle), left, upper=True)
            x[list(front.own)] = solved.reshape(-1, width)
        return x / self.lengths

    def _own(self, front: Front, triangle: Tensor) -> Tensor:
        return triangle[:, : len(front.own) * self.lengths.shape[1]]


def factors(
    pieces: Sequence[Piece], positions: Tensor, width: int, *, least: float = 0.0, deadline: Deadline = NEVER
) -> Factors:
    """R of A from its pieces, with `width` unknowns in each group.

    Groups at positions (G, e) are eliminated in the order of a nested dissection: what lies on two sides of a cut meets
    only in the groups of the cut, which come last. Every front is one dense QR of its rows and what its children left;
    N unknowns of a plane take about N^1.5 operations. A column that others make up for is left out, its unknown zero;
    or, where `least` is above zero, it stays and is as if `least` of its length were its own. Raises OutOfTimeError.
    Source: multifrontal QR (Davis, doi:10.1145/2049662.2049670).
    """
    lengths = _lengths(pieces, len(positions), width)
    pieces = [_scaled(piece, lengths) for piece in pieces]
    root = fronts(neighbours(pieces, len(positions)), positions)
    _share_out(pieces, root)
    elimination = Elimination(width, lengths, least, deadline)
    elimination(root)
    return Factors(tuple(elimination.solved), lengths, elimination.lost)


def neighbours(pieces: Sequence[Piece], count: int) -> list[set[int]]:
    """The groups that share a piece with each of `count` groups."""
    found: list[set[int]] = [set() for _ in range(count)]
    for groups in {piece.groups for piece in pieces}:
        for group in groups:
            found[group].update(groups)
    return [near - {group} for group, near in enumerate(found)]


def fronts(near: Sequence[set[int]], positions: Tensor) -> Front:
    """The tree of fronts of groups with these neighbours, cut in half again and again along their longest axis."""
    root = _cut(list(range(len(near))), near, positions)
    _look_beyond(root, near)
    return root


def _cut(groups: list[int], near: Sequence[set[int]], positions: Tensor) -> Front:
    if len(groups) <= LEAF:
        return Front(tuple(groups), [])
    places = positions[groups]
    axis = int((places.amax(dim=0) - places.amin(dim=0)).argmax())
    order = [groups[k] for k in torch.argsort(places[:, axis], stable=True).tolist()]
    upper = set(order[len(order) // 2 :])
    lower = order[: len(order) // 2]
    cut = [group for group in lower if near[group] & upper]
    parts = [[group for group in lower if not near[group] & upper], order[len(order) // 2 :]]
    return Front(tuple(cut), [_cut(part, near, positions) for part in parts if part])


def _look_beyond(front: Front, near: Sequence[set[int]]) -> set[int]:
    """Sets the groups that a front's rows see besides its own; returns all that lie in it and below."""
    inside, seen = set(front.own), set()
    for child in front.children:
        inside |= _look_beyond(child, near)
        seen |= set(child.beyond)
    seen |= {other for group in front.own for other in near[group]}
    front.beyond = tuple(sorted(seen - inside))
    return inside


def _share_out(pieces: Sequence[Piece], root: Front) -> None:
    """Every piece to the first front that eliminates one of its groups."""
    home: dict[int, tuple[int, Front]] = {}

    def number(front: Front) -> None:
        for child in front.children:
            number(child)
        home.update(dict.fromkeys(front.own, (len(home), front)))

    number(root)
    for piece in pieces:
        min((home[group] for group in piece.groups), key=lambda found: found[0])[1].pieces.append(piece)


def _scaled(piece: Piece, lengths: Tensor) -> Piece:
    """The rows for unknowns in units of 1 / lengths."""
    units = torch.cat([lengths[list(piece.groups)].flatten(), lengths.new_ones(1)])
    return Piece(piece.groups, piece.rows / units)


def _lengths(pieces: Sequence[Piece], count: int, width: int) -> Tensor:
    """The lengths of the columns, (groups, width); one for those that are zero."""
    squares = pieces[0].rows.new_zeros((count, width))
    for piece in pieces:
        squares[list(piece.groups)] += piece.rows[:, :-1].square().sum(dim=0).reshape(-1, width)
    return torch.where(squares > 0, squares, 1.0).sqrt()


@dataclass(eq=False)
class Elimination:
    """Front by front, from the leaves of the tree to its root. solved: the fronts and their triangles so far."""

    width: int
    lengths: Tensor
    least: float
    deadline: Deadline
    solved: list[tuple[Front, Tensor]] = field(default_factory=list)
    lost: int = 0

    def __call__(self, front: Front) -> Piece | None:
        """The rows that are left of a front and of what is below it, without its own unknowns."""
        left = [self(child) for child in front.children]
        self.deadline.check()
        rows = self._gathered(front, [piece for piece in left if piece is not None])
        own = len(front.own) * self.width
        spare = rows[len(rows) - own :]  # one for each own unknown, zero so far
        spare[:, :own].diagonal().fill_(self.least)
        factor = torch.linalg.qr(rows, mode="r")[1]
        lost = (factor[:own, :own].diagonal().abs() < ROUND_OFF).nonzero().squeeze(1)
        if len(lost) and not self.least:
            rows[:, lost] = 0.0
            spare[lost, lost] = 1.0
            factor = torch.linalg.qr(rows, mode="r")[1]
        self.lost += len(lost)
        self.solved.append((front, factor[:own]))
        return Piece(front.beyond, factor[own:, own:]) if front.beyond else None

    def _gathered(self, front: Front, left: Sequence[Piece]) -> Tensor:
        """The rows of a front's pieces and of what its children left, and as many of zeros as it has unknowns."""
        place = {group: k * self.width for k, group in enumerate(front.groups)}
        own = len(front.own) * self.width
        many = own + sum(len(piece.rows) for piece in (*front.pieces, *left))
        rows, start = self.lengths.new_zeros((many, len(place) * self.width + 1)), 0
        for piece in (*left, *front.pieces):
            target = rows[start : start + len(piece.rows)]
            for k, group in enumerate(piece.groups):
                target[:, place[group] : place[group] + self.width] = piece.rows[
                    :, k * self.width : (k + 1) * self.width
                ]
            target[:, -1] = piece.rows[:, -1]
            start += len(piece.rows)
        front.pieces.clear()
        return rows
