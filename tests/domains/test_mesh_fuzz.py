"""Files of meshes that are damaged at random: a mesh or a MeshError, nothing else, and nothing printed."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pinnml.domains import Mesh
from pinnml.errors import MeshError
from tests.helpers.damages import (
    DAMAGES,
)
from tests.helpers.made_meshes import FORMS, write, write_bare
from tests.helpers.places import MESHES
from tests.helpers.vtk_files import grid, write_vtu


def originals(folder: Path) -> list[Path]:
    """A file of every format, of triangles and of quadratic tetrahedra, and some that VTK and Gmsh wrote."""
    files = [write(folder, kind, form) for form in FORMS for kind in ("triangle", "tetra10") if "hdf5" not in form]
    readable = [path for path in files if path.name != "xdmf text-tetra10.xdmf"]
    theirs = [
        write_vtu(folder / f"{mode} {compressor}.vtu", grid("quad"), mode, compressor, encoded=encoded)
        for mode, compressor, encoded in (
            ("Appended", "LZ4", False),
            ("Appended", "ZLib", True),
            ("Binary", "LZMA", True),
        )
    ]
    return [*readable, *theirs, MESHES / "square_quads.msh", write_bare(folder)]


def outcome(path: Path) -> str:
    """What a file is: "mesh" or "error", and nothing in between."""
    try:
        mesh = Mesh.read(path)
    except MeshError as error:
        told = path.name in str(error) and error.cure
        return "error" if told else str(error)
    return "mesh" if np.isfinite(mesh.measure()) and mesh.measure() > 0 else repr(mesh)


def damage_all(folder: Path, count: int, seed: int) -> Counter[str]:
    """What became of `count` damaged files: "mesh" or "error"; each was read within ten seconds of the processor."""
    random, found, files = np.random.default_rng(seed), Counter(), originals(folder)
    contents = [(path.suffix, path.read_bytes()) for path in files]
    for number in range(count):
        suffix, data = contents[number % len(contents)]
        path = folder / f"damaged{suffix}"
        path.write_bytes(DAMAGES[random.integers(len(DAMAGES))](data, random))
        start = time.process_time()
        found[outcome(path)] += 1
        assert time.process_time() - start < 10
    return found


#: Damaged files, their seed, and how many of them at least are meshes and errors.
RUNS = [pytest.param(400, 0, 20, 100, id="some"), pytest.param(10_000, 1, 500, 2000, marks=pytest.mark.slow, id="many")]


@pytest.mark.parametrize(("count", "seed", "meshes", "errors"), RUNS)
@pytest.mark.filterwarnings("ignore::pinnml.errors.MeshWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_files_are_meshes_or_named_errors(tmp_path, capfd, count, seed, meshes, errors):
    found = damage_all(tmp_path, count, seed)
    assert set(found) == {"mesh", "error"}
    assert found["mesh"] > meshes
    assert found["error"] > errors
    assert capfd.readouterr() == ("", "")
