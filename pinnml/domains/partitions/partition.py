"""Which part of a mesh every node belongs to, and how good a cut that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnml.domains.partitions.graph import count, edges_of, undirected
from pinnml.errors import PartitionError
from pinnml.validation import positive, whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

KEYS = ("owner", "parts", "method", "edge_cut", "imbalance", "components")


@dataclass(frozen=True, eq=False)
class Partition:
    """Every node has one owner among the parts 0, 1, ...; made by `partition(...)` or `Partition.of(...)`.

    owner: (n,). method: how it was found. edge_cut: edges between nodes of different parts, each counted once.
    imbalance: nodes of the largest part over the mean. components: for each part, how many connected pieces it has.
    """

    owner: np.ndarray
    parts: int
    method: str
    edge_cut: int
    imbalance: float
    components: tuple[int, ...]

    @classmethod
    def of(cls, graph: Any, owner: Any, parts: int, method: str = "given") -> Partition:
        """The partition of a graph (n, n) by owners (n,), measured.

        Raises PartitionError for owners that are no parts, and for a part without nodes.
        """
        graph = undirected(graph)
        owner = sound_owner(owner, count(graph), parts)
        source, target = edges_of(graph)
        cut = int((owner[source] != owner[target]).sum()) // 2
        largest = int(np.bincount(owner, minlength=parts).max())
        pieces = _components(graph, owner, parts)
        return cls(owner, parts, method, cut, largest * parts / len(owner), pieces)

    def __len__(self) -> int:
        return len(self.owner)

    def __repr__(self) -> str:
        pieces = f", {sum(self.components)} connected pieces" if sum(self.components) > self.parts else ""
        measured = f"{self.edge_cut} edges cut, largest part {self.imbalance:.3f} of the mean{pieces}"
        return f"Partition({len(self)} nodes in {self.parts} parts by {self.method}; {measured})"

    @property
    def sizes(self) -> np.ndarray:
        """The number of nodes of every part, (parts,)."""
        return np.bincount(self.owner, minlength=self.parts)

    def nodes(self, part: int) -> np.ndarray:
        """The numbers of the nodes of a part, ascending."""
        return np.flatnonzero(self.owner == part)

    def record(self) -> dict[str, Any]:
        """What a file keeps of it, in JSON: partitioners give other parts in their next version."""
        measures = {"edge_cut": self.edge_cut, "imbalance": self.imbalance, "components": list(self.components)}
        return {"owner": self.owner.tolist(), "parts": self.parts, "method": self.method, **measures}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Partition:
        """The partition of a `record()`. Raises PartitionError for a record that is none."""
        wrong = not isinstance(record, Mapping) or set(record) != set(KEYS)
        if wrong or not all(isinstance(record[name], list) for name in ("owner", "components")):
            got = ", ".join(map(str, record)) if isinstance(record, Mapping) else type(record).__name__
            raise _damaged(", ".join(KEYS), got)
        parts = whole_number("parts", record["parts"], error=PartitionError)
        owner = sound_owner(record["owner"], len(record["owner"]), parts)
        components = tuple(whole_number("components", each, error=PartitionError) for each in record["components"])
        if len(components) != parts:
            raise _damaged(f"components of {parts} parts", len(components))
        cut = whole_number("edge_cut", record["edge_cut"], 0, error=PartitionError)
        imbalance = positive("imbalance", record["imbalance"], error=PartitionError)
        return cls(owner, parts, str(record["method"]), cut, imbalance, components)


def _damaged(expected: str, got: object) -> PartitionError:
    cure = "the file is damaged or of another version: make the partition again"
    return PartitionError("a record of a partition", expected=expected, got=got, cure=cure)


def sound_owner(owner: Any, n: int, parts: int) -> np.ndarray:
    """The owners of n nodes, (n,), read-only. Raises PartitionError, for parts without nodes as well."""
    parts = sound_parts(parts, n)
    array = np.array(owner)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        cure = "give the number of a part for every node"
        expected, got = f"{n} whole numbers", f"{array.dtype} {array.shape}"
        raise PartitionError("the owners of nodes", expected=expected, got=got, cure=cure)
    if array.min() < 0 or array.max() >= parts:
        expected, got = f"parts from 0 to {parts - 1}", f"{array.min()} to {array.max()}"
        raise PartitionError("the owners of nodes", expected=expected, got=got, cure="number parts from 0 on")
    if len(empty := np.flatnonzero(np.bincount(array, minlength=parts) == 0)):
        cure = "ask for fewer parts, or for another method"
        got = f"no node in part {empty[0]}" + (f" and in {len(empty) - 1} more" if len(empty) > 1 else "")
        raise PartitionError("a part is empty", expected="a node in every part", got=got, cure=cure)
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def sound_parts(parts: Any, n: int) -> int:
    """A number of parts that n nodes can fill. Raises PartitionError."""
    if n == 0:
        raise PartitionError("a graph to be cut into parts", expected="nodes", got="none", cure="give it a mesh")
    parts = whole_number("parts", parts, error=PartitionError)
    if parts > n:
        expected, got = f"{n} parts at most, one a node", f"{parts} parts"
        raise PartitionError("more parts than nodes", expected=expected, got=got, cure="ask for fewer parts")
    return parts


def _components(graph: csr_array, owner: np.ndarray, parts: int) -> tuple[int, ...]:
    """How many connected pieces every part has."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    source, target = edges_of(graph)
    inside = owner[source] == owner[target]
    n = len(owner)
    kept = csr_array((np.ones(int(inside.sum())), (source[inside], target[inside])), shape=(n, n))
    _, piece = connected_components(kept, directed=False)
    first = np.unique(piece, return_index=True)[1]
    return tuple(np.bincount(owner[first], minlength=parts).tolist())
