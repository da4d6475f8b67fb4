"""Surrogates as files: weights, modes and scales, tensors and JSON alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pinnml.domains import Mesh
from pinnml.errors import CheckpointError
from pinnml.problem import Problem
from pinnml.results import provenance
from pinnml.results.checkpoint_file import read_archive, write_archive
from pinnml.surrogates.data import digest_of
from pinnml.surrogates.data.identity import fields_of, random_of
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.features import Features
from pinnml.surrogates.graphs import SINGLE, MeshGraph
from pinnml.surrogates.networks import NETWORKS
from pinnml.surrogates.reduced_basis import ReducedBasis
from pinnml.surrogates.surrogate import Surrogate

KIND = "surrogate"


def save_surrogate(surrogate: Surrogate, path: str | os.PathLike[str], about: Mapping[str, Any] | None = None) -> Path:
    """Write a surrogate into one file; about: anything to be kept with it, in the words of JSON."""
    family, tensors = surrogate.family, {f"network.{n}": t for n, t in surrogate.network.state_dict().items()}
    if surrogate.coarse is not None:
        tensors["modes"] = torch.from_numpy(surrogate.coarse.modes)
    record = {
        "kind": KIND,
        "identity": identity(family),
        "degree": family.degree,
        "network": {"kind": type(surrogate.settings).__name__, **asdict(surrogate.settings)},  # pyright: ignore[reportArgumentType]
        "features": surrogate.features.to_json(),
        "about": dict(about or {}),
        "provenance": provenance(),
    }
    return write_archive(Path(path), record, tensors)


def load_surrogate(path: str | os.PathLike[str], problem: Problem, mesh: Mesh | None = None) -> Surrogate:
    """The surrogate of a file, for the problem that it was trained on.

    Raises CheckpointError for a file that is none, or of another problem, mesh or network.
    """
    record, tensors = read_archive(Path(path))
    if record.get("kind") != KIND:
        cure = "give a file that `pinnml train` or save_surrogate wrote"
        raise CheckpointError("this file holds no surrogate", expected=KIND, got=f"'{path}'", cure=cure)
    try:
        family = Family.of(problem, mesh, int(record["degree"]))
        _check_identity(record["identity"], identity(family))
        return _surrogate(family, record, tensors)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        got = str(error).partition("\n")[0] or type(error).__name__
        message, cure = f"the surrogate in '{path}' is not whole", "train it again"
        raise CheckpointError(message, expected="settings, scales and weights that fit", got=got, cure=cure) from error


def identity(family: Family) -> dict[str, Any]:
    """What a surrogate is for: fields, random inputs and the mesh."""
    problem = family.problem
    return {"fields": fields_of(problem), "random inputs": random_of(problem), "mesh": digest_of(family.mesh)}


def _check_identity(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    for what, value in own.items():
        if saved[what] != value:
            cure = "give the problem, with the parameters, and the mesh that it was trained for"
            raise CheckpointError(f"the surrogate is for another {what}", expected=saved[what], got=value, cure=cure)


def _surrogate(family: Family, record: Mapping[str, Any], tensors: Mapping[str, Any]) -> Surrogate:
    settings = dict(record["network"])
    kind = NETWORKS[settings.pop("kind")](**settings)
    features = Features.from_json(record["features"])
    coarse = ReducedBasis(family, tensors["modes"].numpy()) if "modes" in tensors else None
    if (coarse is None) != (features.corrections is None) or (coarse is not None and len(coarse.modes) != family.size):
        raise ValueError("modes of another surrogate")
    graph = MeshGraph.of(family.parts)
    inputs = features.count(family, graph, coarse is not None)
    columns, generator = family.problem.columns, torch.Generator().manual_seed(0)
    network = kind.build(inputs, graph.edge_features.shape[1], columns, generator, SINGLE, torch.device("cpu"))
    network.load_state_dict({n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")})
    return Surrogate(family, kind, network, features, coarse)
