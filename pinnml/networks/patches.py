"""What users choose of patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import Jet, coordinate_jets
from pinnml.domains import Box, Domain
from pinnml.errors import SettingsError
from pinnml.networks.base import Inputs
from pinnml.networks.patch_basis import PatchBasis
from pinnml.networks.settings import Settings, Specification
from pinnml.validation import fraction, settle, whole_number


@dataclass(frozen=True)
class Patches(Settings):
    """Settings of polynomials on overlapping patches: u = sum over patches of window(x) times a polynomial of x.

    count: patches along each axis, one number for all or one for each. degree: the total degree of the polynomials.
    overlap: what patches have in common with a neighbour, from either side, as a part of their length. smoothness: the
    continuous derivatives of the windows. A periodic axis is one for the patches too. Equations couple neighbours only,
    so tens of thousands of functions are solved for at once, which suits many waves and narrow features. Points should
    be even: rule="sobol". The head starts at zero. Raises SettingsError for settings that cannot be.
    """

    count: int | Sequence[int] = 8
    degree: int = 8
    overlap: float = 0.15
    smoothness: int = 3
    inputs: None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, whole_number, "degree", "smoothness")
        settle(self, fraction, "overlap")
        object.__setattr__(self, "count", _whole_numbers(self.count))
        if self.inputs is not None:
            cure = "leave inputs out, and choose count by axis where a layer is thin"
            raise SettingsError("patches lie in the coordinates", expected="inputs=None", got=self.inputs, cure=cure)
        if self.overlap > 0.5:
            cure = "choose 0.1 to 0.3"
            raise SettingsError(
                "patches that overlap with more than one neighbour",
                expected="overlap <= 0.5",
                got=self.overlap,
                cure=cure,
            )

    def halved(self) -> Patches | None:
        """Half the patches along the axes that have most; None for a single patch."""
        counts = (self.count,) if isinstance(self.count, int) else tuple(self.count)
        if max(counts) == 1:
            return None
        fewer = [max(n // 2, 1) if n == max(counts) else n for n in counts]
        return replace(self, count=fewer[0] if isinstance(self.count, int) else tuple(fewer))

    def _inputs(self, domain: Domain) -> Inputs:
        return UnitBox(domain)

    def _basis_and_head(self, wanted: Specification) -> tuple[PatchBasis, Tensor]:
        assert isinstance(wanted.inputs, UnitBox)
        axes = wanted.inputs.size
        counts = (self.count,) * axes if isinstance(self.count, int) else tuple(self.count)
        if len(counts) != axes:
            raise SettingsError(
                "the patches along the axes",
                expected=f"one number, or one for each of the {axes} axes",
                got=counts,
                cure=f"write count={(8,) * axes}",
            )
        if any(n < 2 and wraps for n, wraps in zip(counts, wanted.inputs.periodic, strict=True)):
            cure = "choose 2 or more along it"
            raise SettingsError("the patches along a periodic axis", expected="at least 2", got=1, cure=cure)
        basis = PatchBasis(counts, wanted.inputs.periodic, self.degree, self.overlap, self.smoothness)
        return basis, torch.zeros((basis.size, wanted.columns), dtype=torch.float64)


class UnitBox(Inputs):
    """The coordinates on the unit box, each as it is, also those that are periodic."""

    def __init__(self, domain: Domain):
        bounds = torch.from_numpy(domain.bounds)
        self._axes, self.extras, self.size = domain.axes, 0, len(bounds)
        self._low, self._high = bounds.unbind(1)
        wraps = domain.periodic if isinstance(domain, Box) else ()
        self.periodic = tuple(name in wraps for name in domain.axes.names)

    def __call__(self, x: Tensor, indices: Any) -> Jet:
        """The inputs at x (n, d), as a jet (K, n, d)."""
        jets = coordinate_jets(indices, x)
        low, width = self._low.tolist(), (self._high - self._low).tolist()
        units = [(jet - start) / length for jet, start, length in zip(jets, low, width, strict=True)]
        return Jet(indices, torch.stack([unit.coefficients for unit in units], dim=-1))

    @property
    def groups(self) -> list[list[int]]:
        """Every input is one for itself."""
        return [[place] for place in range(self.size)]


def _whole_numbers(count: Any) -> int | tuple[int, ...]:
    if isinstance(count, (list, tuple)):
        return tuple(whole_number("count", each) for each in count)
    return whole_number("count", count)
