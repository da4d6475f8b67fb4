"""Networks of brackets: the energy of the latent state, the border of their settings."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from pinnml.errors import PinnmlError, SettingsError, ShapeError
from pinnml.surrogates.networks import Brackets
from pinnml.surrogates.networks.bracket_network import Scores
from pinnml.surrogates.networks.brackets import LARGEST_STEP, Operators, hamiltonian
from pinnml.surrogates.networks.cliques import cliques, paired
from pinnml.surrogates.networks.integrator import rk4
from tests.helpers.graphs import tensors, triangulated
from tests.helpers.networks_on_graphs import built, features


def test_frozen_attention_keeps_the_energy_and_live_attention_does_not():
    """Weights of trained size: the drift of frozen ones falls by 32 with the step, that of live ones stays."""
    edges, ways = tensors(*triangulated(200))
    there, back = paired(edges, 200)
    on = cliques(edges[:, there], 200, triangles=False)
    scores = Scores(6, 3, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in scores.parameters():
            parameter *= 3
    of_edges = scores.of_edges(ways, there, back)
    generator = torch.Generator().manual_seed(1)
    q = torch.randn((200, 2, 3), generator=generator, dtype=torch.float64)
    p = torch.randn((len(there), 2, 3), generator=generator, dtype=torch.float64)

    def operators(q: torch.Tensor) -> Operators:
        a1 = scores(on, q, of_edges).detach()
        return Operators.of(on, a1, a1[:0])

    def drift(steps: int, live: bool) -> float:
        first = operators(q)
        after = rk4(lambda s: hamiltonian(operators(s[0]) if live else first, *s), (q, p), 2.0, steps)
        last = operators(after[0]) if live else first
        return abs(float(last.energy(*after) / first.energy(q, p)) - 1)

    assert drift(10, live=False) / drift(20, live=False) == pytest.approx(32, rel=0.1)
    assert drift(20, live=False) < 1e-5
    assert drift(20, live=True) > 1e-2
    assert drift(20, live=True) == pytest.approx(drift(40, live=True), rel=1e-2)


def test_weights_of_attention_stay_within_bounds():
    edges, ways = tensors(*triangulated(50))
    there, back = paired(edges, 50)
    on = cliques(edges[:, there], 50, triangles=False)
    scores = Scores(4, 3, 1, torch.Generator().manual_seed(0))
    q = 1e6 * torch.randn((50, 1, 4), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    a1 = scores(on, q, scores.of_edges(ways, there, back))
    assert a1.shape == (len(there), 1, 1)
    assert a1.min().item() == pytest.approx(math.exp(-10))
    assert a1.max().item() == pytest.approx(math.exp(10))


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"steps": 1.5},
        {"heads": 0},
        {"time": 0.0},
        {"time": float("inf")},
        {"kind": "poisson"},
        {"attention": "warm"},
        {"width": 32, "heads": 3},
    ],
)
def test_settings_that_cannot_be_are_told(options: dict[str, Any]):
    with pytest.raises(PinnmlError, match=next(iter(options))):
        Brackets(**options)


@pytest.mark.parametrize("kind", LARGEST_STEP)
def test_steps_beyond_stability_are_refused_and_the_cure_is_right(kind):
    with pytest.raises(SettingsError, match="not stable") as caught:
        Brackets(kind=kind, steps=3, time=20.0)
    steps = int(str(caught.value).rpartition("raise steps to ")[2])
    Brackets(kind=kind, steps=steps, time=20.0)
    with pytest.raises(SettingsError):
        Brackets(kind=kind, steps=steps - 1, time=20.0)


def test_an_edge_in_one_direction_is_refused():
    network = built(Brackets(8))
    edges, ways = tensors(*triangulated(20))
    with pytest.raises(ShapeError, match="direction"):
        network(features(20), edges[:, 1:], ways[1:])


def test_an_edge_from_a_node_to_itself_does_not_count_twice():
    """It has no gradient; the encoder hears of it as of any neighbour."""
    edges = torch.tensor([[0, 1, 0], [1, 0, 0]])
    there, _ = paired(edges, 2)
    on = cliques(edges[:, there], 2, triangles=True)
    assert on.edges.tolist() == [[0], [1]]
    assert on.around(torch.ones(1)).tolist() == [1, 1]
