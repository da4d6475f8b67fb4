"""Twice the cells, twice the time and memory: reading and measuring meshes of every kind and format."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pinnml import Mesh
from pinnml.domains.meshes.files.reading import read_mesh
from tests.helpers.made_meshes import DIMENSION, FORMS, KIND_NAMES, bend, unit_box, write, written
from tests.helpers.memory import peak

#: Cells a side, by dimension, of meshes of a few hundred to a few thousand cells.
SIDE = {1: 2000, 2: 30, 3: 10}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_measuring_takes_less_than_5_kb_a_cell(kind):
    base = next(name for name in DIMENSION if kind.rstrip("0123456789") == name)
    points, cells = unit_box(kind, SIDE[DIMENSION[base]])
    mesh = Mesh(bend(points, DIMENSION[base]), cells, kind)
    mesh.measure("boundary")  # tables of the reference cell, once
    mesh = Mesh(bend(points, DIMENSION[base]), cells, kind)
    # a chunk takes some 13 MB, however many cells there are; at 250 kB a cell a thousand would take 250 MB
    assert peak(lambda: (mesh.measure(), mesh.measure("boundary"))) < 5e3 * len(cells) + 16e6


def test_the_memory_of_a_call_is_seen():
    assert 60e6 < peak(lambda: np.ones(8 * 10**6)) < 90e6


def test_the_memory_of_a_call_is_seen_where_much_was_free_before():
    large = np.ones(30 * 10**6 // 8)
    del large  # from now on glibc takes arrays up to this size from the heap, which keeps what is freed
    hole = [np.ones(10**6 // 8) for _ in range(200)]
    above = np.ones(10**4)
    del hole
    assert 60e6 < peak(lambda: np.ones(8 * 10**6)) < 90e6
    assert above.all()


def seconds(call: Callable[[], Any]) -> float:
    """The lesser time of the process in two calls."""
    found = []
    for _ in range(2):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.parametrize("form", [*FORMS, "one a block", "one an entity"])
def test_reading_nine_times_the_cells_takes_about_nine_times_as_long(tmp_path, form):
    writer = {"one a block": one_a_block, "one an entity": one_an_entity}.get(form)
    paths = []
    for n in (24, 72):
        (tmp_path / str(n)).mkdir()
        paths.append(writer(tmp_path / str(n), n) if writer else write(tmp_path / str(n), "triangle", form, n))
    read_mesh(paths[0])
    short, long = (seconds(lambda path=path: read_mesh(path)) for path in paths)
    assert long < 25 * short  # in quadratic time 81


@pytest.mark.parametrize("kind", ["line", "triangle", "quad", "tetra", "hexahedron"])
def test_making_and_measuring_eight_times_the_cells_takes_about_eight_times_as_long(kind):
    sides = {1: (1000, 8000), 2: (20, 57), 3: (6, 12)}[DIMENSION[kind]]
    meshes = [unit_box(kind, n) for n in sides]
    Mesh(*meshes[0], kind).measure("boundary")
    short, long = (seconds(lambda each=each: Mesh(*each, kind).measure()) for each in meshes)
    assert long < 22 * short  # in quadratic time 64


def one_a_block(folder: Path, n: int) -> Path:
    """A binary file of format 2.2 with a block for every cell."""
    points, cells = unit_box("triangle", n)
    rows = [struct.pack("<9i", 2, 1, 2, number, 1, 1, *cell) for number, cell in enumerate(cells + 1, 1)]
    nodes = [struct.pack("<i3d", number, *x) for number, x in enumerate(points, 1)]
    return written(folder / "alone.msh", b"2.2 1 8\n" + struct.pack("<i", 1), (len(nodes), nodes), (len(rows), rows))


def one_an_entity(folder: Path, n: int) -> Path:
    """A text file of format 4.1 with an entity for every cell and every node."""
    points, cells = unit_box("triangle", n)
    nodes = [b"2 %d 0 1\n%d\n%g %g %g\n" % (number, number, *x) for number, x in enumerate(points, 1)]
    rows = [b"2 %d 2 1\n%d %d %d %d\n" % (number, number, *cell) for number, cell in enumerate(cells + 1, 1)]
    counts = [" ".join(map(str, (len(each), len(each), 1, len(each)))) for each in (nodes, rows)]
    return written(folder / "alone.msh", b"4.1 0 8", (counts[0], nodes), (counts[1], rows))
