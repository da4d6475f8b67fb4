"""Networks that follow each other in time, as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pinnml.calculus import Axes, IndexSet, Jet, coordinate_jets
from pinnml.networks.base import Basis, Inputs, Network, Trace


class Coordinates(Inputs):
    """The coordinates as they are: networks on windows have inputs of their own."""

    def __init__(self, axes: Axes):
        self._axes, self.extras, self.size = axes, 0, len(axes.names)

    def __call__(self, x: Tensor, indices: IndexSet) -> Jet:
        """The coordinates at x (n, d), as a jet (K, n, d)."""
        return Jet(indices, torch.stack([jet.coefficients for jet in coordinate_jets(indices, x)], dim=-1))

    @property
    def groups(self) -> list[list[int]]:
        """Every coordinate is one for itself."""
        return [[place] for place in range(self.size)]


class Windows(Basis):
    """The outputs of one of several networks: that in whose window of time (edges[i], edges[i + 1]] a point lies.

    edges (k + 1,): ascending; a point on an edge belongs to the earlier window, one before or behind all windows to
    the nearest. Inputs (K, n, d) are the coordinates, of which number `time` is time; outputs (K, n, m). Derivatives
    are those of the point's own network: across an edge they may jump by as much as the networks are apart there.
    """

    one_pass = False

    def __init__(self, networks: Sequence[Network], edges: Sequence[float], time: int):
        super().__init__()
        assert len(edges) == len(networks) + 1
        assert all(low < high for low, high in pairwise(edges))
        self.parts, self.edges, self._time = nn.ModuleList(networks), tuple(map(float, edges)), time
        orders = [part.basis.highest_order for part in networks if part.basis.highest_order is not None]
        self.highest_order = min(orders, default=None)

    @property
    def size(self) -> int:
        """The number of outputs, m."""
        first = self.parts[0]
        assert isinstance(first, Network)
        return first.coef.shape[1]

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks in the order of their windows."""
        return tuple(part for part in self.parts if isinstance(part, Network))

    def window(self, t: Tensor) -> Tensor:
        """The number (n,) of the window to which each time (n,) belongs."""
        return torch.searchsorted(t.new_tensor(self.edges[1:-1]), t.contiguous(), side="left")

    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """The outputs, of every network at its own points."""
        points, found = x.value, None
        window = self.window(points[:, self._time])
        for number, network in enumerate(self.networks):
            place = (window == number).nonzero().flatten()
            if not len(place):
                continue
            own = network(network.inputs(points[place], x.indices)).coefficients
            found = own.new_zeros((own.shape[0], len(points), own.shape[2])) if found is None else found
            found = found.index_copy(1, place, own)
        assert found is not None
        return Jet(x.indices, found)


def joined_in_time(networks: Sequence[Network], edges: Sequence[float], axes: Axes, time: str) -> Network:
    """One network of several, each on its window of time; its head is the identity."""
    coef = networks[0].coef
    head = torch.eye(coef.shape[1], dtype=coef.dtype, device=coef.device)
    joined = Network(Coordinates(axes), Windows(networks, edges, axes.position(time)), head)
    return joined.requires_grad_(False)
