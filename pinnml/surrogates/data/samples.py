"""Draws on one mesh and what solves the equations for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinnml.domains import Mesh
from pinnml.errors import DataSetError, NonFiniteError


@dataclass(frozen=True, eq=False)
class Samples:
    """n draws on a mesh with p corners, by ascending number.

    numbers (n,): of the draws, int64. inputs: by name values at corners (n, p), or numbers (n,). outputs (n, N): the
    numbers u of all fields, in the order of `Family.parts`; of series (n, T, N). All float64, on the CPU.

    Raises DataSetError for arrays that do not fit, NonFiniteError for NaN and infinity, both naming the draw.
    """

    mesh: Mesh
    numbers: Tensor
    inputs: Mapping[str, Tensor]
    outputs: Tensor

    def __post_init__(self) -> None:
        n, p = len(self.numbers), len(self.mesh.cells.numbered(0)[1])
        shapes = {name: tuple(value.shape) for name, value in self.inputs.items()}
        kinds = {value.dtype for value in (*self.inputs.values(), self.outputs)}
        fits = all(shape in ((n,), (n, p)) for shape in shapes.values()) and self.outputs.ndim in (2, 3)
        if not fits or len(self.outputs) != n or kinds != {torch.float64} or self.numbers.dtype != torch.int64:
            expected = f"inputs ({n},) or ({n}, {p}) and outputs ({n}, N) or ({n}, T, N), in double precision"
            got = f"{shapes}, outputs {tuple(self.outputs.shape)} of {', '.join(map(str, kinds))}"
            cure = "give nodal values at the corners of the mesh"
            raise DataSetError("samples do not fit their mesh", expected=expected, got=got, cure=cure)
        if n and bool((self.numbers.diff() <= 0).any() or self.numbers[0] < 0):
            got = str(self.numbers[:8].tolist())
            raise DataSetError("draws are out of order", expected="ascending numbers from 0", got=got)
        for name, value in (*self.inputs.items(), ("the solution", self.outputs)):
            check_finite(name, value, self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def of(self, numbers: Iterable[int]) -> Samples:
        """Those of some draws."""
        rows = torch.from_numpy(np.flatnonzero(np.isin(self.numbers.numpy(), np.array(list(numbers), dtype=np.int64))))
        inputs = {name: value[rows] for name, value in self.inputs.items()}
        return Samples(self.mesh, self.numbers[rows], inputs, self.outputs[rows])

    def draw(self, row: int) -> dict[str, Tensor]:
        """The inputs of one row, as `Family` takes them."""
        return {name: value[row] for name, value in self.inputs.items()}


def check_finite(name: str, value: Tensor, numbers: Tensor) -> None:
    """Raise NonFiniteError for values (n, ...) that are not finite, with the number of the first such draw."""
    bad = ~torch.isfinite(value.flatten(1) if value.ndim > 1 else value[:, None]).all(dim=1)
    if bool(bad.any()):
        first, count = int(numbers[bad][0]), int(bad.sum())
        cure = "look at the distributions: do coefficients stay positive?"
        message = f"draw {first}: {name} is not finite"
        raise NonFiniteError(message, expected="finite values", got=f"NaN or infinity in {count} draws", cure=cure)
