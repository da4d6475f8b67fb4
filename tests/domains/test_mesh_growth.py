"""Twice the cells, twice the time and memory: reading and measuring meshes of every kind and format."""

from __future__ import annotations

import numpy as np
import pytest

from pinnml import Mesh
from tests.helpers.made_meshes import DIMENSION, KIND_NAMES, bend, unit_box
from tests.helpers.memory import peak

#: Cells a side, by dimension, of meshes of a few hundred to a few thousand cells.
SIDE = {1: 3000, 2: 40, 3: 9}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_measuring_takes_less_than_5_kb_a_cell(kind):
    base = next(name for name in DIMENSION if kind.rstrip("0123456789") == name)
    points, cells = unit_box(kind, SIDE[DIMENSION[base]])
    mesh = Mesh(bend(points, DIMENSION[base]), cells, kind)
    mesh.measure("boundary")  # tables of the reference cell, once
    mesh = Mesh(bend(points, DIMENSION[base]), cells, kind)
    assert peak(lambda: (mesh.measure(), mesh.measure("boundary"))) < 5e3 * len(cells) + 10e6


def test_the_memory_of_a_call_is_seen():
    assert 60e6 < peak(lambda: np.ones(8 * 10**6)) < 90e6
