"""Networks on graphs: values at nodes and edges to values at nodes."""

from pinnml.surrogates.networks.attention import GraphAttention
from pinnml.surrogates.networks.base import GraphNetwork, GraphNetworkSettings
from pinnml.surrogates.networks.bracket_network import Brackets
from pinnml.surrogates.networks.message_passing import MessagePassing
from pinnml.surrogates.networks.slices import Slices

#: Settings of networks by their name in files and on the command line.
NETWORKS = {kind.__name__: kind for kind in (MessagePassing, GraphAttention, Brackets, Slices)}
