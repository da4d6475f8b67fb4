"""What users choose of a network: what all settings share, and how they build a fresh network for a domain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from pinnml.domains import Domain
from pinnml.networks.base import Basis, Coordinates, Inputs, Network
from pinnml.validation import function, or_none, settle


class NetworkSettings(Protocol):
    """Met by MLP, Features, Wrapped and whatever can build a network."""

    def build(
        self, domain: Domain, columns: int, generator: torch.Generator, dtype: torch.dtype, device: torch.device
    ) -> Network:
        """A fresh network with `columns` real outputs. Weights are drawn on the CPU in float64, then moved."""
        ...

    def halved(self) -> NetworkSettings | None:
        """Settings of a network of half the size, to compare with; None where there is no such thing."""
        ...


@dataclass(frozen=True)
class Specification:
    """What a network is built for: its inputs, the number of its outputs, and where it is moved in the end."""

    inputs: Inputs
    columns: int
    generator: torch.Generator
    dtype: torch.dtype
    device: torch.device


class Settings(NetworkSettings, ABC):
    """Settings of one kind of network, a frozen dataclass. Must define: `inputs`, `halved` and `_basis_and_head`."""

    inputs: Coordinates | None

    def __post_init__(self) -> None:
        settle(self, or_none(function), "inputs")

    def build(
        self, domain: Domain, columns: int, generator: torch.Generator, dtype: torch.dtype, device: torch.device
    ) -> Network:
        """A fresh network with `columns` real outputs."""
        wanted = Specification(self._inputs(domain), columns, generator, dtype, device)
        return Network(wanted.inputs, *self._basis_and_head(wanted)).to(device, dtype)

    def least_numbers(self, inputs: int, columns: int) -> int:
        """How many parameters a network for so many inputs and outputs has at least; 0 where they are there already."""
        return 0

    def _inputs(self, domain: Domain) -> Inputs:
        return Inputs(domain, self.inputs)

    @abstractmethod
    def _basis_and_head(self, wanted: Specification) -> tuple[Basis, Tensor]:
        """The basis, and the head coef (k, columns); `build` moves them to where they are wanted."""
