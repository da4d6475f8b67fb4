"""What the command line and checkpoints call the settings of networks."""

from __future__ import annotations

from pinnml.networks.settings import MLP, Features
from pinnml.networks.spline_network import KAN, MultichannelMLP

NETWORKS: dict[str, type] = {"mlp": MLP, "features": Features, "kan": KAN, "relu-kan": MultichannelMLP}
