"""Parts of meshes and graphs: who owns a node, what is around a part, weights over overlaps."""

from pinnml.domains.partitions.graph import (
    adjacency,
    cell_adjacency,
    corner_positions,
    distances,
    edges_of,
    halo,
    of_edges,
    undirected,
)
from pinnml.domains.partitions.making import METHODS, partition
from pinnml.domains.partitions.partition import Partition
from pinnml.domains.partitions.subdomain import Subdomain, blended, by_owner, subdomains, unity
