"""Nodes and cells in Gmsh's formats 2 and 4.1, in text and binary."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pinnml.domains.meshes.files.gmsh_numbers import Nodes, Numbers, alike
from pinnml.domains.meshes.files.kinds import FILE_KINDS, unknown_kind

BY_NUMBER = {kind.gmsh: name for name, kind in FILE_KINDS.items()}
#: Gmsh's numbers of other kinds of cells.
OTHER_KINDS = {
    **{6: "prism", 7: "pyramid", 13: "prism18", 14: "pyramid14", 18: "prism15", 19: "pyramid13"},
    **{20: "triangle9", 21: "triangle10", 22: "triangle12", 23: "triangle15", 24: "triangle15", 25: "triangle21"},
    **{26: "line4", 27: "line5", 28: "line6", 29: "tetra20", 30: "tetra35", 31: "tetra56"},
    **{36: "quad16", 37: "quad25", 38: "quad36", 92: "hexahedron64", 93: "hexahedron125"},
}

#: Cells of one kind (c, g) by the tags of their nodes, and the rows of the cells of each physical group.
Block = tuple[str, np.ndarray, dict[int, np.ndarray]]


def nodes_2(count: int, numbers: Numbers) -> Nodes:
    """$Nodes of format 2."""
    return Nodes(*numbers.tagged(count))


def nodes_4(numbers: Numbers) -> Nodes:
    """$Nodes of format 4.1."""
    blocks, *_ = numbers.take("size", 4)
    tags, points = [], []
    for _ in range(blocks):
        dimension, _, parametric = numbers.take("int", 3)
        count = numbers.one("size")
        tags.append(numbers.take("size", count))
        points.append(numbers.table("float", count, 3 + int(dimension) * bool(parametric))[:, :3])
    return Nodes(np.concatenate(tags), np.concatenate(points))


def entities_4(numbers: Numbers) -> dict[tuple[int, int], list[int]]:
    """The physical groups of every entity (dimension, tag)."""
    entities = {}
    for dimension, count in enumerate(numbers.take("size", 4)):
        for _ in range(count):
            tag = numbers.one("int")
            numbers.take("float", 6 if dimension else 3)
            entities[dimension, tag] = numbers.take("int", numbers.one("size")).tolist()
            if dimension:
                numbers.take("int", numbers.one("size"))
    return entities


def cells_4(numbers: Numbers, entities: dict[tuple[int, int], list[int]]) -> list[Block]:
    """$Elements of format 4.1."""
    blocks = []
    for _ in range(numbers.take("size", 4)[0]):
        dimension, tag, number = (int(n) for n in numbers.take("int", 3))
        kind = _kind(number)
        cells = numbers.table("size", numbers.one("size"), 1 + FILE_KINDS[kind].nodes)[:, 1:]
        everything = np.arange(len(cells))
        blocks.append((kind, cells, {abs(group): everything for group in entities.get((dimension, tag), ())}))
    return blocks


def cells_2_text(count: int, numbers: Numbers) -> list[Block]:
    """$Elements of format 2 in text: lines of number, kind, how many tags, tags, nodes."""
    values, at, found = numbers.rest(), 0, 0
    rows: dict[str, list[np.ndarray]] = defaultdict(list)
    while found < count:
        _, number, tags = _head(values, at)
        kind = _kind(number)
        table = alike(values[at:], 3 + tags + FILE_KINDS[kind].nodes, (1, 2))[: count - found]
        rows[kind].append(_grouped(table[:, 3:], tags))
        at, found = at + table.size, found + len(table)
    return _blocks(rows)


def cells_2_binary(count: int, numbers: Numbers) -> list[Block]:
    """$Elements of format 2 in binary: blocks of kind, how many cells, how many tags, and cells of number, tags, nodes.

    Some programs write a block for every cell: those that are alike are taken together.
    """
    values, at, found = numbers.rest(), 0, 0
    rows: dict[str, list[np.ndarray]] = defaultdict(list)
    while found < count:
        number, many, tags = _head(values, at)
        kind = _kind(number)
        width = 1 + tags + FILE_KINDS[kind].nodes
        if not 1 <= many <= len(values):
            raise ValueError(f"a block of {many} cells")
        table = alike(values[at:], 3 + many * width, (0, 1, 2))[: -((found - count) // many)]
        rows[kind].append(_grouped(table[:, 3:].reshape(-1, width)[:, 1:], tags))
        at, found = at + table.size, found + len(table) * many
    return _blocks(rows)


def _head(values: np.ndarray, at: int) -> tuple[int, int, int]:
    """The three numbers that begin a record; the last says how many tags there are."""
    head = values[at : at + 3].tolist()
    if len(head) < 3 or not 0 <= head[2] <= len(values):
        raise ValueError("more is announced than the file holds")
    return head[0], head[1], head[2]


def _grouped(table: np.ndarray, tags: int) -> np.ndarray:
    """Rows of (tag of the physical group, nodes) from rows of (tags, nodes); without tags the group is 0."""
    return np.delete(table, slice(1, tags), axis=1) if tags else np.insert(table, 0, 0, axis=1)


def _blocks(rows: dict[str, list[np.ndarray]]) -> list[Block]:
    blocks = []
    for kind, tables in rows.items():
        table = np.concatenate(tables)
        groups = np.abs(table[:, 0])
        blocks.append((kind, table[:, 1:], {int(n): np.flatnonzero(groups == n) for n in np.unique(groups) if n}))
    return blocks


def _kind(number: int) -> str:
    if number not in BY_NUMBER:
        raise unknown_kind(f"{OTHER_KINDS.get(number, 'unknown')} ({number} of Gmsh's list)")
    return BY_NUMBER[number]
