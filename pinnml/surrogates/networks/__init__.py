"""Networks on graphs: values at nodes and edges to values at nodes."""

from pinnml.surrogates.networks.base import GraphNetwork, GraphNetworkSettings
