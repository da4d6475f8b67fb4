"""Checkpoints as files: tensors and JSON, nothing that could run code, and a checksum of both."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnml.errors import CheckpointError
from pinnml.output import CHECKPOINT
from pinnml.output.files import replacing

FORMAT, VERSION = CHECKPOINT, 1
#: The parts of a file beside its format, and what each of them is.
PARTS = {"version": int, "record": str, "tensors": dict, "checksum": str}
AGAIN = "save the solution again; files of other programs cannot be read"


def write_archive(path: str | Path, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Write a JSON record and named tensors; an old file is replaced only once the new one is whole."""
    path, text = Path(path), json.dumps(record)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "record": text,
        "tensors": dict(tensors),
        "checksum": checksum(text, tensors),
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)
    return path


def read_archive(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The record and the tensors, on the CPU.

    Raises CheckpointError for a file that is missing, truncated, changed, foreign, or of a later version.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            "there is no such checkpoint",
            expected="a file",
            got=f"'{path}', which is a folder" if path.is_dir() else f"'{path}'",
            cure="give the path that a solution was saved to, such as run/checkpoint.pt",
        )
    content = _content(path)
    text, tensors = content["record"], content["tensors"]
    if content["checksum"] != checksum(text, tensors):
        raise CheckpointError(
            "the checkpoint was damaged or changed after it was saved",
            expected=f"the checksum {content['checksum'][:12]}...",
            got=f"another one for what is in '{path}'",
            cure=AGAIN,
        )
    try:
        record = json.loads(text)
    except ValueError as error:
        raise _lacking(path, "a record in JSON", str(error)) from error
    if not isinstance(record, dict):
        raise _lacking(path, "a record by name", type(record).__name__)
    return record, tensors


def checksum(record: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the record and of the name, dtype, shape and bytes of every tensor."""
    digest = hashlib.sha256(record.encode())
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _content(path: Path) -> dict[str, Any]:
    """What the file holds, each part of the right kind."""
    try:
        with warnings.catch_warnings(action="ignore"):  # PyTorch warns of pickles that it then refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes that no program wrote can break the reader anywhere
        raise CheckpointError(
            "this file is not a checkpoint, or only part of one",
            expected="a file that pinnml saved",
            got=f"'{path}': {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            cure=AGAIN,
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError("this file was not saved by pinnml", expected=FORMAT, got=f"'{path}'", cure=AGAIN)
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise CheckpointError(
            "a later version saved this file",
            expected=f"version {VERSION}",
            got=f"version {version}",
            cure="install that version of pinnml, or save the solution with this one",
        )
    for part, kind in PARTS.items():
        if not isinstance(content.get(part), kind):
            raise _lacking(path, f"{part}, as {kind.__name__}", type(content.get(part)).__name__)
    if not all(isinstance(n, str) and isinstance(t, Tensor) for n, t in content["tensors"].items()):
        raise _lacking(path, "tensors by name", "something else among them")
    return content


def _lacking(path: Path, expected: str, got: str) -> CheckpointError:
    return CheckpointError("the checkpoint lacks a part", expected=expected, got=f"'{path}': {got}", cure=AGAIN)
