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

    def __init__(self, functions: Basis, network: Network):
        super().__init__()
        self._parts = (functions, network)  # in a tuple, so that PyTorch counts no parameters of theirs
        orders = [basis.highest_order for basis in (functions, network.basis) if basis.highest_order is not None]
        self.highest_order = min(orders, default=None)

    @property
    def size(self) -> int:
        """The number of further functions and of outputs."""
        functions, network = self._parts
        return functions.size + network.coef.shape[1]

    @property
    def numbers(self) -> int:
        """Those of both."""
        return sum(basis.numbers for basis in (self._parts[0], self._parts[1].basis))

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """The functions, then the outputs."""
        functions, network = self._parts
        with torch.no_grad():
            both = [functions(x).coefficients, network(x).coefficients]
        return Jet(x.indices, torch.cat(both, dim=-1))


def enriched(functions: Basis, network: Network) -> Network:
    """The network with further functions beside it, which begin at zero."""
    coef = network.coef.detach()
    functions = functions.to(coef.device, coef.dtype)
    identity = torch.eye(coef.shape[1], dtype=coef.dtype, device=coef.device)
    start = torch.cat([coef.new_zeros((functions.size, coef.shape[1])), identity])
    return Network(network.inputs, Enriched(functions, network), start)
