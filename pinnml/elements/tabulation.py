"""Values and derivatives of finite-element functions on cells and their facets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.domains.geometry import Mapped, located
from pinnml.elements.piola import carriers, pushed, reference_rows
from pinnml.elements.space import Space
from pinnml.errors import MissingDerivativeError, ShapeError


@dataclass(frozen=True, eq=False)
class Tabulated:
    """Functions at the points of cells, in rows as an integrand takes them.

    rows (m, c, q, k): at point q of cell c, of its local function k; one function has no index k. Rows are value,
    d/dx_1 .. d/dx_s of family "P"; s components, then curl (one row in the plane, three in space) of "N1curl"; s
    components, then divergence of "RT". Another derivative is a MissingDerivativeError.
    """

    rows: Tensor
    family: str
    dimension: int

    @property
    def value(self) -> Tensor:
        """The value (c, q, k), or the vector (c, q, k, s)."""
        return self.rows[0] if self.family == "P" else _last(self.rows[: self.dimension])

    @property
    def gradient(self) -> Tensor:
        """du/dx_i, (c, q, k, s)."""
        self._check("gradient", "P")
        return _last(self.rows[1:])

    @property
    def curl(self) -> Tensor:
        """dE_2/dx_1 - dE_1/dx_2 (c, q, k) in the plane, the vector (c, q, k, 3) in space."""
        self._check("curl", "N1curl")
        return self.rows[2] if self.dimension == 2 else _last(self.rows[3:])

    @property
    def divergence(self) -> Tensor:
        """The sum of dF_i/dx_i, (c, q, k)."""
        self._check("divergence", "RT")
        return self.rows[self.dimension]

    def _check(self, name: str, family: str) -> None:
        if self.family != family:
            raise MissingDerivativeError(
                f"functions of {self.family} elements have no {name}",
                expected=f"an element of family '{family}'",
                got=self.family,
                cure=f"choose Element('{family}', degree), or another weak form",
            )


def tabulated(space: Space, mapped: Mapped, cells: Tensor | None = None) -> Tabulated:
    """All local functions at the points of `mapped`, which lie on all cells of the space or on those by number (c,)."""
    rows = table(space, mapped.reference).unsqueeze(1)
    if space.turns is not None:
        matrices, which = space.turns
        rows = torch.einsum("dkl,mzql->mdqk", matrices, rows)[:, which if cells is None else which[cells]]
    return _on_cells(space, mapped, rows)


def evaluated(space: Space, coefficients: Tensor, mapped: Mapped, cells: Tensor | None = None) -> Tabulated:
    """One function of the space at such points, from its degrees of freedom (size,), real or complex.

    Raises ShapeError for another number of them.
    """
    if coefficients.shape != (space.size,):
        got = f"shape {tuple(coefficients.shape)}"
        raise ShapeError("coefficients of a finite-element function", expected=f"shape ({space.size},)", got=got)
    precise = torch.promote_types(coefficients.dtype, torch.float64)
    local = space.to_reference(coefficients.to(precise), cells)
    rows = torch.einsum("mqk,ck->mcq", table(space, mapped.reference).to(precise), local)
    return _on_cells(space, mapped, rows.unsqueeze(-1), one=True)


def at_places(space: Space, coefficients: Tensor, cells: Tensor, points: Tensor) -> Tensor:
    """The rows (a, n) of one function at n reference points (n, s), each on a cell of its own by number (n,)."""
    local = space.to_reference(coefficients, cells)
    rows = torch.einsum("ank,nk->an", table(space, points), local)
    _, jacobian = located(space.cells, cells.numpy(), points.numpy())
    return pushed(space.element.family, jacobian.unsqueeze(1), rows[..., None, None])[..., 0, 0]


def table(space: Space, points: Tensor) -> Tensor:
    """The functions on the reference cell in rows, at points (q, s): (a, q, k)."""
    return reference_rows(space.element.family, space.element.on(space.cells.kind), points.numpy())


def lift(space: Space, mapped: Mapped) -> Tensor:
    """The matrices that carry rows to cells, (c, q, a, a); (c, 1, a, a) where the mapping is affine."""
    jacobian = mapped.jacobian[:, :1] if space.cells.kind.is_affine else mapped.jacobian
    first, second = carriers(space.element.family, jacobian)
    shape = jacobian.shape[:2]
    upper = torch.cat(
        [first.expand(*shape, -1, -1), jacobian.new_zeros((*shape, first.shape[-2], second.shape[-1]))], -1
    )
    lower = torch.cat([jacobian.new_zeros((*shape, second.shape[-2], first.shape[-1])), second], -1)
    return torch.cat([upper, lower], dim=-2)


def _on_cells(space: Space, mapped: Mapped, rows: Tensor, one: bool = False) -> Tabulated:
    """From rows on the reference cell (m, c or 1, q, k); of one function, k is left out."""
    family = space.element.family
    done = pushed(family, mapped.jacobian, rows)
    return Tabulated(done[..., 0] if one else done, family, space.cells.kind.dimension)


def _last(rows: Tensor) -> Tensor:
    return rows.movedim(0, -1)
