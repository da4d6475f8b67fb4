"""Checkpoints as files: tensors and JSON, nothing that could run code."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnml.errors import CheckpointError
from pinnml.output.files import replacing

FORMAT, VERSION = "pinnml checkpoint", 1


def write_archive(path: str | Path, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Write a JSON record and named tensors; an old file is replaced only once the new one is whole."""
    path = Path(path)
    content = {"format": FORMAT, "version": VERSION, "record": json.dumps(record), "tensors": dict(tensors)}
    with replacing(path) as temporary:
        torch.save(content, temporary)
    return path


def read_archive(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The record and the tensors, on the CPU.

    Raises CheckpointError for a file that is missing, truncated, foreign, or of a later version.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("there is no such checkpoint", expected="a file", got=str(path))
    try:
        with warnings.catch_warnings(action="ignore"):  # PyTorch warns of pickles that it then refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, OSError) as error:
        raise CheckpointError(
            "this file is not a checkpoint, or only part of one",
            expected="a file that pinnml saved",
            got=f"'{path}': {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            cure="save the solution again; files of other programs cannot be read",
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError("this file was not saved by pinnml", expected=FORMAT, got=f"'{path}'")
    if missing := {"version", "record", "tensors"} - set(content):
        raise CheckpointError("the checkpoint lacks a part", expected=min(missing), got=f"'{path}' without it")
    if content["version"] > VERSION:
        raise CheckpointError("a later version saved this file", expected=f"version {VERSION}", got=content["version"])
    return json.loads(content["record"]), content["tensors"]
