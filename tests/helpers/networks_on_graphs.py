"""All networks on graphs, small, and what they are given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pinnml.surrogates.networks import Brackets, GraphAttention, GraphNetwork, MessagePassing, Slices

INPUTS, EDGE_INPUTS, OUTPUTS = 3, 3, 2
NETWORKS: dict[str, Any] = {
    "message passing": MessagePassing(8, steps=3),
    "message passing with states of edges": MessagePassing(8, steps=2, edge_states=True),
    "slices": Slices(8, blocks=2, heads=2, slices=4),
    **{
        f"{attention} {kind} bracket": Brackets(8, kind, steps=1, time=1.0, attention=attention)
        for kind in ("hamiltonian", "gradient", "double", "metriplectic")
        for attention in ("frozen", "live")
    },
    "attention": GraphAttention(8, depth=3, heads=2),
    "attention by descent": GraphAttention(8, depth=2, heads=2, descent=True),
    "two steps of a bracket": Brackets(6, steps=2, time=2.0, heads=3),
}


def built(settings: Any, seed: int = 0, dtype: torch.dtype = torch.float64) -> GraphNetwork:
    generator = torch.Generator().manual_seed(seed)
    return settings.build(INPUTS, EDGE_INPUTS, OUTPUTS, generator, dtype, torch.device("cpu"))


def features(n: int, seed: int = 0) -> Tensor:
    return torch.randn((n, INPUTS), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
