"""Records and arrays in one HDF5 file, looked over before anything large is read.

The first 512 bytes say what the file is and have the checksum of all that follows, so that the library that reads HDF5
never sees a file that was cut or changed. The record lists all arrays with type, shape and checksum; arrays lie in the
file as they are, neither packed nor in pieces. Equal content gives equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinnml.errors import DataSetError
from pinnml.extras import require
from pinnml.output.files import replacing
from pinnml.run import free_bytes, shown

#: What a file begins with, before its checksum, and the bytes that are kept for that.
SIGNATURE, HEAD = b"pinnml data set 1\n", 512
#: The name of the record among the arrays, and its most bytes.
RECORD, MOST = "record", 2**28
#: The types of arrays, and the axes that they have at most.
TYPES, AXES = ("<f8", "<i8"), 4
AGAIN = "make it again: pinnml data SCRIPT --samples N --out FILE"


def write_file(path: Path, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a record in JSON, and arrays by names without "/"; an old file is replaced once the new one is whole.

    Raises MissingExtraError without h5py.
    """
    h5py = require("h5py", "gnn")
    plain = {name: np.ascontiguousarray(a, dtype=TYPES[a.dtype.kind == "i"]) for name, a in arrays.items()}
    listed = {name: {"type": a.dtype.str, "shape": a.shape, "sha256": array_hash(a)} for name, a in plain.items()}
    text = json.dumps({"arrays": listed, **record}, allow_nan=False).encode()
    with disk_told(path), replacing(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=HEAD) as file:
            file.create_dataset(RECORD, data=np.frombuffer(text, dtype=np.uint8), track_times=False)
            for name, array in plain.items():
                file.create_dataset(name, data=array, track_times=False)
        with temporary.open("r+b") as stream:
            checksum = _checksum(stream)
            stream.seek(0)
            stream.write(SIGNATURE + checksum.encode() + b"\n")


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The record and the arrays.

    Raises DataSetError for a file that is missing, cut, changed, foreign or of a later version, and for arrays that are
    not what the record says, are larger than the file, or do not fit into memory.
    """
    _check_head(path)
    h5py = require("h5py", "gnn")
    try:
        with h5py.File(path, "r", locking=False) as file:
            size = path.stat().st_size
            if (length := _plain(h5py, file, RECORD, "|u1", None)) > min(size, MOST):
                raise ValueError(f"a record of {length} bytes")
            record = json.loads(file[RECORD][...].tobytes())
            listed = {str(name): (each["type"], each["shape"]) for name, each in record["arrays"].items()}
            total = sum(_plain(h5py, file, name, *kind) for name, kind in listed.items())
            if total > size:
                raise ValueError(f"arrays of {total} bytes in a file of {size}")
            _check_memory(path, total)
            arrays = {name: file[name][...] for name in listed}
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError, RecursionError) as error:
        raise no_data_set(path, str(error) or type(error).__name__) from error
    for name, array in arrays.items():
        if array_hash(array) != record["arrays"][name].get("sha256"):
            raise no_data_set(path, f"'{name}' with another checksum than its record says")
    return record, arrays


@contextmanager
def disk_told(path: Path) -> Iterator[None]:
    """What a disk refuses, as a DataSetError."""
    try:
        yield
    except OSError as error:
        cure = "make room, or choose another place; samples that are there are kept"
        message, expected = f"'{path}' cannot be written", "a place to write"
        raise DataSetError(message, expected=expected, got=str(error), cure=cure) from error


def array_hash(array: np.ndarray) -> str:
    """SHA-256 of the type, the shape and the bytes of an array."""
    found = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def no_data_set(path: Path, got: str) -> DataSetError:
    """The error for a file that is none."""
    expected = "a file that pinnml wrote"
    return DataSetError("this file is not a data set, or only part of one", expected=expected, got=got, cure=AGAIN)


def _check_head(path: Path) -> None:
    """Raise DataSetError for a file that does not begin like a data set, or not go on as it was written."""
    if not path.is_file():
        got = f"'{path}'" + (", which is a folder" if path.is_dir() else "")
        cure = "give the file that 'pinnml data ... --out FILE' wrote"
        raise DataSetError("there is no such data set", expected="a file", got=got, cure=cure)
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        kind, _, version = SIGNATURE.strip().rpartition(b" ")
        if head.startswith(kind + b" ") and not head.startswith(SIGNATURE):
            got, cure = repr(head[: len(SIGNATURE) + 8]), "install that version of pinnml, or make the data again"
            expected = f"version {version.decode()}"
            raise DataSetError("another version wrote this data set", expected=expected, got=got, cure=cure)
        if not head.startswith(SIGNATURE):
            raise no_data_set(path, f"'{path}'")
        said = head[len(SIGNATURE) :].partition(b"\n")[0]
        if _checksum(stream).encode() != said:
            raise no_data_set(path, f"'{path}', which was cut or changed after it was written")


def _checksum(stream: Any) -> str:
    """SHA-256 of all that follows the head, read in pieces."""
    stream.seek(HEAD)
    return hashlib.file_digest(stream, "sha256").hexdigest()


def _plain(h5py: Any, file: Any, name: str, kind: str, shape: Any) -> int:
    """The bytes of an array that lies in the file as it is. Raises ValueError for any other, and for other links."""
    if "/" in name or not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"'{name}' is no array of the file")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"'{name}' is no array")
    layout, stored = found.id.get_create_plist(), found.id.get_storage_size()
    plain = layout.get_layout() == h5py.h5d.CONTIGUOUS and not layout.get_external_count()
    has: tuple[int, ...] = found.shape or ()
    as_said = found.dtype.str == kind and (shape is None or tuple(shape) == has)
    known = kind in (*TYPES, "|u1") and len(has) <= AXES
    if not (plain and as_said and known and stored == math.prod(has) * found.dtype.itemsize):
        raise ValueError(f"'{name}' is {found.dtype.str} {found.shape} in {stored} bytes, and {kind} {shape} was said")
    return stored


def _check_memory(path: Path, total: int) -> None:
    free = free_bytes(torch.device("cpu"))
    if 2 * total > free:
        got, cure = f"{shown(2 * total)} for '{path}'", "read it on a larger machine"
        raise DataSetError("a data set does not fit into memory", expected=f"{shown(free)} free", got=got, cure=cure)
