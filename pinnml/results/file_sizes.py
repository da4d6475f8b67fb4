"""What a file says is compared with what is in it before anything is made of it, so that none asks for much memory."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from pinnml.errors import CheckpointError
from pinnml.problem import Field
from pinnml.results.verdict import Verdict

#: Tensors may share their numbers; together they are at most so many times as large as the file.
SHARED = 16
#: A network may have so many times the numbers in the file, and so many more: knots are counted roughly.
ROUGHLY, FEW = 2, 1000
AGAIN = "save the solution again; files of other programs cannot be read"


def check_members(path: Path) -> None:
    """Raise CheckpointError for an archive whose members are larger than they look, before it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # what it is instead is found out in reading
    packed = [each.filename for each in members if each.compress_type != zipfile.ZIP_STORED]
    if packed or sum(each.file_size for each in members) > path.stat().st_size:
        got = f"'{path}', with {packed[0] if packed else 'members'} larger than in the file"
        raise CheckpointError("this file was not saved by pinnml", expected="plain tensors", got=got, cure=AGAIN)


def check_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError for tensors that have more numbers than the file, or are of a kind that no solution has."""
    size, total = path.stat().st_size, 0
    for name, tensor in tensors.items():
        plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        bytes_of = tensor.numel() * tensor.element_size() if plain else 0
        total += bytes_of
        if not plain or bytes_of > size or total > SHARED * size:
            got = f"'{name}', {tuple(tensor.shape)} of {tensor.dtype} in {size} bytes"
            raise CheckpointError("a tensor does not fit the file", expected="plain tensors", got=got, cure=AGAIN)


def checked_fields(record: Any) -> tuple[Field, ...]:
    """The fields of a record. Raises TypeError for numbers or flags that are none."""
    for name, components, is_complex, is_vector in record:
        whole = isinstance(components, int) and not isinstance(components, bool) and components >= 1
        if not (isinstance(name, str) and whole and isinstance(is_complex, bool) and isinstance(is_vector, bool)):
            raise TypeError(f"{name!r} with {components!r} components is no field")
    return tuple(Field(*entry) for entry in record)


def check_verdict(verdict: Verdict) -> None:
    """Raise TypeError or ValueError for a verdict that could not be printed."""
    for name, hint in get_type_hints(Verdict).items():
        value, origin = getattr(verdict, name), get_origin(hint)
        kinds: Any = get_args(hint) if origin in (Union, UnionType) else (origin or hint,)
        kinds = (*kinds, int) if float in kinds else kinds
        entries = value if origin is tuple and isinstance(value, tuple) else ()
        if not isinstance(value, kinds) or not all(isinstance(each, str) for each in entries):
            raise TypeError(f"'{name}' of the verdict is {value!r}")
    _ = str(verdict), verdict.summary, verdict.complaints  # whatever is wrong inside comes out here


def check_size(settings: Mapping[str, Any], columns: int, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError where a network of these settings would be larger than the tensors that it is to hold."""
    coef = tensors["coef"]
    if coef.dtype not in (torch.float32, torch.float64) or coef.ndim != 2 or coef.shape[1] != columns:
        raise ValueError(f"a head of shape {tuple(coef.shape)} and type {coef.dtype} for {columns} columns")
    numbers = sum(tensor.numel() for tensor in tensors.values())
    width, depth = (int(settings.get(name) or 1) for name in ("width", "depth"))
    width = max(width, int(settings.get("count") or 1))
    intervals = settings.get("intervals") or 0
    pieces = max([intervals] if isinstance(intervals, int) else list(intervals)) + int(settings.get("order") or 1)
    if depth > len(tensors) or width * pieces * (1 + (depth - 1) * width) > ROUGHLY * numbers + FEW:
        raise ValueError(f"width {width} and depth {depth} for {numbers} numbers in {len(tensors)} tensors")
