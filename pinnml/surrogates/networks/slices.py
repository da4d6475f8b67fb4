"""Attention between slices of a mesh: every node hears of all others, at a cost that grows with the nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pinnml.surrogates.networks.base import GraphNetwork, check_heads
from pinnml.surrogates.networks.layers import linear, perceptron
from pinnml.validation import whole_number


@dataclass(frozen=True)
class Slices:
    """blocks of h += attention between slices(h), h += f(h): nodes share out to `slices` tokens a head, and back.

    A token is the mean of the nodes' values, weighted by a softmax over slices of each node; tokens attend to each
    other; nodes take back the tokens by the same weights. Without receptive field: global. Edges are not looked at.
    Source: Wu et al., Transolver (arXiv:2402.02366).
    """

    width: int = 64
    blocks: int = 4
    heads: int = 4
    slices: int = 32

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "heads", "slices"):
            whole_number(name, getattr(self, name))
        check_heads("Slices", self.width, self.heads)

    def build(
        self,
        inputs: int,
        edge_inputs: int,
        outputs: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device,
    ) -> GraphNetwork:
        """A fresh network."""
        return _Slices(self, inputs, edge_inputs, outputs, generator).to(device, dtype)


class _Slices(GraphNetwork):
    def __init__(self, settings: Slices, inputs: int, edge_inputs: int, outputs: int, generator: torch.Generator):
        super().__init__(inputs, edge_inputs)
        width = settings.width
        self.encoder = perceptron((inputs, width, width), generator, nn.GELU)
        self.blocks = nn.ModuleList(_Block(settings, generator) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(width, dtype=torch.float64)
        self.decoder = linear(width, outputs, generator)

    @property
    def reach(self) -> None:
        """Nodes hear of all others."""
        return

    def _outputs(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None) -> Tensor:
        h = self.encoder(x)
        for block in self.blocks:
            h = block(h, batch)
        return self.decoder(self.norm(h))


class _Block(nn.Module):
    def __init__(self, settings: Slices, generator: torch.Generator):
        super().__init__()
        width, self.heads = settings.width, settings.heads
        size = width // settings.heads
        self.before, self.after = (nn.LayerNorm(width, dtype=torch.float64) for _ in range(2))
        self.values, self.keys, self.back = (linear(width, width, generator) for _ in range(3))
        self.shares = linear(size, settings.slices, generator)
        self.sharpness = nn.Parameter(torch.full((settings.heads, 1, 1), 2.0, dtype=torch.float64))
        self.query, self.key, self.value = (linear(size, size, generator) for _ in range(3))
        self.update = perceptron((width, 2 * width, width), generator, nn.GELU)

    def forward(self, h: Tensor, batch: Tensor | None) -> Tensor:
        normal = self.before(h)
        heard = torch.cat([self._exchange(part) for part in graphs(normal, batch)])
        h = h + self.back(heard)
        return h + self.update(self.after(h))

    def _exchange(self, h: Tensor) -> Tensor:
        """What the nodes of graphs of one size (b, n, width) hear, (b n, width)."""
        values, keys = (layer(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.values, self.keys))
        shares = (self.shares(keys) * self.sharpness).softmax(dim=-1)  # (b, heads, n, slices)
        tokens = shares.mT @ values / (shares.sum(dim=2).unsqueeze(-1) + 1e-5)
        scores = self.query(tokens) @ self.key(tokens).mT / tokens.shape[-1] ** 0.5
        tokens = scores.softmax(dim=-1) @ self.value(tokens)
        return (shares @ tokens).transpose(1, 2).flatten(2).flatten(0, 1)


def graphs(h: Tensor, batch: Tensor | None) -> Iterator[Tensor]:
    """Values at nodes graph by graph, (b, n, width); those of one size together where all are."""
    if batch is None:
        yield h.unsqueeze(0)
        return
    sizes = torch.bincount(batch)
    if bool((sizes == sizes[0]).all()):
        yield h.view(len(sizes), -1, h.shape[1])
    else:
        yield from (part.unsqueeze(0) for part in h.split(sizes.tolist()))
