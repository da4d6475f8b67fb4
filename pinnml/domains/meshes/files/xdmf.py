"""Meshes in .xdmf, by meshio.

meshio may print, warn, ask for any amount of memory or raise anything at all on a file that is broken: all of it
becomes a MeshError here.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from pinnml.domains.meshes.files.kinds import FILE_KINDS, FileMesh, unknown_kind
from pinnml.domains.meshes.files.values import groups_by_value
from pinnml.errors import MeshError
from pinnml.extras import require


def read_xdmf(path: Path, data: bytes) -> FileMesh:
    """What an .xdmf file says; ValueError where it breaks the format, MeshError for what is not supported."""
    _check(path, data)
    try:
        mesh = _read(path)
    except ValueError as error:
        if b"Mixed" in data:
            cure = "save it as .vtu or .msh; facets beside quadratic cells or beside lines cannot be read from .xdmf"
            raise MeshError("an .xdmf file of several kinds of cells", got=error, cure=cure) from error
        raise
    cells: dict[str, list[np.ndarray]] = defaultdict(list)
    values: dict[str, dict[str, list[np.ndarray]]] = {name: defaultdict(list) for name in mesh.cell_data}
    for number, block in enumerate(mesh.cells):
        if block.type not in FILE_KINDS:
            raise unknown_kind(f"'{block.type}'")
        cells[block.type].append(np.asarray(block.data, dtype=np.int64))
        for name, arrays in mesh.cell_data.items():
            if len(arrays[number]) != len(block.data):
                raise ValueError("an array is not as long as there are cells")
            values[name][block.type].append(np.asarray(arrays[number]))
    if not cells:
        raise ValueError("it holds no cells")
    joined = {name: _joined(arrays) for name, arrays in values.items()}
    return FileMesh(_three_columns(mesh.points), _joined(cells), groups_by_value(joined))


def _joined(blocks: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    return {kind: np.concatenate(arrays) for kind, arrays in blocks.items()}


def _read(path: Path) -> Any:
    """The file as meshio has it; whatever meshio says or does about it is a ValueError."""
    from meshio import xdmf

    said = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
            mesh = xdmf.read(path)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{type(error).__name__} {error}".strip()) from error
    if said.getvalue():
        raise ValueError(" ".join(said.getvalue().split()))
    return mesh


def _three_columns(points: Any) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] > 3:
        raise ValueError(f"points of shape {points.shape}")
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def _check(path: Path, data: bytes) -> None:
    """Data stand in the file itself or in the HDF5 file beside it, and are no longer than these."""
    require("h5py", "mesh")
    formats = {name.lower() for name in re.findall(rb'Format\s*=\s*["\']\s*(\w+)', data)}
    if other := formats - {b"xml", b"hdf"}:
        cure = "save it with its data in the file itself or in HDF5"
        raise MeshError(
            "an .xdmf file with its data elsewhere", expected="XML or HDF", got=min(other).decode(), cure=cure
        )
    beside = {name.decode() for name in re.findall(rb">\s*([^<>:\n]+):/?[^<>]*<", data)}
    sizes = [_hdf5_size(path.parent / name) for name in beside] if b"hdf" in formats else []
    dimensions = re.findall(rb'Dimensions\s*=\s*["\']([\d\s]*)', data)
    _check_counts([number for each in dimensions for number in each.split()], len(data) + sum(sizes))


def _hdf5_size(path: Path) -> int:
    """The bytes of an HDF5 file, unpacked; ValueError if a data set says that it is unpacked to more than it can be."""
    import h5py

    packed = path.stat().st_size
    sizes: list[int] = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    if sum(sizes) > 1100 * packed:
        raise ValueError(f"{path.name} announces {sum(sizes)} bytes of data in {packed}")
    return max(sum(sizes), packed)


def _check_counts(counts: list[bytes], most: int) -> None:
    """Refuse to make room for more than a file can hold."""
    for count in counts:
        if len(count) > 18 or int(count) > 1100 * most:
            raise ValueError(f"it announces {count.decode()[:30]} numbers in {most} bytes")
