"""Finite-element fields in the place of a network's: what makes them callable, and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Jet
from pinnml.domains import Grid
from pinnml.elements.discretisation import Discretisation
from pinnml.elements.point_location import Locator
from pinnml.elements.tabulation import at_places
from pinnml.errors import MissingDerivativeError, SettingsError
from pinnml.networks import Basis, Inputs, Network, Trace

#: The kind of network that a record of finite-element fields names.
FINITE_ELEMENTS = "finite elements"


class ElementBasis(Basis):
    """All finite-element functions of all fields: their numbers are the head, coef (N, 1)."""

    def __init__(self, parts: Discretisation, bounds: np.ndarray):
        super().__init__()
        self._parts, self._bounds = parts, torch.from_numpy(bounds)
        self._locator = Locator(parts.mesh.cells)
        self.highest_order = int(all(parts.is_nodal(field) for field in parts.problem.fields))

    @property
    def size(self) -> int:
        """N."""
        return self._parts.size

    @property
    def settled(self) -> Mapping[str, Any]:
        """The elements, as plain words."""
        return {"elements": {name: [s.element.family, s.element.degree] for name, s in self._parts.spaces.items()}}

    def grid(self) -> Grid:
        """Cells of the highest degree of the elements."""
        mesh, degree = self._parts.mesh, max(space.element.degree for space in self._parts.spaces.values())
        return mesh.grid_of(max(degree, mesh.cells.kind.degree))

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """Every function at every point, of which nearly all are zero, is not to be had."""
        cure = "choose a network for solvers of the strong form"
        raise SettingsError("finite elements are no network", expected="the weak form", got="collocation", cure=cure)

    def outputs(self, x: Jet, coef: Tensor) -> Jet:
        """The fields at places x (K, n, d) of the unit box: values, and slopes of Lagrange elements, (K, n, m)."""
        low, high = self._bounds.T
        places = (low + (high - low) * x.value.cpu()).numpy()
        cell, reference = (torch.from_numpy(array) for array in self._locator(places))
        columns = []
        for field in self._parts.problem.fields:
            space, start = self._parts.spaces[field.name], self._parts.starts[field.name]
            for number in range(field.components if self._parts.is_nodal(field) else 1):
                own = coef[start + number * space.size :][: space.size, 0].cpu()
                rows = at_places(space, own, cell, reference)
                columns += [rows] if self._parts.is_nodal(field) else rows[: field.components].unsqueeze(1)
        return Jet(x.indices, torch.stack([_chosen(rows, x) for rows in columns], dim=-1).to(coef))


def _chosen(rows: Tensor, x: Jet) -> Tensor:
    """Of value and slopes (a, n) those that are asked for, (K, n)."""
    axes = x.axes
    carried = [(0,) * len(axes.names), *(tuple(int(name == axis) for name in axes.names) for axis in axes.space)]
    carried = carried[: len(rows)]
    if lost := [index for index in x.indices.indices if index not in carried]:
        raise MissingDerivativeError(
            f"fields of these elements have no derivative {axes.word(lost[0])}",
            expected="values" + (f" and slopes along {', '.join(axes.space)}" if len(rows) > 1 else ""),
            got=axes.word(lost[0]),
            cure="integrate by parts, or ask for less",
        )
    return torch.stack([rows[carried.index(index)] for index in x.indices.indices])


def element_network(parts: Discretisation, u: Tensor) -> Network:
    """Fields with numbers u (N,), to be called as those of a network are."""
    domain = parts.problem.domain
    return Network(Inputs(domain), ElementBasis(parts, domain.bounds), u.unsqueeze(1)).requires_grad_(False)
