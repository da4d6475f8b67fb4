"""Partitions of meshes and graphs by name of a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnml.domains.meshes.mesh import Mesh
from pinnml.domains.partitions.bisection import bisected
from pinnml.domains.partitions.graph import adjacency, corner_positions, count, undirected
from pinnml.domains.partitions.metis import metis
from pinnml.domains.partitions.partition import Partition, sound_parts
from pinnml.domains.partitions.spectral import Likeness, spectral
from pinnml.errors import PartitionError
from pinnml.validation import choice, not_negative, positive, whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

METHODS = ("metis", "bisection", "spectral")


def partition(
    where: Mesh | csr_array,
    parts: int,
    method: str = "metis",
    *,
    seed: int = 0,
    positions: Any = None,
    features: Any = None,
    targets: Any = None,
    scales: Mapping[str, float] | None = None,
    penalty: float = 1.0,
) -> Partition:
    """Every node's owner among so many parts, and how good a cut that is.

    where: a mesh, whose corners are the nodes, or the adjacency (n, n) of a graph; an edge counts in both directions.
    method: "metis", few edges cut (needs the extra `gnn`); "bisection", halves by coordinates, of equal size;
    "spectral", nodes that are alike, compared by positions, features and targets. positions: (n, s), needed for the
    latter two on a graph. features, targets: (n,) or (n, f), for "spectral" alone, as are scales: differences of
    "positions", "features" and "targets" that count as one (the median across edges), and penalty: of unequal sizes,
    0 for none. seed: of "metis" and "spectral"; the same partition comes out of it with one version of a package.

    Raises PartitionError for what cannot be cut like that, a part without nodes too; MissingExtraError without pymetis.
    """
    choice("method of partitions", method, METHODS)
    seed = whole_number("seed", seed, 0, most=2**31 - 1, error=PartitionError)
    if isinstance(where, Mesh):
        graph, positions = adjacency(where), corner_positions(where) if positions is None else positions
    else:
        graph = undirected(where)
    n = count(graph)
    parts = sound_parts(parts, n)
    if method != "spectral" and not all(given is None for given in (features, targets, scales)):
        cure = "choose method='spectral', or leave them out"
        got = f"method={method!r}"
        raise PartitionError("features, targets and scales", expected="method='spectral'", got=got, cure=cure)
    given = {"positions": positions, "features": features, "targets": targets}
    values = {name: _values(name, value, n) for name, value in given.items() if value is not None}
    if method != "metis" and "positions" not in values:
        cure = "give the mesh, or positions=(n, s)"
        raise PartitionError(f"method={method!r} on a graph", expected="positions of nodes", got="none", cure=cure)
    if parts == 1:
        owner = np.zeros(n, dtype=np.int64)
    elif method == "metis":
        owner = metis(graph, parts, seed)
    elif method == "bisection":
        owner = bisected(values["positions"], parts)
    else:
        checked = _scales(scales or {}, values)
        likeness = Likeness(values, checked, not_negative("penalty", penalty, error=PartitionError))
        owner = spectral(graph, parts, seed, likeness)
    return Partition.of(graph, owner, parts, method)


def _values(name: str, given: Any, n: int) -> np.ndarray:
    """An array (n, f) of finite numbers. Raises PartitionError."""
    array = np.asarray(given)
    if array.ndim not in (1, 2) or len(array) != n or array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        expected, got = f"finite numbers, ({n},) or ({n}, f)", f"{array.dtype} {array.shape}"
        cure = "give a row for every node, and none with NaN"
        raise PartitionError(f"{name} of nodes", expected=expected, got=got, cure=cure)
    return array.reshape(n, -1).astype(float)


def _scales(scales: Mapping[str, float], values: Mapping[str, np.ndarray]) -> dict[str, float]:
    for name in scales:
        choice("scale, of what is given", name, values)
    return {name: positive(f"scale of {name}", value, error=PartitionError) for name, value in scales.items()}
