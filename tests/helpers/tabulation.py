"""Finite-element functions by themselves: all or one of a space at points of cells, and functions taken into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.domains.geometry import Mapped, mapped
from pinnml.elements import Space, table
from pinnml.elements.piola import pulled_back, pushed
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


def interpolate(space: Space, function: Callable[[Tensor], Any]) -> Tensor:
    """The degrees of freedom (size,) of a function of points (n, s), taken on every cell.

    The function gives (n,) for a Lagrange space, else vectors (n, s), as a tensor or an array, real or complex. Members
    of the space are met exactly. Raises ShapeError for values of another shape.
    """
    element, family = space.element.on(space.cells.kind), space.element.family
    points = np.array(element.points)
    at = mapped(space.cells, points, np.ones(len(points)))
    values = _values(function, at.x.flatten(end_dim=1), vectors=family != "P").unflatten(0, at.x.shape[:2])
    reference = pulled_back(family, at.jacobian, values)  # (C, q, v)
    matrix = torch.from_numpy(np.array(element.interpolation_matrix)).to(values.dtype)
    # basix's columns go through the points of the first component, then through those of the next
    return space.from_reference(reference.mT.flatten(start_dim=1) @ matrix.mT)


def _values(function: Callable[[Tensor], Any], x: Tensor, vectors: bool) -> Tensor:
    """The values (n, v) at points (n, s), in double precision."""
    values = torch.as_tensor(function(x))
    shape = tuple(x.shape) if vectors else (len(x),)
    if tuple(values.shape) != shape:
        cure = "return one number for each point" if not vectors else "stack the components along the last axis"
        raise ShapeError("a function to interpolate", expected=f"shape {shape}", got=tuple(values.shape), cure=cure)
    return values.to(torch.complex128 if values.is_complex() else torch.float64).reshape(len(x), -1)


def dofs_on(space: Space, facets: np.ndarray | Tensor) -> Tensor:
    """The degrees of freedom of facets and of all that bounds them, each once, in order.

    facets (f, 2): the number of a cell, and that of the facet in the cell.
    """
    cells, sides = torch.as_tensor(facets).unbind(dim=1)
    closure = space.element.on(space.cells.kind).entity_closure_dofs[space.cells.kind.dimension - 1]
    return torch.unique(space.dofs[cells.unsqueeze(1), torch.tensor(closure)[sides]])


def _on_cells(space: Space, mapped: Mapped, rows: Tensor, one: bool = False) -> Tabulated:
    """From rows on the reference cell (m, c or 1, q, k); of one function, k is left out."""
    family = space.element.family
    done = pushed(family, mapped.jacobian, rows)
    return Tabulated(done[..., 0] if one else done, family, space.cells.kind.dimension)


def _last(rows: Tensor) -> Tensor:
    return rows.movedim(0, -1)
