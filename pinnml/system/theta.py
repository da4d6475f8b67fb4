"""Theta, the one real vector that solvers move: where in it every parameter lies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.networks import Network


@dataclass(frozen=True)
class Parts:
    """theta taken apart: the basis' own parameters, the problem's, and the head (k, m)."""

    hidden: dict[str, Tensor]
    parameters: dict[str, Tensor]
    coef: Tensor


class Layout:
    """theta (P,) = (hidden parameters of the basis, the problem's trainable parameters, head).

    columns: the place of each parameter in front of the head by name, the problem's as `problem.<name>`. hidden: all of
    these; own: the problem's alone; head: what follows; all: everything.
    """

    def __init__(self, network: Network, parameters: tuple[str, ...]):
        self._parameters, self._head = parameters, network.coef.shape
        self._shapes = {name: p.shape for name, p in network.basis.named_parameters()}
        sizes = {name: shape.numel() for name, shape in self._shapes.items()}
        sizes |= {f"problem.{name}": 1 for name in parameters}
        self.columns: dict[str, slice] = {}
        start = 0
        for name, size in sizes.items():
            self.columns[name] = slice(start, start + size)
            start += size
        self.size = start + self._head.numel()
        self.own, self.hidden = slice(start - len(parameters), start), slice(0, start)
        self.head, self.all = slice(start, self.size), slice(0, self.size)

    def parts(self, theta: Tensor) -> Parts:
        """Views of theta by name."""
        hidden = {name: theta[self.columns[name]].view(shape) for name, shape in self._shapes.items()}
        parameters = {name: theta[self.columns[f"problem.{name}"]].squeeze() for name in self._parameters}
        return Parts(hidden, parameters, theta[self.head].view(self._head))


def theta_of(network: Network, parameters: list[float]) -> Tensor:
    """Theta as a network stands and the problem's parameters are, (P,)."""
    own = torch.tensor(parameters, dtype=network.coef.dtype, device=network.coef.device)
    hidden = [p.detach().reshape(-1) for _, p in network.basis.named_parameters()]
    return torch.cat([*hidden, own, network.coef.detach().reshape(-1)])
