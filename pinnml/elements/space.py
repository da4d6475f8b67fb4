"""Finite-element spaces: which degrees of freedom cells share, and how the functions of cells lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pinnml.domains.cells import Cells
from pinnml.domains.geometry import mapped
from pinnml.elements.element import Element
from pinnml.elements.orientation import orientation, transformed
from pinnml.errors import SettingsError


@dataclass(frozen=True, eq=False)
class Space:
    """The functions of an element on all cells, joined where cells meet.

    Cells may number their corners in any order. Raises SettingsError for an element that their kind does not have.
    """

    element: Element
    cells: Cells

    def __post_init__(self) -> None:
        self.element.on(self.cells.kind)

    def __repr__(self) -> str:
        return f"Space({self.element}, {len(self.cells)} cells of kind '{self.cells.kind.name}', size {self.size})"

    @property
    def size(self) -> int:
        """The number of degrees of freedom."""
        return self._numbers[1]

    @cached_property
    def dofs(self) -> Tensor:
        """The number of each local function's degree of freedom, (C, k): those of vertices, edges, faces, insides."""
        numbers = self._numbers[0]
        if self.element.family == "P" and self.element.degree > 2:  # below, none has a neighbour to be mistaken for
            # a Lagrange function that lies otherwise is another one of the same cell: its number moves instead
            moved, which = self._transformed(np.arange(numbers.shape[1])[:, None])
            numbers = np.take_along_axis(numbers, moved[..., 0].argsort(axis=1)[which], axis=1)
        return torch.from_numpy(numbers)

    @cached_property
    def turns(self) -> tuple[Tensor, Tensor] | None:
        """T (d, k, k) and which of them each cell has, (C,): local functions are T @ (functions on the reference cell).

        None for Lagrange elements, whose local functions are those of the reference cell.
        """
        if self.element.family == "P":
            return None
        matrices, which = self._transformed(np.eye(self._numbers[0].shape[1]))
        return torch.from_numpy(matrices), torch.from_numpy(which)

    @cached_property
    def nodes(self) -> Tensor:
        """Where the degrees of freedom of a Lagrange space are values, (size, s)."""
        if self.element.family != "P":
            cure = "take values of Lagrange elements, or moments of these"
            raise SettingsError("nodes", expected="a Lagrange space", got=self.element, cure=cure)
        points = np.array(self.element.on(self.cells.kind).points)
        places = mapped(self.cells, points, np.ones(len(points))).x
        return self._shared(places)

    def to_reference(self, coefficients: Tensor, cells: Tensor | None = None) -> Tensor:
        """The coefficients (c, k) of the functions on the reference cell, T^T those of the space (size,)."""
        local = coefficients[self.dofs if cells is None else self.dofs[cells]]
        if self.turns is None:
            return local
        matrices, which = self.turns
        return torch.einsum("ckl,ck->cl", matrices.to(local.dtype)[which if cells is None else which[cells]], local)

    def to_shared(self, local: Tensor, cells: Tensor | None = None) -> Tensor:
        """The coefficients (c, k) of the shared functions from those of the functions on the reference cell, T^-T."""
        if self.turns is None:
            return local
        matrices, which = self.turns
        inverses = torch.linalg.inv(matrices).to(local.dtype)
        return torch.einsum("clk,cl->ck", inverses[which if cells is None else which[cells]], local)

    def from_reference(self, local: Tensor) -> Tensor:
        """The coefficients (size,) of one function of the space from those on the reference cell, (C, k)."""
        return self._shared(self.to_shared(local))

    @cached_property
    def _numbers(self) -> tuple[np.ndarray, int]:
        """The numbers (C, k) of functions that all cells take alike, and how many there are."""
        element, kind, size = self.element.on(self.cells.kind), self.cells.kind, 0
        dofs = np.empty((len(self.cells), element.dim), dtype=np.int64)
        for dimension, local in enumerate(element.entity_dofs):
            local = np.array(local, dtype=np.int64)  # (entities of a cell, functions of an entity)
            if not local.size:
                continue
            inside = dimension == kind.dimension
            numbers = np.arange(len(self.cells))[:, None] if inside else self.cells.numbered(dimension)[0]
            dofs[:, local] = size + numbers[..., None] * local.shape[1] + np.arange(local.shape[1])
            size += (int(numbers.max()) + 1) * local.shape[1]
        return dofs, size

    def _transformed(self, functions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        element = self.element.on(self.cells.kind)
        return transformed(element, orientation(self.cells, element), functions)

    def _shared(self, local: Tensor) -> Tensor:
        """One value for each degree of freedom (size, ...), from those of cells (C, k, ...), alike where shared."""
        return local.flatten(end_dim=1)[self._first]

    @cached_property
    def _first(self) -> Tensor:
        """Where each degree of freedom stands first among the local functions of all cells, (size,)."""
        flat = self.dofs.flatten().numpy()
        first = np.empty(self.size, dtype=np.int64)
        first[flat[::-1]] = np.arange(len(flat))[::-1]  # of equal places the last one written stays
        return torch.from_numpy(first)
