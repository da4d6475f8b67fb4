"""Networks: settings that users choose, and the modules that they build."""

from pinnml.networks.base import Basis, Inputs, Marking, Network, Trace
from pinnml.networks.perceptron import Perceptron
from pinnml.networks.registry import NETWORKS
from pinnml.networks.settings import MLP, Features, NetworkSettings, Wrapped
from pinnml.networks.spline_network import KAN, MultichannelMLP

__all__ = [
    "KAN",
    "MLP",
    "NETWORKS",
    "Basis",
    "Features",
    "Inputs",
    "Marking",
    "MultichannelMLP",
    "Network",
    "NetworkSettings",
    "Perceptron",
    "Trace",
    "Wrapped",
]
