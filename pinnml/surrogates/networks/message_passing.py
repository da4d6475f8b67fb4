"""Message passing: encode, process, decode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pinnml.surrogates.networks.base import GraphNetwork
from pinnml.surrogates.networks.layers import linear, perceptron, summed
from pinnml.validation import flag, whole_number


@dataclass(frozen=True)
class MessagePassing:
    """steps rounds of h_i += f(h_i, sum over neighbours j of g(h_i, h_j, e_ij)), with f and g of one hidden layer.

    The encode-process-decode network of Pfaff et al., Learning mesh-based simulation with graph networks
    (arXiv:2010.03409), receptive field: `steps` hops. edge_states: whether edges have a state of their own that is
    updated too, e_ij += g(...), as there; without, what edges say is fixed, at about half the cost.
    """

    width: int = 32
    steps: int = 6
    edge_states: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "steps"):
            whole_number(name, getattr(self, name))
        flag("edge_states", self.edge_states)

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
        return _MessagePassing(self, inputs, edge_inputs, outputs, generator).to(device, dtype)


class _MessagePassing(GraphNetwork):
    def __init__(
        self, settings: MessagePassing, inputs: int, edge_inputs: int, outputs: int, generator: torch.Generator
    ):
        super().__init__(inputs, edge_inputs)
        width, self._steps, self._edge_states = settings.width, settings.steps, settings.edge_states
        self.encoder = perceptron((inputs, width, width), generator, nn.SiLU)
        self.edge_encoder = perceptron((edge_inputs, width, width), generator, nn.SiLU)
        self.rounds = nn.ModuleList(_Round(width, settings.edge_states, generator) for _ in range(settings.steps))
        self.decoder = perceptron((width, width, outputs), generator, nn.SiLU)

    @property
    def reach(self) -> int:
        """One hop a round."""
        return self._steps

    def on(self, edges: Tensor, edge_features: Tensor, batch: Tensor | None = None) -> Callable[[Tensor], Tensor]:
        """The network on a graph that stays, (m, width) for every round kept."""
        terms = tuple(self._of_edges(edge_features))
        return lambda x: self._by_terms(x, edges, terms)

    def _outputs(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None) -> Tensor:
        return self._by_terms(x, edges, self._of_edges(edge_features))

    def _of_edges(self, edge_features: Tensor) -> Iterator[Tensor]:
        """What edges say (m, width), round by round; what they begin with where they have a state."""
        e = self.edge_encoder(edge_features)
        if self._edge_states:
            yield e
        else:
            yield from (each.of_edge(e) for each in self.rounds)  # pyright: ignore[reportCallIssue]

    def _by_terms(self, x: Tensor, edges: Tensor, terms: Iterable[Tensor]) -> Tensor:
        h, terms = self.encoder(x), iter(terms)
        if self._edge_states:
            e = next(terms)
            for each in self.rounds:
                h, message = each(h, each.of_edge(e), edges)  # pyright: ignore[reportCallIssue]
                e = e + message
        else:
            for each, term in zip(self.rounds, terms, strict=True):
                h, _ = each(h, term, edges)
        return self.decoder(h)


class _Round(nn.Module):
    """One exchange with the neighbours. The first layer of g is split by its arguments, so that it acts on n nodes."""

    def __init__(self, width: int, edge_states: bool, generator: torch.Generator):
        super().__init__()
        self.of_source, self.of_target = linear(width, width, generator), linear(width, width, generator)
        self.of_edge = linear(width, width, generator)
        self.edge_update = linear(width, width, generator) if edge_states else None
        self.node_update = perceptron((2 * width, width, width), generator, nn.SiLU)
        self.before, self.after = nn.LayerNorm(width, dtype=torch.float64), nn.LayerNorm(width, dtype=torch.float64)

    def forward(self, h: Tensor, of_edge: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """States of nodes after an exchange (n, width), and the messages (m, width)."""
        (source, target), normal = edges, self.before(h)
        # in place, and not by brackets, which take four times as long: most of a round is memory
        message = of_edge + self.of_source(normal).index_select(0, source)
        message = nn.functional.silu(message.add_(self.of_target(normal).index_select(0, target)))
        if self.edge_update is not None:
            message = self.edge_update(message)
        heard = self.after(summed(message, target, len(h)))
        return h + self.node_update(torch.cat([normal, heard], dim=1)), message
