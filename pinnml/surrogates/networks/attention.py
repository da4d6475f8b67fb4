"""Graph attention: every node weighs what its neighbours say, by softmax or by steps of descent of an energy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pinnml.surrogates.networks.base import GraphNetwork, check_heads
from pinnml.surrogates.networks.descent import Regression, with_itself
from pinnml.surrogates.networks.layers import linear, perceptron, softmax, summed
from pinnml.validation import flag, settle, whole_number


@dataclass(frozen=True)
class GraphAttention:
    """Encoder, `depth` blocks of attention among neighbours, decoder; the latter act node by node.

    A block: h_i += O sum_j softmax_j(Q h_i . K h_j / sqrt(c) + a(e_ij)) (V h_j + U e_ij) over a node and its
    neighbours, h += f(h), of layer norms of h; it reaches one hop. descent: blocks without f and with one matrix, which
    are steps of descent of an energy (see `descent`): it falls at every block. They reach two hops each. width:
    channels at a node, of which each of the `heads` has its own. Raises SettingsError.
    """

    width: int = 32
    depth: int = 4
    heads: int = 4
    descent: bool = False

    def __post_init__(self) -> None:
        settle(self, whole_number, "width", "depth", "heads")
        settle(self, flag, "descent")
        check_heads("GraphAttention", self.width, self.heads)

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
        kind = _Descent if self.descent else _Attention
        return kind(self, inputs, edge_inputs, outputs, generator).to(device, dtype)


class _Attention(GraphNetwork):
    def __init__(
        self, settings: GraphAttention, inputs: int, edge_inputs: int, outputs: int, generator: torch.Generator
    ):
        super().__init__(inputs, edge_inputs)
        width, self._depth = settings.width, settings.depth
        self.encoder = perceptron((inputs, width, width), generator, nn.SiLU)
        self.blocks = nn.ModuleList(
            _Block(width, edge_inputs, settings.heads, generator) for _ in range(settings.depth)
        )
        self.norm = nn.LayerNorm(width, dtype=torch.float64)
        self.decoder = perceptron((width, width, outputs), generator, nn.SiLU)

    @property
    def reach(self) -> int:
        """One hop a block."""
        return self._depth

    def _outputs(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None) -> Tensor:
        pairs = with_itself(edges, len(x))
        features = torch.cat([edge_features, edge_features.new_zeros((len(x), self.edge_inputs))])
        h = self.encoder(x)
        for block in self.blocks:
            h = block(h, pairs, features)
        return self.decoder(self.norm(h))


class _Block(nn.Module):
    def __init__(self, width: int, edge_inputs: int, heads: int, generator: torch.Generator):
        super().__init__()
        self.heads = heads
        self.before, self.after = (nn.LayerNorm(width, dtype=torch.float64) for _ in range(2))
        self.query, self.key = (linear(width, width, generator, bias=False) for _ in range(2))
        self.value, self.back = (linear(width, width, generator) for _ in range(2))
        self.score = perceptron((edge_inputs, width, heads), generator, nn.SiLU)
        self.said = linear(edge_inputs, width, generator, bias=False)
        self.update = perceptron((width, 2 * width, width), generator, nn.SiLU)

    def forward(self, h: Tensor, pairs: Tensor, features: Tensor) -> Tensor:
        (source, target), n, normal = pairs, len(h), self.before(h)
        query, key, value = (layer(normal) for layer in (self.query, self.key, self.value))
        alike = (query[target] * key[source]).unflatten(1, (self.heads, -1))
        scores = alike.sum(dim=2) / alike.shape[2] ** 0.5 + self.score(features)
        said = (value[source] + self.said(features)).unflatten(1, (self.heads, -1))
        heard = summed(softmax(scores, target, n).unsqueeze(2) * said, target, n).flatten(1)
        h = h + self.back(heard)
        return h + self.update(self.after(h))


class _Descent(GraphNetwork):
    """The targets are a softmax over neighbours of what edges say, the same at all steps."""

    def __init__(
        self, settings: GraphAttention, inputs: int, edge_inputs: int, outputs: int, generator: torch.Generator
    ):
        super().__init__(inputs, edge_inputs)
        width, self.heads, self._depth = settings.width, settings.heads, settings.depth
        self.encoder = perceptron((inputs, width, width), generator, nn.SiLU)
        self.target = perceptron((edge_inputs, width, settings.heads), generator, nn.SiLU)
        size = width // settings.heads
        root = torch.randn((settings.heads, size, size), generator=generator, dtype=torch.float64)
        self.root = nn.Parameter(root / size**0.5)
        self.decoder = perceptron((width, width, outputs), generator, nn.SiLU)

    @property
    def reach(self) -> int:
        """Two hops a step: the attention of neighbours, and those of theirs in it."""
        return 2 * self._depth

    def regression(self, edges: Tensor, edge_features: Tensor, n: int) -> Regression:
        """The energy that the steps lower."""
        pairs = with_itself(edges, n)
        features = torch.cat([edge_features, edge_features.new_zeros((n, self.edge_inputs))])
        return Regression(pairs, softmax(self.target(features), pairs[1], n), self.root)

    def _outputs(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None) -> Tensor:
        regression = self.regression(edges, edge_features, len(x))
        z = self.encoder(x).unflatten(1, (self.heads, -1))
        for _ in range(self._depth):
            z = regression.descended(z)
        return self.decoder(z.flatten(1))
