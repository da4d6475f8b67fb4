"""The head of local functions by sparse least squares: rows in pieces by the patches that they see, then fronts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.linalg import LeastSquares
from pinnml.networks import LocalBasis
from pinnml.solvers.multifrontal import Factors, Piece, factors
from pinnml.system import LocalRows, System, local_rows

#: Samples of each region that tell how long the rows of an equation are.
BALANCED = 2000


@dataclass(frozen=True, eq=False)
class LocalFit:
    """Factors of the Jacobian of a head at theta, whose last column is -r there; columns (k, m) in the head's order."""

    factors: Factors
    functions: int
    columns: int

    @classmethod
    def of(cls, system: System, theta: Tensor, least: float = 0.0) -> LocalFit:
        """Of all columns where `least` is above zero, see `factors`.

        Raises SettingsError for what couples all patches, OutOfTimeError.
        """
        basis = system.network.basis
        assert isinstance(basis, LocalBasis)
        columns = system.network.coef.shape[1]
        width, rows = basis.of_each * columns, pieces(system, theta)
        found = factors(rows, basis.positions(), width, least=least, deadline=system.deadline)
        return cls(found, basis.size, columns)

    def solve(self) -> LeastSquares:
        """The change (k m,) of the head that leaves least of the rows."""
        return LeastSquares(self.factors.solve().flatten(), self.factors.rank, self.factors.condition)


def pieces(system: System, theta: Tensor) -> list[Piece]:
    """All rows with -r beside them, by the patches that they see; many of the same patches as a triangle."""
    together: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
    for rows in local_rows(system, theta):
        for patches, piece in _by_patches(rows):
            together[patches].append(piece)
    return [Piece(patches, _packed(torch.cat(each))) for patches, each in together.items()]


def squares(system: System, theta: Tensor) -> dict[str, float]:
    """The sum of squares of the Jacobian's rows by equation."""
    found = dict.fromkeys(system.rows, 0.0)
    for rows in local_rows(system, theta):
        found[rows.equation] += float(rows.j.square().sum())
    return found


def _by_patches(rows: LocalRows) -> list[tuple[tuple[int, ...], Tensor]]:
    """The rows that see the same patches, and their columns for these with -r behind them."""
    kinds, which = torch.unique(rows.patches, dim=0, return_inverse=True)
    order = torch.argsort(which, stable=True)
    counts = torch.bincount(which, minlength=len(kinds)).tolist()
    found = []
    for kind, some in zip(kinds, order.split(counts), strict=True):
        seen = kind >= 0
        columns = rows.j[some][:, seen].flatten(1)
        found.append((tuple(kind[seen].tolist()), torch.cat([columns, -rows.r[some, None]], dim=1)))
    return found


def _packed(rows: Tensor) -> Tensor:
    """The same least squares in no more rows than columns."""
    return torch.linalg.qr(rows, mode="r")[1] if len(rows) > rows.shape[1] else rows
