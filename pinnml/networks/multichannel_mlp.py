"""What users choose of a network of splines in the power-ReLU basis."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.networks.edges import PowerReLUs
from pinnml.networks.knots import Knots
from pinnml.networks.nesting import change_of_basis, check_digits
from pinnml.networks.settings import Specification
from pinnml.networks.spline_layers import SplineLayers
from pinnml.networks.spline_network import SplineNetwork


@dataclass(frozen=True)
class MultichannelMLP(SplineNetwork):
    """Settings of the same network in the power-ReLU basis: a perceptron with N channels for each node.

    Options as of KAN but for trained knots, and from the same seed the same function; the geometry that a gradient
    solver sees is another (arXiv:2603.04827, section 3), worse conditioned. Raises SettingsError for settings that
    cannot be, and where rounding would lose more than a thousandth of a spline, in double precision a ten-millionth,
    here and on finer levels.
    """

    def _basis_and_head(self, wanted: Specification) -> tuple[SplineLayers, Tensor]:
        for knots in self._knots():
            check_digits(knots, wanted.dtype)
        return super()._basis_and_head(wanted)

    def _edges(self, knots: Knots, inputs: int, outputs: int | None) -> PowerReLUs:
        return PowerReLUs(knots.t, self.order, inputs)

    def _drawn(self, knots: Knots, inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
        """W = A^T u on every edge, from weights u of B-splines, as the functions are scaled by h^(1-r)."""
        u = super()._drawn(knots, inputs, outputs, generator).view(inputs, knots.size, outputs)
        a = knots.spacing ** (self.order - 1) * change_of_basis(knots)
        return torch.einsum("piq,ij->pjq", u, a).flatten(end_dim=1)
