"""The numbers in sections of Gmsh's files, from text and binary data, and the nodes that cells name by their tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Kinds of numbers: name -> type in a binary file.
TYPES = {"int": "i4", "size": "u8", "float": "f8"}
#: Records that are looked at first for being of one layout; then twice as many, and so on.
FIRST_LOOK = 16


class Numbers:
    """The numbers of a section one after the other, from text or, with an order of bytes, from binary data."""

    def __init__(self, data: bytes, start: int, end: int, order: str | None):
        self._data, self._order = data, order
        self._tokens = data[start:end].split() if order is None else []
        self._at, self._end = (0, len(self._tokens)) if order is None else (start, end)

    def take(self, kind: str, count: int) -> np.ndarray:
        """The next `count` numbers; ValueError if there are fewer."""
        if self._order is None:
            return _from_text(self._tokens[self._next(count)], kind)
        form = np.dtype(self._order + TYPES[kind])
        values = np.frombuffer(self._data[self._next(count * form.itemsize)], form)
        return values.astype(np.float64 if kind == "float" else np.int64)

    def rest(self) -> np.ndarray:
        """All whole numbers to the end of the section."""
        left = self._end - self._at
        return self.take("int", left if self._order is None else left // 4)

    def table(self, kind: str, rows: int, columns: int) -> np.ndarray:
        """The next numbers as (rows, columns)."""
        return self.take(kind, rows * columns).reshape(rows, columns)

    def tagged(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """The next records of a tag and three numbers: (rows,) and (rows, 3)."""
        if self._order is None:
            tokens = self._tokens[self._next(4 * rows)]
            tags = _from_text(tokens[::4], "int")
            del tokens[::4]
            return tags, _from_text(tokens, "float").reshape(-1, 3)
        form = np.dtype([("tag", self._order + "i4"), ("x", self._order + "f8", 3)])
        table = np.frombuffer(self._data[self._next(rows * form.itemsize)], form)
        return table["tag"].astype(np.int64), table["x"].astype(np.float64)

    def one(self, kind: str) -> int:
        """The next whole number."""
        return int(self.take(kind, 1)[0])

    def _next(self, length: int) -> slice:
        if not 0 <= length <= self._end - self._at:
            raise ValueError("more is announced than the file holds")
        start, self._at = self._at, self._at + length
        return slice(start, self._at)


class Nodes:
    """Points (N, 3) and the tags (N,) by which cells name them."""

    def __init__(self, tags: np.ndarray, points: np.ndarray):
        order = np.argsort(tags, kind="stable")
        self._tags, self.points = tags[order], points[order]
        if not len(tags) or (np.diff(self._tags) == 0).any():
            raise ValueError("no nodes, or two nodes of one number")

    def rows(self, tags: np.ndarray) -> np.ndarray:
        """The rows of the points of these tags."""
        rows = np.searchsorted(self._tags, tags).clip(max=len(self._tags) - 1)
        if (missing := self._tags[rows] != tags).any():
            raise ValueError(f"a cell has the node {tags[missing][0]}, which is not there")
        return rows


def alike(values: np.ndarray, length: int, columns: Sequence[int]) -> np.ndarray:
    """The records (r, length) at the start of whole numbers that agree with the first in some columns, one at least.

    ValueError if there is not even one.
    """
    table = values[: len(values) // length * length].reshape(-1, length)
    if not len(table):
        raise ValueError("more is announced than the file holds")
    done, step = 1, FIRST_LOOK
    while done < len(table):
        same = (table[done : done + step, columns] == table[0, columns]).all(axis=1)
        if not same.all():
            return table[: done + int(same.argmin())]
        done, step = done + step, 2 * step
    return table


def _from_text(tokens: list[bytes], kind: str) -> np.ndarray:
    """Numbers; whole ones from 2^63 on, which are names only, wrap around as they do in binary files."""
    values = np.array(tokens, dtype=bytes)
    if kind == "float":
        return values.astype(np.float64)
    try:
        return values.astype(np.int64)
    except OverflowError:
        return values.astype(np.uint64).view(np.int64)
