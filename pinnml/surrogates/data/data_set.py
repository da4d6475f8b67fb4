"""Draws of a random problem, what solves it for each of them, and which of them train."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.domains import Mesh
from pinnml.errors import DataSetError
from pinnml.problem import Problem
from pinnml.surrogates.data.file import array_hash, no_data_set, read_file, write_file
from pinnml.surrogates.data.identity import check_same, fields_of, identity_of, random_of, short
from pinnml.surrogates.data.mesh_arrays import digest_of, mesh_arrays, mesh_of
from pinnml.surrogates.data.normaliser import Normaliser
from pinnml.surrogates.data.samples import Samples
from pinnml.surrogates.data.series import Series
from pinnml.surrogates.data.solving import check_solved
from pinnml.surrogates.data.split import PARTS, Split
from pinnml.surrogates.families.family import Family, posed_on


@dataclass(frozen=True, eq=False)
class DataSet:
    """Solved draws of a random problem, on one mesh or several.

    problem: its name. fields: the components of each, in order. random: what is random, in words. degree: of the
    Lagrange elements. seed: of the draws. samples: by mesh. split: every draw is in one part. normaliser: fitted on the
    training part alone. series: what states in time are of. origin: where the problem came from, in words.

    Raises DataSetError where these do not fit together.
    """

    problem: str
    fields: Mapping[str, int]
    random: Mapping[str, str]
    degree: int
    seed: int
    samples: tuple[Samples, ...]
    split: Split
    normaliser: Normaliser
    series: Series | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        drawn = sorted(number for each in self.samples for number in each.numbers.tolist())
        dealt = sorted(number for name in PARTS for number in getattr(self.split, name))
        if drawn != dealt or len(set(drawn)) != len(drawn) or not self.split.training:
            got = f"{len(drawn)} draws, of which {self.split}"
            raise DataSetError("draws are not split", expected="every draw once, and some for training", got=got)
        scaled = {name: len(scale.mean) for name, scale in self.normaliser.outputs.items()}
        if scaled != dict(self.fields) or list(self.normaliser.inputs) != list(self.random):
            got = f"{', '.join(self.normaliser.inputs)} and {short(scaled)}"
            expected = f"{', '.join(self.random)} and {short(self.fields)}"
            raise DataSetError("the scales are of another problem", expected=expected, got=got)
        for each in self.samples:
            steps, columns = (len(self.times),) if self.times else (), sum(self.fields.values())
            fits = tuple(each.outputs.shape[1:-1]) == steps and each.outputs.shape[-1] % columns == 0
            if not fits or list(each.inputs) != list(self.random):
                expected = f"inputs {', '.join(self.random)} and outputs (n, {''.join(f'{t}, ' for t in steps)}N)"
                got = f"{', '.join(each.inputs)} and {tuple(each.outputs.shape)}"
                raise DataSetError("samples are of another problem", expected=expected, got=got)

    @classmethod
    def fitted(cls, *, samples: tuple[Samples, ...], split: Split, fields: Mapping[str, int], **parts: Any) -> DataSet:
        """A set with the normaliser of its training part."""
        training = [part for each in samples if len(part := each.of(split.training))]
        inputs, outputs = [each.inputs for each in training], [each.outputs for each in training]
        normaliser = Normaliser.fitted(inputs, outputs, fields)
        return cls(samples=samples, split=split, fields=fields, normaliser=normaliser, **parts)

    def __len__(self) -> int:
        return sum(map(len, self.samples))

    def __repr__(self) -> str:
        meshes = f"{len(self.samples)} mesh{'es' * (len(self.samples) > 1)}"
        return f"DataSet({self.problem}: {len(self)} draws of {', '.join(self.random)} on {meshes}; {self.split})"

    @property
    def times(self) -> tuple[float, ...]:
        """Those of states, (T,); none of steady problems."""
        return () if self.series is None else self.series.times

    @property
    def mesh(self) -> Mesh:
        """The mesh of a set on one."""
        return self._only.mesh

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        """Those of a set on one mesh: by name (n, p) at corners or (n,)."""
        return self._only.inputs

    @property
    def outputs(self) -> Tensor:
        """Those of a set on one mesh, (n, N) or (n, T, N)."""
        return self._only.outputs

    def part(self, name: str) -> tuple[Samples, ...]:
        """The samples, by mesh, of "training", "validation" or "test"."""
        return tuple(each.of(getattr(self.split, name)) for each in self.samples)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every array of the samples."""
        return {name: array_hash(array) for name, array in self._arrays().items()}

    @property
    def identity(self) -> dict[str, Any]:
        """What may not differ between samples of one set."""
        meshes = [each.mesh for each in self.samples]
        return identity_of(self.problem, self.fields, self.random, meshes, self.degree, self.seed, self.series)

    def check_problem(self, problem: Problem) -> None:
        """Raise DataSetError for a problem with other fields or random inputs, or with equations not solved here."""
        own = {"fields": dict(self.fields), "random inputs": dict(self.random)}
        cure = "give the problem, with the parameters, that the data were made for"
        check_same(own, {"fields": fields_of(problem), "random inputs": random_of(problem)}, "the data", cure)
        samples = next(each for each in self.samples if len(each))
        family = Family.of(posed_on(problem, samples.mesh), samples.mesh, self.degree)
        check_solved(
            family,
            samples.outputs[(0,) * (samples.outputs.ndim - 1)],
            samples.draw(0),
            f"draw {int(samples.numbers[0])} of the data",
        )

    def check_mesh(self, mesh: Mesh) -> None:
        """Raise DataSetError for a mesh that no sample is on."""
        own = [digest_of(each.mesh) for each in self.samples]
        if digest_of(mesh) not in own:
            expected, got = " or ".join(f"the mesh {each:.12}" for each in own), f"the mesh {digest_of(mesh):.12}"
            cure = "give the mesh that the data were made on"
            raise DataSetError("the data are of another mesh", expected=expected, got=got, cure=cure)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the set into one file, which takes the place of an older one when it is whole."""
        arrays, meshes = self._arrays(), []
        for place, each in enumerate(self.samples):
            record, own = mesh_arrays(each.mesh)
            meshes.append(record)
            arrays |= {f"mesh{place}.{name}": array for name, array in own.items()}
        record = {name: getattr(self, name) for name in ("problem", "degree", "seed", "fields", "random", "origin")}
        record |= {name: getattr(self, name).to_json() for name in ("split", "normaliser")}
        series = None if self.series is None else self.series.to_json()
        write_file(Path(path), {**record, "series": series, "meshes": meshes}, arrays)
        return Path(path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> DataSet:
        """The set of a file. Raises DataSetError for one that is no data set, whole and unchanged."""
        record, arrays = read_file(Path(path))
        try:
            return _of_file(record, arrays)
        except Exception as error:  # records that no program wrote can break any part of it
            raise no_data_set(Path(path), str(error).partition("\n")[0] or type(error).__name__) from error

    @property
    def _only(self) -> Samples:
        if len(self.samples) != 1:
            got, cure = f"{len(self.samples)} meshes", "take them one by one: for each in data.samples"
            raise DataSetError("this data set is on several meshes", expected="one mesh", got=got, cure=cure)
        return self.samples[0]

    def _arrays(self) -> dict[str, np.ndarray]:
        found = {}
        for place, each in enumerate(self.samples):
            named = {"numbers": each.numbers, **{f"inputs.{name}": x for name, x in each.inputs.items()}}
            found |= {
                f"samples{place}.{name}": value.numpy() for name, value in (*named.items(), ("outputs", each.outputs))
            }
        return found


def _of_file(record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> DataSet:
    """The set of a record and its arrays. Raises where they do not fit."""
    samples, names, series = [], list(record["random"]), record["series"]
    for place, about in enumerate(record["meshes"]):
        own = {n.partition(".")[2]: array for n, array in arrays.items() if n.startswith(f"mesh{place}.")}
        values = {n: torch.from_numpy(arrays[f"samples{place}.inputs.{n}"]) for n in names}
        numbers, outputs = (torch.from_numpy(arrays[f"samples{place}.{n}"]) for n in ("numbers", "outputs"))
        samples.append(Samples(mesh_of(about, own), numbers, values, outputs))
    split = Split(*(tuple(map(int, record["split"][name])) for name in PARTS))
    return DataSet(
        problem=_text(record["problem"]),
        fields={_text(name): int(columns) for name, columns in record["fields"].items()},
        random={_text(name): _text(words) for name, words in record["random"].items()},
        degree=int(record["degree"]),
        seed=int(record["seed"]),
        samples=tuple(samples),
        split=split,
        normaliser=Normaliser.from_json(record["normaliser"]),
        series=None if series is None else Series(dict(series["carry"]), tuple(series["times"])),
        origin={_text(name): _text(words) for name, words in record["origin"].items()},
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} in the place of a text")
    return value
