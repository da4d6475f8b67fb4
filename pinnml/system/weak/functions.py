"""Test functions: which are free, what they carry at quadrature points, and their Gram matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from pinnml.domains import Mesh, Sample
from pinnml.elements import Discretisation, Patch, constraint, essential
from pinnml.errors import SettingsError
from pinnml.problem import Term, test_names

#: More test functions than these would take minutes, and gigabytes, for their Gram matrix alone.
MOST = 8192
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class TestFunctions:
    """The M test functions of a field, size of them. name: theirs; numbers: those of the S that the field carries.

    Degree of freedom start + d is a part of functions columns_d (c,), by shares_d (c,).
    """

    __test__: ClassVar[bool] = False  # no test for pytest to collect

    field: str
    name: str
    numbers: range
    metric: Tensor
    start: int
    columns: Tensor
    shares: Tensor
    size: int

    def carried(self, patches: list[Patch]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """For each number which functions carry it at the samples, and their values times the weights."""
        functions: dict[int, list[Tensor]] = {number: [] for number in self.numbers}
        values: dict[int, list[Tensor]] = {number: [] for number in self.numbers}
        own = [(p.weight, each) for p in patches for each in p.pieces if int(each.places[0]) in self.numbers]
        for weight, piece in own:
            dofs = (piece.dofs - self.start).unsqueeze(1).expand(-1, weight.shape[1], -1).flatten(0, 1)  # (n, k)
            for number, carried in zip(piece.places.tolist(), piece.functions, strict=True):
                weighted = (weight.unsqueeze(-1) * carried).flatten(0, 1)
                functions[number].append(self.columns[dofs].flatten(1))
                values[number].append((weighted.unsqueeze(-1) * self.shares[dofs]).flatten(1))
        return tuple(map(torch.cat, functions.values())), tuple(map(torch.cat, values.values()))


def functions_by_field(parts: Discretisation, kept: Sequence[Term]) -> list[TestFunctions]:
    """The test functions of every field: those that vanish where the equations that are kept hold values."""
    held = constraint(parts, essential(parts, (t for t in kept if not t.equation.integral)))
    length, names = extent_of(parts.mesh), test_names(parts.problem.fields)
    found, first = [], 0
    for carried, dofs in zip(parts.carried, parts.lengths, strict=True):
        start = parts.starts[carried.field.name]
        own = held.free[start : start + dofs]
        used, numbered = np.unique(own.indices, return_inverse=True)
        columns, shares = _padded(csr_array((own.data, numbered, own.indptr), shape=(dofs, max(len(used), 1))))
        metric = torch.tensor(carried.metric(length), dtype=torch.float64)
        name, numbers = carried.field.name, range(first, first + carried.size)
        found.append(TestFunctions(name, names[name], numbers, metric, start, columns, shares, len(used)))
        first += carried.size
    return found


def extent_of(mesh: Mesh) -> float:
    """The longest side of the bounding box."""
    return float(np.ptp(mesh.bounds, axis=1).max())


def gram_factor(parts: Discretisation, tests: TestFunctions, degree: int) -> Tensor:
    """The lower factor (M, M) of the Gram matrix of test functions."""
    m = tests.size
    if not 0 < m <= MOST:
        cure = "give a finer mesh" if not m else "give a coarser mesh, mesh=..., or lower the degree"
        message = f"test functions of the field '{tests.field}'"
        raise SettingsError(message, expected=f"1 to {MOST} that are free", got=m, cure=cure)
    patches = parts.patches("interior", (), degree, CPU)
    weight, gram = points_of(patches).weight.numpy(), csr_array((m, m))
    for functions, values, factor in zip(*tests.carried(patches), tests.metric.tolist(), strict=True):
        samples = np.repeat(np.arange(len(weight)), functions.shape[1])
        matrix = coo_array((values.flatten().numpy(), (functions.flatten().numpy(), samples)), (m, len(weight))).tocsr()
        gram = gram + factor * (matrix @ (matrix.T.multiply(1 / weight[:, None])).tocsr())
    return torch.linalg.cholesky(torch.from_numpy(gram.toarray()))


def points_of(patches: list[Patch]) -> Sample:
    """The quadrature points of patches, one after the other."""
    samples = [patch.integrand.sample for patch in patches]
    normals = [sample.normal for sample in samples if sample.normal is not None]
    x, weight = (torch.cat([getattr(sample, name) for sample in samples]) for name in ("x", "weight"))
    return Sample(x, weight, torch.cat(normals) if normals else None)


def _padded(matrix: csr_array) -> tuple[Tensor, Tensor]:
    """The rows of a sparse matrix (N, M), filled up with zeros to one length c: columns (N, c) and values (N, c)."""
    counts = np.diff(matrix.indptr)
    places = np.arange(counts.max(initial=1)) < counts[:, None]
    columns, values = np.zeros(places.shape, dtype=np.int64), np.zeros(places.shape)
    columns[places], values[places] = matrix.indices, matrix.data
    return torch.from_numpy(columns), torch.from_numpy(values)
