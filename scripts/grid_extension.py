"""A baseline for refinement: the grid extension of pykan, which fits finer splines to samples of the coarse ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml import Multilevel
from pinnml.calculus import Jet
from pinnml.networks.spline_layers import SplineLayers
from pinnml.system import System

#: By singular values: splines that meet no sample make the fits singular, which "gelsy" may answer with zeros.
DRIVER = "gelsd"


@dataclass(frozen=True, kw_only=True)
class GridExtension(Multilevel):
    """Levels whose edge functions are fitted by least squares to the values they had, each solver begun anew.

    At the arguments that the samples bring about the functions stay as they are; where there are none they are lost.
    """

    transfer: bool = False

    def refine(self, system: System, theta: Tensor) -> tuple[System, Tensor, Callable[[Tensor], Tensor]]:
        """The next level, with fits in place of the same functions."""
        fine, theta, prolong = super().refine(system, theta)
        return fine, fitted(fine, theta), prolong


def fitted(system: System, theta: Tensor) -> Tensor:
    """Theta with every spline replaced by the shortest least-squares fit to its values at the samples."""
    network = system.network_at(theta)
    basis = network.basis
    assert isinstance(basis, SplineLayers)
    indices = system.inputs.indices
    weights = [*list(basis.weights)[basis.linear_first :], network.coef]
    for (edges, values), weight in zip(basis.arguments(system.inputs), weights, strict=True):
        functions = edges.features(Jet(indices, values.unsqueeze(0)), None, "").coefficients[0]
        for part in torch.arange(len(weight)).split(edges.size):
            columns = functions[:, part]
            weight[part] = torch.linalg.lstsq(columns, columns @ weight[part], driver=DRIVER).solution
    return system.with_network(network).initial()
