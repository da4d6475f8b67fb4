"""First weights and biases of layers on the unit box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinnml.domains.rules import sobol_points
from pinnml.errors import SettingsError

Layer = tuple[Tensor, Tensor]

#: The bandwidth of ridge functions on the unit box when none is given: a few waves across a side.
DEFAULT_BANDWIDTH = 8.0
#: The steepest ridge that the box initialisation draws: a hinge in the very corner would make k unbounded.
STEEPEST = 100.0
#: Random directions of which the best are taken, for each one that is asked for.
CANDIDATES = 20


def glorot(inputs: int, outputs: int, generator: torch.Generator, *, first: bool) -> Layer:
    """W ~ N(0, 2 / (inputs + outputs)), b = 0; the first layer sees the unit box as [-1, 1]^d."""
    weight = torch.randn((inputs, outputs), generator=generator, dtype=torch.float64)
    weight *= math.sqrt(2 / (inputs + outputs))
    return (2 * weight, -weight.sum(dim=0)) if first else (weight, torch.zeros(outputs, dtype=torch.float64))


def siren(inputs: int, outputs: int, generator: torch.Generator) -> Layer:
    """For inner sine layers: W ~ U(-c, c) with c = sqrt(6 / inputs), phases uniform on the circle."""
    weight = math.sqrt(6 / inputs) * (2 * _uniform((inputs, outputs), generator) - 1)
    return weight, 2 * math.pi * _uniform((outputs,), generator)


@dataclass(frozen=True)
class Ridges:
    """A layer of ridge functions f(w.x + b) on the unit box, kept with its draws so that it can be scaled anew.

    directions (e, k) in [-1, 1], phases (k,) in [0, 2 pi], centres (e, k) in the unit box: one scrambled Sobol
    set, which covers the box of frequencies more evenly than independent draws. bandwidth (e,) scales the
    directions; `searched` says which of bandwidth and activation a solver may choose.
    """

    directions: Tensor
    phases: Tensor
    centres: Tensor
    bandwidth: Tensor
    activation: str
    searched: tuple[str, ...] = ()

    @classmethod
    def draw(cls, count: int, bandwidth: Tensor, activation: str, generator: torch.Generator) -> Ridges:
        """`count` ridge functions of as many inputs as the bandwidth has entries."""
        inputs = len(bandwidth)
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        unit = sobol_points(count, 2 * inputs + 1, seed).T
        return cls(2 * unit[:inputs] - 1, 2 * math.pi * unit[inputs], unit[inputs + 1 :], bandwidth, activation)

    def thinned(self, count: int) -> Ridges:
        """The first of these functions: of a Sobol set they are spread as evenly."""
        directions, phases, centres = self.directions[:, :count], self.phases[:count], self.centres[:, :count]
        return replace(self, directions=directions, phases=phases, centres=centres)

    def scaled(self, bandwidth: float) -> Ridges:
        """These functions with one bandwidth for all inputs."""
        return replace(self, bandwidth=torch.full_like(self.bandwidth, bandwidth))

    def layer(self) -> Layer:
        """W = directions * bandwidth; a sine takes its phase, other ridges run through their centre."""
        weight = self.directions * self.bandwidth[:, None]
        return weight, self.phases if self.activation == "sine" else -(weight * self.centres).sum(dim=0)


def bandwidths(bandwidth: float | Sequence[float] | None, inputs: int) -> Tensor:
    """The bandwidth of ridge functions for each of so many inputs, (e,); None stands for the default."""
    try:
        vector = torch.as_tensor(DEFAULT_BANDWIDTH if bandwidth is None else bandwidth, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        vector = torch.zeros(0)
    if vector.ndim == 0:
        vector = vector.expand(inputs).clone()
    if vector.shape != (inputs,) or not bool(((vector > 0) & vector.isfinite()).all()):
        expected = f"a number above 0, or one for each of the {inputs} inputs (a periodic axis has two)"
        cure = "write bandwidth=8.0, or a list such as (8.0, 16.0)"
        raise SettingsError("bandwidth", expected=expected, got=bandwidth, cure=cure)
    return vector


def box(inputs: int, outputs: int, generator: torch.Generator, *, side: float = 1.0, share: float = 1.0) -> Layer:
    """Hinges through random points of the box [0, side]^inputs, in random directions, rising to `share` at most.

    For every neuron: p ~ U([0, side]^inputs), n a random direction, p_max the corner farthest along n,
    k = share / ((p_max - p) . n), W = k n, b = -k n . p. So W.p + b = 0 and W.p_max + b = share. Points whose k
    exceeds 100 share / side are drawn again. (LSGD, arXiv:1912.04862.)
    """
    weight = torch.empty((inputs, outputs), dtype=torch.float64)
    bias = torch.empty(outputs, dtype=torch.float64)
    left = torch.arange(outputs)
    while len(left):
        p = side * _uniform((inputs, len(left)), generator)
        n = torch.randn((inputs, len(left)), generator=generator, dtype=torch.float64)
        n /= torch.linalg.vector_norm(n, dim=0)
        k = share / ((side * (n > 0).to(n) - p) * n).sum(dim=0)
        weight[:, left], bias[left] = k * n, -(k * n * p).sum(dim=0)
        left = left[k > STEEPEST * share / side]
    return weight, bias


def residual_box(layer: int, layers: int, width: int, generator: torch.Generator) -> Layer:
    """The box initialisation of layer l = 2..L of x + relu(W x + b): the branch is at most 1 / (L - 1).

    The box grows as M_l = (1 + 1/(L-1))^(l-2), so that the state stays below e at any depth.
    """
    growth = (1 + 1 / (layers - 1)) ** (layer - 2)
    return box(width, width, generator, side=growth, share=1 / (layers - 1))


def directions(inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
    """Unit vectors (e, k), each the farthest from the lines of those before it among many random ones.

    Independent draws leave gaps, and a network learns slowly what lies along none of its directions.
    Source: Mitchell's best-candidate sampling (doi:10.1145/127719.122736).
    """
    drawn = torch.randn((inputs, CANDIDATES * outputs), generator=generator, dtype=torch.float64)
    drawn /= torch.linalg.vector_norm(drawn, dim=0)
    chosen, nearness = [0], torch.zeros(drawn.shape[1], dtype=torch.float64)
    for _ in range(outputs - 1):
        nearness = torch.maximum(nearness, (drawn[:, chosen[-1]] @ drawn).abs())
        chosen.append(int(nearness.argmin()))
    return drawn[:, chosen]


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)
