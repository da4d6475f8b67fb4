"""What a network on a graph is: node and edge features to node values, and how far a node sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from pinnml.errors import SettingsError, ShapeError


class GraphNetwork(nn.Module, ABC):
    """Values (n, outputs) of features at nodes (n, inputs) and edges (m, edge_inputs).

    Must define `reach` and `_outputs`. No layer may have weights that depend on the number of nodes, and none but those
    of a network without reach may use anything beyond the neighbours of a node, so that parts of a graph can be
    evaluated by themselves.
    """

    def __init__(self, inputs: int, edge_inputs: int):
        super().__init__()
        self.inputs, self.edge_inputs = inputs, edge_inputs

    @property
    @abstractmethod
    def reach(self) -> int | None:
        """The receptive field: a node's outputs depend on nothing further away than so many hops.

        With a halo of so many hops the owned nodes of a part have the outputs of the whole graph. None: they depend
        on all nodes, and no halo is enough.
        """

    def forward(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None = None) -> Tensor:
        """The outputs (n, outputs).

        x: (n, inputs). edges: (2, m), numbers of nodes, [source, target]; an edge is there in both directions, and its
        message goes from the source to the target. edge_features: (m, edge_inputs). batch: (n,), the number of the
        graph that a node belongs to, from 0; None for one graph. Raises ShapeError.
        """
        n, m = len(x), edges.shape[-1]
        shapes: dict[str, tuple[Tensor, tuple[int, ...]]] = {
            "x": (x, (n, self.inputs)),
            "edges": (edges, (2, m)),
            "edge_features": (edge_features, (m, self.edge_inputs)),
        }
        if batch is not None:
            shapes["batch"] = (batch, (n,))
        for name, (value, shape) in shapes.items():
            if value.shape != shape:
                cure = "give the network the features that it was built for, one row for each node or edge"
                raise ShapeError(f"'{name}' of a graph", expected=shape, got=tuple(value.shape), cure=cure)
        return self._outputs(x, edges, edge_features, batch)

    def on(self, edges: Tensor, edge_features: Tensor, batch: Tensor | None = None) -> Callable[[Tensor], Tensor]:
        """The network on a graph that stays: features (n, inputs) to outputs, what edges alone say found once."""
        return partial(self, edges=edges, edge_features=edge_features, batch=batch)

    @abstractmethod
    def _outputs(self, x: Tensor, edges: Tensor, edge_features: Tensor, batch: Tensor | None) -> Tensor:
        """The outputs of features whose shapes have been checked."""


class GraphNetworkSettings(Protocol):
    """Met by the frozen settings of every kind of network on graphs."""

    def build(
        self,
        inputs: int,
        edge_inputs: int,
        outputs: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device,
    ) -> GraphNetwork:
        """A fresh network. Weights are drawn from the generator alone, on the CPU in float64, then moved."""
        ...


def check_heads(name: str, width: int, heads: int) -> None:
    """SettingsError where heads do not divide the width."""
    if width % heads:
        expected, got = "heads that divide the width", f"width={width}, heads={heads}"
        raise SettingsError(name, expected=expected, got=got, cure=f"choose width={8 * heads}")
