"""The border of networks on graphs: shapes that do not fit are told by name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pinnml.errors import ShapeError
from pinnml.surrogates.networks import GraphNetwork


class Neighbours(GraphNetwork):
    """The sum of the neighbours' features."""

    reach = 1

    def _outputs(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None) -> Tensor:
        return torch.zeros_like(x).index_add(0, edges[1], x[edges[0]])


EDGES = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])


def test_messages_go_from_source_to_target():
    x = torch.tensor([[1.0, 0.0], [2.0, 5.0], [4.0, 0.0]])
    outputs = Neighbours(2, 0)(x, EDGES, torch.zeros(4, 0), torch.zeros(3, dtype=torch.long))
    assert outputs.tolist() == [[2, 5], [5, 0], [2, 5]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", torch.zeros(3, 4)),
        ("x", torch.zeros(3)),
        ("edges", EDGES.T),
        ("edge_features", torch.zeros(4, 1)),
        ("edge_features", torch.zeros(3, 0)),
        ("batch", torch.zeros(2, dtype=torch.long)),
    ],
)
def test_shapes_that_do_not_fit_are_told(name, value):
    given = {"x": torch.zeros(3, 2), "edges": EDGES, "edge_features": torch.zeros(4, 0), "batch": None, name: value}
    with pytest.raises(ShapeError, match=name):
        Neighbours(2, 0)(**given)
