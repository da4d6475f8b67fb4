"""Checkpoints as files: tensors and JSON, nothing that could run code, and a checksum of both."""

from __future__ import annotations

import hashlib
import io
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
from pinnml.results.file_sizes import AGAIN, check_members, check_tensors

FORMAT, VERSION = CHECKPOINT, 1
#: The parts of a file beside its format and version, and what each of them is.
PARTS = {"record": str, "tensors": dict, "checksum": str}
#: The one key of what stands for a tensor in JSON.
TENSOR = "tensor"


def write_archive(
    path: str | Path, record: Mapping[str, Any], tensors: Mapping[str, Tensor], progress: Any = None
) -> Path:
    """Write a JSON record and named tensors; an old file is replaced only once the new one is whole.

    progress: what a run goes on from, of numbers, texts, tensors, and lists and mappings by name of these.
    """
    path, content = Path(path), {"format": FORMAT, "version": VERSION, **_part(record, tensors)}
    if progress is not None:
        apart: dict[str, Tensor] = {}
        content["progress"] = _part({"progress": _taken_apart(progress, apart)}, apart)
    whole = io.BytesIO()  # PyTorch's own writer does not say why a file cannot be written
    torch.save(content, whole)
    with replacing(path) as temporary:
        temporary.write_bytes(whole.getbuffer())
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
            got=f"'{path}'",
            cure="give the path that a solution was saved to, such as run/checkpoint.pt",
        )
    return _checked(path, _content(path))


def read_progress(path: str | Path) -> Mapping[str, Any] | None:
    """What a run goes on from, tensors on the CPU; None where the file has no such part. Raises CheckpointError."""
    content = _content(Path(path)).get("progress")
    if content is None:
        return None
    _check_parts(Path(path), content)
    record, tensors = _checked(Path(path), content)
    try:
        found = _put_together(record["progress"], tensors)
    except (KeyError, TypeError, RecursionError) as error:
        raise _lacking(Path(path), "all that a run goes on from", repr(error)) from error
    if not isinstance(found, dict):
        raise _lacking(Path(path), "what a run goes on from by name", type(found).__name__)
    return found


def checksum(record: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the record and of the name, dtype, shape and bytes of every tensor."""
    digest = hashlib.sha256(record.encode())
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _part(record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """A record and tensors with the checksum of both."""
    text = json.dumps(record)
    return {"record": text, "tensors": dict(tensors), "checksum": checksum(text, tensors)}


def _checked(path: Path, content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The record and the tensors of a part, if nothing has changed them."""
    text, tensors = content["record"], content["tensors"]
    check_tensors(path, tensors)
    if content["checksum"] != checksum(text, tensors):
        raise CheckpointError(
            "the checkpoint was damaged or changed after it was saved",
            expected=f"the checksum {content['checksum'][:12]}...",
            got=f"another one for what is in '{path}'",
            cure=AGAIN,
        )
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _lacking(path, "a record in JSON", str(error)) from error
    if not isinstance(record, dict):
        raise _lacking(path, "a record by name", type(record).__name__)
    return record, tensors


def _taken_apart(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """The tree in the words of JSON, its tensors by name beside it."""
    if isinstance(tree, Tensor):
        name = str(len(tensors))
        tensors[name] = tree.detach().cpu().clone()
        return {TENSOR: name}
    if isinstance(tree, Mapping):
        return {str(name): _taken_apart(each, tensors) for name, each in tree.items()}
    return [_taken_apart(each, tensors) for each in tree] if isinstance(tree, (list, tuple)) else tree


def _put_together(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The tree with its tensors in their places."""
    if isinstance(tree, dict):
        if set(tree) == {TENSOR}:
            return tensors[tree[TENSOR]]
        return {name: _put_together(each, tensors) for name, each in tree.items()}
    return [_put_together(each, tensors) for each in tree] if isinstance(tree, list) else tree


def _content(path: Path) -> dict[str, Any]:
    """What the file holds, each part of the right kind."""
    check_members(path)
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
    if not isinstance(version, int):
        raise _lacking(path, "version, as int", type(version).__name__)
    _check_parts(path, content)
    return content


def _check_parts(path: Path, content: Any) -> None:
    """Refuse a record, tensors or a checksum of another kind."""
    for part, kind in PARTS.items():
        found = content.get(part) if isinstance(content, dict) else None
        if not isinstance(found, kind):
            raise _lacking(path, f"{part}, as {kind.__name__}", type(found).__name__)
    if not all(isinstance(n, str) and isinstance(t, Tensor) for n, t in content["tensors"].items()):
        raise _lacking(path, "tensors by name", "something else among them")


def _lacking(path: Path, expected: str, got: str) -> CheckpointError:
    return CheckpointError("the checkpoint lacks a part", expected=expected, got=f"'{path}': {got}", cure=AGAIN)
