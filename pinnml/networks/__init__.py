"""Networks: settings that users choose, and the modules that they build."""

from pinnml.networks.base import Basis, Inputs, LocalBasis, Marking, Network, Trace
from pinnml.networks.enriched import enriched
from pinnml.networks.features import Features
from pinnml.networks.kan import KAN
from pinnml.networks.mlp import MLP
from pinnml.networks.multichannel_mlp import MultichannelMLP
from pinnml.networks.patches import Patches
from pinnml.networks.perceptron import Perceptron
from pinnml.networks.registry import NETWORKS
from pinnml.networks.settings import NetworkSettings, Settings
from pinnml.networks.windows import joined_in_time
from pinnml.networks.wrapped import Wrapped
