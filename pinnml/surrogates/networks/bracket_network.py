"""Networks whose layers are steps of bracket dynamics with attention for weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pinnml.errors import SettingsError
from pinnml.surrogates.networks.base import GraphNetwork, check_heads
from pinnml.surrogates.networks.brackets import BRACKETS, LARGEST_STEP, Operators, metriplectic
from pinnml.surrogates.networks.cliques import Cliques, cliques, paired
from pinnml.surrogates.networks.integrator import State, rk4
from pinnml.surrogates.networks.layers import NeighbourMean, linear, perceptron
from pinnml.validation import choice, positive, settle, whole_number

#: Scores are kept within this, so that no weight is zero or infinite; each by itself, or edges far away would count.
BOUND = 10.0
#: Attention begins nearly uniform: first queries and keys are this small beside the nodes' states.
FIRST = 0.3


@dataclass(frozen=True)
class Brackets:
    """Encoder, `steps` steps of RK4 of a bracket until `time`, decoder.

    kind: "hamiltonian" keeps an energy of the latent state, "gradient" and "double" let it fall, "metriplectic" keeps
    it and lets an entropy grow (see `brackets`). attention: "frozen" weights are computed once from the encoded state,
    and what is said of energies holds; "live" ones from the state of every stage, and it does not. width: latent
    channels at a node, of which each of the `heads` weighs its own.

    Encoder and decoder reach one hop each, a step 2 hops for "hamiltonian" with frozen attention and 4 for others;
    "metriplectic" is global. Raises SettingsError, for steps at which RK4 is not stable too.
    Source: arXiv:2305.15616, with a head for each part of the channels in place of their mean, scores that look at edge
    features as well and are bounded, and fixed steps.
    """

    width: int = 32
    kind: str = "hamiltonian"
    steps: int = 4
    time: float = 4.0
    attention: str = "frozen"
    heads: int = 2

    def __post_init__(self) -> None:
        settle(self, whole_number, "width", "steps", "heads")
        settle(self, positive, "time")
        choice("kind of brackets", self.kind, LARGEST_STEP)
        choice("attention", self.attention, ("frozen", "live"))
        check_heads("Brackets", self.width, self.heads)
        if self.time / self.steps > (largest := LARGEST_STEP[self.kind]):
            expected = f"steps of {largest:g} at most for {self.kind!r}, beyond which RK4 is not stable"
            got, cure = f"time / steps = {self.time / self.steps:g}", f"raise steps to {-int(-self.time // largest)}"
            raise SettingsError("Brackets", expected=expected, got=got, cure=cure)

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
        return _Brackets(self, inputs, edge_inputs, outputs, generator).to(device, dtype)


class _Brackets(GraphNetwork):
    """q0 and p0 = d0 q0 + W (g(e_ij) - g(e_ji)), which is the same whichever end of an edge is its tail."""

    def __init__(self, settings: Brackets, inputs: int, edge_inputs: int, outputs: int, generator: torch.Generator):
        super().__init__(inputs, edge_inputs)
        self.settings, width = settings, settings.width
        self.encoder = NeighbourMean(inputs, edge_inputs, width, width, generator)
        self.scores = Scores(width, edge_inputs, settings.heads, generator)
        if settings.kind != "gradient":  # where edges have no part in what nodes do
            self.edge_encoder = linear(edge_inputs, width, generator)
            self.at_edges = linear(width, width, generator, bias=False)
        if settings.kind == "metriplectic":
            self.whirls = Whirls(width, settings.heads, generator)
            self.source = nn.Parameter(torch.ones((settings.heads, width // settings.heads), dtype=torch.float64))
        self.decoder = NeighbourMean(width, edge_inputs, width, outputs, generator)

    @property
    def reach(self) -> int | None:
        """A hop of the encoder, one of the decoder, and those of the steps."""
        if self.settings.kind == "metriplectic":
            return None
        narrow = self.settings.kind == "hamiltonian" and self.settings.attention == "frozen"
        return (2 if narrow else 4) * self.settings.steps + 2

    def _outputs(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None) -> Tensor:
        settings = self.settings
        there, back = paired(edges, len(x))
        on = cliques(edges[:, there], len(x), batch, triangles=settings.kind == "metriplectic")
        q = self.encoder(x, edges, edge_features).unflatten(1, (settings.heads, -1))
        of_edges = self.scores.of_edges(edge_features, there, back)
        frozen = self._weighed(on, q, of_edges) if settings.attention == "frozen" else None

        def rate(state: State) -> State:
            operators, whirl = frozen or self._weighed(on, state[0], of_edges)
            if whirl is not None:
                return metriplectic(operators, state[0], state[1], self.source, whirl)
            if settings.kind == "gradient":
                return (-operators.gradient_adjoint(operators.gradient(state[0])),)
            return BRACKETS[settings.kind](operators, state[0], state[1])

        state = (q,)
        if settings.kind != "gradient":
            encoded = torch.tanh(self.edge_encoder(edge_features))
            odd = self.at_edges(encoded[there] - encoded[back])
            state = (q, on.gradient(q) + odd.unflatten(1, (settings.heads, -1)))
        q = rk4(rate, state, settings.time, settings.steps)[0]
        return self.decoder(q.flatten(1), edges, edge_features)

    def _weighed(self, on: Cliques, q: Tensor, of_edges: Tensor) -> tuple[Operators, Tensor | None]:
        """The operators whose weights are those of a state, and the whirl where there is one."""
        a1 = self.scores(on, q, of_edges)
        if self.settings.kind == "metriplectic":
            a2, whirl = self.whirls(on, q)
            return Operators.of(on, a1, a2), whirl
        return Operators.of(on, a1, a1[:0]), None


class Scores(nn.Module):
    """A1 = exp(s_ij), s_ij = (Q q_i . K q_j + Q q_j . K q_i + h(e_ij) + h(e_ji)) / 2, head by head, (E, heads, 1)."""

    def __init__(self, width: int, edge_inputs: int, heads: int, generator: torch.Generator):
        super().__init__()
        self.heads = heads
        self.query, self.key = (linear(width, width, generator, FIRST) for _ in range(2))
        self.edge = perceptron((edge_inputs, width, heads), generator)

    def of_edges(self, edge_features: Tensor, there: Tensor, back: Tensor) -> Tensor:
        """What the features of an edge add to its score, the same in both directions, (E, heads)."""
        found = self.edge(edge_features)
        return (found[there] + found[back]) / 2

    def forward(self, on: Cliques, q: Tensor, of_edges: Tensor) -> Tensor:
        """A1 of a state q (n, heads, c)."""
        (tail, head), flat = on.edges, q.flatten(1)
        query, key = (layer(flat).unflatten(1, (self.heads, -1)) for layer in (self.query, self.key))
        return _weights((query[tail] * key[head] + query[head] * key[tail]).sum(dim=2) / 2 + of_edges)


class Whirls(nn.Module):
    """A2 (T, heads, 1) and w (T, heads, c) of triangles, from t_ijk = (Q q_i) (K q_j) (V q_k) by channel.

    A2 = exp of the mean of sum_c t_c over the six orders of a triangle; w = tanh of the mean of t with the sign of the
    order, which changes with the sense of rotation.
    """

    def __init__(self, width: int, heads: int, generator: torch.Generator):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (linear(width, width, generator, FIRST) for _ in range(3))

    def forward(self, on: Cliques, q: Tensor) -> tuple[Tensor, Tensor]:
        """A2 and w of a state q (n, heads, c)."""
        layers = (self.query, self.key, self.value)
        query, key, value = (layer(q.flatten(1)).unflatten(1, (self.heads, -1)) for layer in layers)
        i, j, k = on.corners
        turns = ((i, j, k), (j, k, i), (k, i, j))
        there = torch.stack([query[a] * key[b] * value[c] for a, b, c in turns]).sum(dim=0) / 6
        back = torch.stack([query[b] * key[a] * value[c] for a, b, c in turns]).sum(dim=0) / 6
        return _weights((there + back).sum(dim=2)), torch.tanh(there - back)


def _weights(scores: Tensor) -> Tensor:
    return (BOUND * torch.tanh(scores / BOUND)).exp().unsqueeze(2)
