"""Solutions read back from checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnml.archive import read_archive
from pinnml.domains import Domain, domain_from_json
from pinnml.errors import CheckpointError
from pinnml.networks import NETWORKS, Network, NetworkSettings
from pinnml.problem import Field, Problem
from pinnml.solution import Solution
from pinnml.verdict import Verdict


def load(path: str | Path, problem: Problem | None = None, network: NetworkSettings | None = None) -> Solution:
    """The solution that `Solution.save` wrote, on the CPU.

    Without its problem the fields can be called; errors, residuals and integrals ask for it, and so do fields
    that come out of an ansatz. `network` is needed for a wrapped module or an `inputs` function, which a file
    cannot hold. Raises CheckpointError for a file that does not fit.
    """
    record, tensors = read_archive(path)
    try:
        fields = tuple(Field(*entry) for entry in record["fields"])
        domain = problem.domain if problem is not None else domain_from_json(record["domain"])
        settings = record["settings"]["network"]
        verdict = Verdict.from_json(record["verdict"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("the checkpoint lacks a part", got=f"{type(error).__name__}: {error}") from error
    if problem is None and record["ansatz"]:
        raise CheckpointError("these fields come out of an ansatz", cure="give the problem: load(path, problem=...)")
    if problem is not None and problem.fields != fields:
        raise CheckpointError(
            "the checkpoint belongs to another problem",
            expected=", ".join(f.name for f in problem.fields),
            got=", ".join(f.name for f in fields),
        )
    built = _built(settings, network, domain, sum(f.columns for f in fields), tensors)
    history = tuple(record["history"])
    return Solution(domain, fields, built, record["parameters"], verdict, history, problem, record["settings"])


def _built(
    record: Mapping[str, Any],
    network: NetworkSettings | None,
    domain: Domain,
    columns: int,
    tensors: Mapping[str, Tensor],
) -> Network:
    settings = network or _settings(record)
    settings = replace(settings, **{name: record[name] for name in record["settled"]})  # pyright: ignore
    dtype = tensors["coef"].dtype if "coef" in tensors else torch.float64
    built = settings.build(domain, columns, torch.Generator().manual_seed(0), dtype, torch.device("cpu"))
    try:
        built.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise CheckpointError(
            "the checkpoint holds another network",
            expected=repr(settings),
            got=str(error).splitlines()[-1].strip(),
            cure="give the settings that it was saved with: load(path, network=...)",
        ) from error
    return built.requires_grad_(False)


def _settings(record: Mapping[str, Any]) -> NetworkSettings:
    options = {key: value for key, value in record.items() if key not in ("kind", "functions", "settled")}
    if record["kind"] not in NETWORKS or record["functions"]:
        raise CheckpointError(
            "the network holds a module or function of yours, which a file cannot",
            got=record["kind"] + "".join(f" with {name}" for name in record["functions"]),
            cure="give the settings again: load(path, network=...)",
        )
    return NETWORKS[record["kind"]](**options)
