"""What the command line and checkpoints call the settings of networks."""

from __future__ import annotations

from pinnml.networks.features import Features
from pinnml.networks.kan import KAN
from pinnml.networks.mlp import MLP
from pinnml.networks.multichannel_mlp import MultichannelMLP
from pinnml.networks.patches import Patches

NETWORKS: dict[str, type] = {
    "mlp": MLP,
    "features": Features,
    "kan": KAN,
    "relu-kan": MultichannelMLP,
    "patches": Patches,
}
