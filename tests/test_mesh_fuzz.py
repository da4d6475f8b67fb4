"""Files of meshes that are damaged at random: a mesh or a MeshError, nothing else, and nothing printed."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made_meshes import FORMS, write, write_bare

from pinnml.domains import Mesh
from pinnml.errors import MeshError

SHIPPED = Path(__file__).parents[1] / "meshes"
#: Numbers that have upset readers: none, huge counts, signs, the ends of the types.
NUMBERS = (b"0", b"-1", b"1000000000000", b"99999999999999999999", b"2147483648", b"7", b"1e308", b"nan", b"")


def flipped(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in random.integers(len(data), size=random.integers(1, 6)):
        changed[place] = random.integers(256)
    return bytes(changed)


def cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: random.integers(len(data))]


def without_a_piece(data: bytes, random: np.random.Generator) -> bytes:
    start = int(random.integers(len(data)))
    return data[:start] + data[start + int(random.integers(1, 60)) :]


def line_doubled_or_deleted(data: bytes, random: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    place = int(random.integers(len(lines)))
    return b"\n".join(lines[:place] + [lines[place]] * (2 * int(random.integers(2))) + lines[place + 1 :])


def lines_swapped(data: bytes, random: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    a, b = random.integers(len(lines), size=2)
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def number_changed(data: bytes, random: np.random.Generator) -> bytes:
    numbers = [found.span() for found in re.finditer(rb"(?<![\w.])-?\d+(?:\.\d+)?", data)]
    start, end = numbers[random.integers(len(numbers))]
    return data[:start] + NUMBERS[random.integers(len(NUMBERS))] + data[end:]


DAMAGES = (flipped, cut, without_a_piece, line_doubled_or_deleted, lines_swapped, number_changed, number_changed)


def originals(folder: Path) -> list[Path]:
    """A file of every format, of triangles and of quadratic tetrahedra, and two that Gmsh wrote."""
    files = [write(folder, kind, form) for form in FORMS for kind in ("triangle", "tetra10") if "hdf5" not in form]
    readable = [path for path in files if path.name != "xdmf text-tetra10.xdmf"]
    return [*readable, SHIPPED / "square_quads.msh", write_bare(folder)]


def outcome(path: Path) -> str:
    """What a file is: "mesh" or "error", and nothing in between."""
    try:
        mesh = Mesh.read(path)
    except MeshError as error:
        told = path.name in str(error) and error.cure
        return "error" if told else str(error)
    return "mesh" if np.isfinite(mesh.measure()) and mesh.measure() > 0 else repr(mesh)


def damage_all(folder: Path, count: int, seed: int) -> Counter[str]:
    """What became of `count` damaged files: "mesh" or "error"; each was read within ten seconds."""
    random, found, files = np.random.default_rng(seed), Counter(), originals(folder)
    contents = [(path.suffix, path.read_bytes()) for path in files]
    for number in range(count):
        suffix, data = contents[number % len(contents)]
        path = folder / f"damaged{suffix}"
        path.write_bytes(DAMAGES[random.integers(len(DAMAGES))](data, random))
        start = time.perf_counter()
        found[outcome(path)] += 1
        assert time.perf_counter() - start < 10
    return found


#: Damaged files, their seed, and how many of them at least are meshes and errors.
RUNS = [pytest.param(400, 0, 20, 100, id="some"), pytest.param(10_000, 1, 500, 2000, marks=pytest.mark.slow, id="many")]


@pytest.mark.parametrize(("count", "seed", "meshes", "errors"), RUNS)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_files_are_meshes_or_named_errors(tmp_path, capfd, count, seed, meshes, errors):
    found = damage_all(tmp_path, count, seed)
    assert set(found) == {"mesh", "error"}
    assert found["mesh"] > meshes
    assert found["error"] > errors
    assert capfd.readouterr() == ("", "")
