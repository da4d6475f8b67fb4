"""Networks: settings that users choose, and the modules that they build."""

from pinnml.networks.base import Basis, Inputs, Network, Trace
from pinnml.networks.kan import KAN
from pinnml.networks.perceptron import Perceptron
from pinnml.networks.settings import MLP, Features, NetworkSettings, Wrapped

#: What the command line and checkpoints call the settings.
NETWORKS: dict[str, type] = {"mlp": MLP, "features": Features, "kan": KAN}

__all__ = [
    "KAN",
    "MLP",
    "NETWORKS",
    "Basis",
    "Features",
    "Inputs",
    "Network",
    "NetworkSettings",
    "Perceptron",
    "Trace",
    "Wrapped",
]
