"""The directions in which a network can move: the derivatives of its outputs by its own parameters."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from pinnml.calculus import Axes, Jet, total_order, with_gradients
from pinnml.domains import Sample
from pinnml.networks import Basis, Network, Trace
from pinnml.system.jacobian import fill, hidden_links
from pinnml.system.theta import Layout

#: Parameters in front of the head at most, times the outputs: those next to the head, by whole tensors.
MOST = 4000
#: Derivatives of which others make all but this part are left out.
FLOOR = 1e-10


class Tangents(Basis):
    """Some of the functions of a network, and of d u_o / d theta_j, the derivatives of its outputs by what is hidden.

    Inputs (K, n, e) are those of the network; functions (K, n, q). part: the hidden parameters, as they lie in theta.
    chosen (q,): which of `derivatives`.
    """

    def __init__(self, network: Network, part: slice, chosen: Tensor):
        super().__init__()
        self._parts = (network, part, chosen)  # in a tuple, so that PyTorch counts no parameters of theirs
        self.highest_order = network.basis.highest_order

    @property
    def size(self) -> int:
        """The number of those that are chosen."""
        return len(self._parts[2])

    @property
    def numbers(self) -> int:
        """All of them, before any is chosen."""
        network, part, _ = self._parts
        return network.coef.shape[1] * (part.stop - part.start) + network.basis.size

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """Those that are chosen."""
        network, part, chosen = self._parts
        return Jet(x.indices, derivatives(network, part, x)[..., chosen])


def tangents(network: Network, axes: Axes, sample: Sample, count: int) -> Tangents:
    """As many as `count` that together reach most of all others on a sample, each taken as of length one there.

    Fewer where these reach all. Where there are many parameters, of those next to the head.
    """
    part = _next_to_the_head(Layout(network, ()), network.coef.shape[1])
    values = derivatives(network, part, network.inputs(sample.x, total_order(axes, 0)))[0]
    values = values * sample.weight.sqrt().unsqueeze(1)
    length = torch.linalg.vector_norm(values, dim=0)
    values /= torch.where(length > 0, length, torch.ones_like(length))
    factors = scipy.linalg.qr(values.cpu().numpy(), mode="economic", pivoting=True, check_finite=False)
    _, r, order = factors  # pyright: ignore[reportAssignmentType]
    pivots = np.abs(r.diagonal())
    chosen = order[: min(count, int((pivots > FLOOR * pivots[0]).sum()))]
    return Tangents(network, part, torch.from_numpy(chosen.astype(np.int64)).to(values.device))


@with_gradients
def derivatives(network: Network, part: slice, x: Jet) -> Tensor:
    """D u_o / d theta_j for every output o and each parameter j of a part, then the functions, (K, n, m p + k)."""
    x = Jet(x.indices, x.coefficients.clone())  # which nothing holds back from being differentiated
    found = (_traced if network.basis.one_pass else _differentiated)(network, part, x)  # (K, n, m, p)
    functions = network.basis(x).coefficients.detach()
    return torch.cat([found.flatten(start_dim=2), functions], dim=-1)


def _traced(network: Network, part: slice, x: Jet) -> Tensor:
    """From the links that a forward pass leaves, one reverse pass for each derivative of each output."""
    trace, coef = Trace(), network.coef.detach()
    outputs = network.basis(x, trace).coefficients @ coef
    links = hidden_links(trace, Layout(network, ()).columns, part)
    found, one = outputs.new_zeros((*outputs.shape, part.stop - part.start)), outputs.new_ones(outputs.shape[1])
    if links:
        for k, rows in enumerate(outputs):
            for o in range(outputs.shape[2]):
                fill(rows[:, o], one, links, found[k, :, o])
    return found


def _differentiated(network: Network, part: slice, x: Jet) -> Tensor:
    """The same for a basis that leaves no trace: reverse mode through the whole."""
    layout = Layout(network, ())
    theta = torch.cat([p.detach().reshape(-1) for p in network.basis.parameters()])

    def outputs(values: Tensor) -> Tensor:
        whole = torch.cat([theta[: part.start], values, theta[part.stop :], network.coef.detach().reshape(-1)])
        hidden = layout.parts(whole).hidden
        return torch.func.functional_call(network.basis, hidden, (x,)).coefficients @ network.coef.detach()

    return torch.func.jacrev(outputs)(theta[part]).detach()


def _next_to_the_head(layout: Layout, outputs: int) -> slice:
    """The last hidden parameters, as many whole tensors as there may be."""
    start = layout.hidden.stop
    for place in reversed(layout.columns.values()):
        if (layout.hidden.stop - place.start) * outputs > MOST:
            break
        start = place.start
    return slice(start, layout.hidden.stop)
