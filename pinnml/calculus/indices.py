"""Multi-indices: which partial derivatives a jet carries, and how products and derivatives move them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import TypeAlias

from pinnml.errors import MissingDerivativeError, UnknownNameError, unknown_name

MultiIndex: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Axes:
    """The names of the coordinates, in order, and those of them that are space."""

    names: tuple[str, ...]
    space: tuple[str, ...]

    def position(self, name: str) -> int:
        """The place of the axis `name`; an axis that is not there is an UnknownNameError."""
        try:
            return self.names.index(name)
        except ValueError:
            raise unknown_name("axis", name, self.names) from None

    def split(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Positions of the axes of `d("xx")` or `d("x1", "x1")`; letters only if every axis is one letter."""
        if not names or not all(isinstance(name, str) and name for name in names):
            raise UnknownNameError(
                "a derivative without the name of an axis",
                expected=f"names among {', '.join(self.names)}",
                got=", ".join(map(repr, names)) or "nothing",
                cure=f'write d("{self.names[0]}"), or leave .d(...) out for the field itself',
            )
        if len(names) == 1 and names[0] not in self.names and all(len(name) == 1 for name in self.names):
            names = tuple(names[0])
        return tuple(self.position(name) for name in names)

    def word(self, index: MultiIndex) -> str:
        """The derivative of a multi-index in words, such as `xx` or `x1 x1`; `1` for the value itself."""
        letters = [name for name, power in zip(self.names, index, strict=True) for _ in range(power)]
        return ("" if all(len(name) == 1 for name in self.names) else " ").join(letters) or "1"


class IndexSet:
    """A downward-closed set S of multi-indices: a in S and b <= a imply b in S.

    The zero index comes first, the rest follow by total order. Sets are interned: equal sets are one object,
    so that their tables are worked out once.
    """

    def __init__(self, axes: Axes, indices: tuple[MultiIndex, ...]):
        self.axes, self.indices = axes, indices
        self.position = {index: place for place, index in enumerate(indices)}
        self.order = max(sum(index) for index in indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return "{" + ", ".join(self.axes.word(index) for index in self.indices) + "}"

    @cached_property
    def products(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each place c, the pairs of places (a, b) whose indices add up to that of c."""
        table = []
        for total in self.indices:
            parts = product(*(range(power + 1) for power in total))
            table.append(
                tuple((self.position[a], self.position[_minus(total, a)]) for a in parts)  # closed: both are in S
            )
        return tuple(table)

    @cached_property
    def maximal(self) -> tuple[MultiIndex, ...]:
        """The indices that no other one of the set lies above; dropping one keeps the set closed."""
        return tuple(a for a in self.indices if not any(_raised(a, axis) in self.position for axis in range(len(a))))

    def without(self, index: MultiIndex) -> IndexSet:
        """The set less one maximal index."""
        return index_set(self.axes, (a for a in self.indices if a != index))

    def lowered(self, axis: int) -> tuple[IndexSet, tuple[int, ...], tuple[int, ...]]:
        """What one carried derivative along an axis leaves: the set {a : a + e in S}, its places in S, its factors."""
        return _lowered(self, axis)


@lru_cache(maxsize=4096)
def _interned(axes: Axes, indices: tuple[MultiIndex, ...]) -> IndexSet:
    return IndexSet(axes, indices)


def index_set(axes: Axes, indices: Iterable[MultiIndex]) -> IndexSet:
    """The interned set of these indices and of everything below them."""
    closed = {b for a in indices for b in product(*(range(power + 1) for power in a))}
    closed.add((0,) * len(axes.names))
    return _interned(axes, tuple(sorted(closed, key=lambda a: (sum(a), tuple(-power for power in a)))))


def total_order(axes: Axes, order: int) -> IndexSet:
    """All multi-indices with |a| <= order."""
    layer = {(0,) * len(axes.names)}
    found = set(layer)
    for _ in range(order):
        layer = {_raised(a, axis) for a in layer for axis in range(len(a))}
        found |= layer
    return index_set(axes, found)


def union(first: IndexSet, *others: IndexSet) -> IndexSet:
    """The smallest set that holds all of these."""
    return index_set(first.axes, {a for s in (first, *others) for a in s.indices})


@lru_cache(maxsize=4096)
def places(inner: IndexSet, outer: IndexSet) -> tuple[int, ...]:
    """Where the indices of `inner` stand in `outer`; one that is not there is a MissingDerivativeError."""
    for index in inner.indices:
        if index not in outer.position:
            raise missing(outer, index)
    return tuple(outer.position[index] for index in inner.indices)


@lru_cache(maxsize=4096)
def meet(first: IndexSet, second: IndexSet) -> IndexSet:
    """The common part of two sets: all that a product of two jets can know."""
    return index_set(first.axes, (a for a in first.indices if a in second.position))


def missing(indices: IndexSet, index: MultiIndex) -> MissingDerivativeError:
    """The error for a derivative that a jet does not carry."""
    return MissingDerivativeError(
        f"the derivative '{indices.axes.word(index)}' is not carried",
        expected=f"one of {indices}",
        got=indices.axes.word(index),
        cure="a plain tensor in an expression (data, a normal, a comparison, torch.where of two numbers) knows no "
        "derivatives: write it with the axes themselves, such as torch.where(x < 0.5, 1 + 0 * x, 2 + 0 * x), on a Box "
        "with an interface where it jumps: x=Parts(0, 0.5, 1)",
    )


@lru_cache(maxsize=4096)
def _lowered(indices: IndexSet, axis: int) -> tuple[IndexSet, tuple[int, ...], tuple[int, ...]]:
    kept = [a for a in indices.indices if _raised(a, axis) in indices.position]
    lower = index_set(indices.axes, kept)
    raised = [_raised(a, axis) for a in lower.indices]
    return lower, tuple(indices.position[a] for a in raised), tuple(a[axis] for a in raised)


def _raised(index: MultiIndex, axis: int) -> MultiIndex:
    return (*index[:axis], index[axis] + 1, *index[axis + 1 :])


def _minus(a: MultiIndex, b: MultiIndex) -> MultiIndex:
    return tuple(x - y for x, y in zip(a, b, strict=True))
