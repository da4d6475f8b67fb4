"""A network with further functions beside it: the space of a second solve."""

from __future__ import annotations

import torch

from pinnml.calculus import Jet
from pinnml.networks.base import Basis, Network, Trace


class Enriched(Basis):
    """Further functions, and behind them the outputs of a network: nothing hidden is trained.

    Inputs (K, n, e) are those of the network; functions (K, n, k + m). The head (0, I) of `start` is the network
    itself.
    """

    def __init__(self, network: Network, *functions: Basis):
        super().__init__()
        self._parts = (*functions, network)  # in a tuple, so that PyTorch counts no parameters of theirs
        orders = [basis.highest_order for basis in (*functions, network.basis) if basis.highest_order is not None]
        self.highest_order = min(orders, default=None)

    @property
    def size(self) -> int:
        """The number of further functions and of outputs."""
        *functions, network = self._parts
        return sum(each.size for each in functions) + network.coef.shape[1]

    @property
    def numbers(self) -> int:
        """Those of both."""
        *functions, network = self._parts
        return sum(basis.numbers for basis in (*functions, network.basis))

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """The functions, then the outputs."""
        with torch.no_grad():
            return Jet(x.indices, torch.cat([part(x).coefficients for part in self._parts], dim=-1))


def enriched(network: Network, *functions: Basis) -> Network:
    """The network with further functions beside it, which begin at zero."""
    coef = network.coef.detach()
    functions = tuple(each.to(coef.device, coef.dtype) for each in functions)
    identity = torch.eye(coef.shape[1], dtype=coef.dtype, device=coef.device)
    further = sum(each.size for each in functions)
    start = torch.cat([coef.new_zeros((further, coef.shape[1])), identity])
    return Network(network.inputs, Enriched(network, *functions), start)
