"""What a network is: `basis(x) @ coef`, and what a forward pass leaves behind for the Jacobian."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from pinnml.calculus import Jet, coordinate_jets, total_order
from pinnml.domains import Domain, Grid
from pinnml.errors import SettingsError, mistake

Coordinates = Callable[..., Any]
#: Directions, or moments, of the hidden parameters by name and of the head to those of the next finer level; linear.
Prolong = Callable[[Mapping[str, Tensor], Tensor], tuple[dict[str, Tensor], Tensor]]


@dataclass(frozen=True)
class Marking:
    """Where to refine: squared residuals (n,) at inputs (K, n, e), and the share of their sum to be covered."""

    inputs: Jet
    squares: Tensor
    share: float


@dataclass
class Trace:
    """The links of one forward pass between parameters and activations.

    Because a residual r_n depends on sample n alone, the gradients of sum(r) at these places hold the Jacobian:
    a layer z = a @ W gives dr_n/dW_io = sum_k a_kni (d sum(r) / dz_kno); a parameter expanded over the samples
    gives its own gradient, sample by sample.
    """

    linear: list[tuple[str, Tensor, Tensor]] = field(default_factory=list)
    shifted: list[tuple[str, Tensor]] = field(default_factory=list)
    expanded: list[tuple[str, Tensor]] = field(default_factory=list)

    def layer(self, weight: str, features: Tensor, output: Tensor) -> None:
        """Remember z = features @ weight: features (K, n, i), output (K, n, o)."""
        if not output.requires_grad:
            output.requires_grad_()
        self.linear.append((weight, features, output))

    def shift(self, bias: str, output: Tensor) -> None:
        """Remember that a bias (o,) is added to the value of an output (K, n, o)."""
        self.shifted.append((bias, output))

    def per_sample(self, name: str, parameter: Tensor, n: int) -> Tensor:
        """The parameter repeated for each of n samples, (n, ...), and remembered."""
        copies = parameter.expand(n, *parameter.shape).clone().requires_grad_()
        self.expanded.append((name, copies))
        return copies


class Basis(nn.Module, ABC):
    """k functions of the network's inputs: the part of a network in front of its linear head.

    Must define: `size` (k) and `forward`. May set `one_pass` to False where the forward pass does not keep a
    trace, and `highest_order` where derivatives beyond it vanish identically.
    """

    one_pass: bool = True
    highest_order: int | None = None

    @property
    def settled(self) -> Mapping[str, Any]:
        """Options of the settings that a solve may change, as they are now: what a checkpoint needs to build it."""
        return {}

    def remarks(self, x: Jet) -> Mapping[str, float]:
        """What a verdict should say of the basis at inputs (K, n, e), by name."""
        return {}

    def grid(self) -> Grid | None:
        """The mesh on which the functions show as they are; None for those that show on any."""
        return None

    def remedy(self, order: int) -> str:
        """What to choose where derivatives of this order are needed, beyond `highest_order`."""
        return "choose sine, tanh or gaussian, or write the equation as a system of first order"

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of functions, k."""

    @abstractmethod
    def forward(self, x: Jet, trace: Trace | None = None) -> Jet:
        """Inputs (K, n, e) to basis functions (K, n, k), noting in `trace` where parameters enter."""

    @property
    def numbers(self) -> int:
        """How many numbers a pass without trace holds for each sample and derivative, about."""
        return self.size

    @property
    def resolution(self) -> float | None:
        """How many pieces the functions have along an argument, which levels multiply; None if there are no levels."""
        return None

    def check_levels(self, times: int) -> None:
        """Refuse, before any training, what cannot be refined so many times. Raises SettingsError."""

    def outputs(self, x: Jet, coef: Tensor) -> Jet:
        """basis(x) @ coef, (K, n, m), for a head coef (k, m)."""
        return self(x).map(lambda c: c @ coef)

    def refined(self, coef: Tensor, marking: Marking | None = None) -> tuple[Basis, Tensor, Prolong]:
        """The next finer level of the same functions: its basis, its head, and what carries moments over.

        Without a marking it is finer everywhere.
        """
        got, cure = f"one of {self.size} functions that cannot be refined", "choose network=KAN(...), or another solver"
        raise SettingsError("this network has no levels to refine", expected="a network of splines", got=got, cure=cure)


class LocalBasis(Basis):
    """Functions that come in patches, each zero but on a small part of the domain: nothing in them is trained.

    Functions p q, ..., p q + q - 1 belong to patch p, of q a patch. Must define besides: `of_each` (q), `local`,
    `owners`, `positions` and `richer`.
    """

    @property
    @abstractmethod
    def of_each(self) -> int:
        """The number of functions of a patch, q."""

    @abstractmethod
    def local(self, x: Jet) -> tuple[Tensor, Tensor]:
        """At inputs (K, n, e) the functions (K, n, a) that may not be zero there, and their places (n, a) among all."""

    @abstractmethod
    def owners(self, x: Jet) -> Tensor:
        """The patches (n, p) of these functions, in their order; -1 for those of which none is there."""

    @abstractmethod
    def positions(self) -> Tensor:
        """Where the patches lie among the inputs, (patches, e)."""

    @abstractmethod
    def richer(self, coef: Tensor) -> tuple[LocalBasis, Tensor]:
        """The same patches with more functions, these among them, and the head of the same fields."""

    def outputs(self, x: Jet, coef: Tensor) -> Jet:
        """The outputs (K, n, m), of the functions that are there."""
        functions, places = self.local(x)
        return Jet(x.indices, torch.einsum("kna,nam->knm", functions, coef[places]))


class Inputs:
    """Coordinates to network inputs: to the unit box, or through the user's own map and from its range to the unit box.

    The user's map takes axes by name and returns a tuple of fields, such as `lambda x, t: (torch.asinh(x / 0.01), t)`.
    extra: a map of the same kind to functions that the basis shall have besides; these `extras` follow the `size`
    inputs proper, as they are.
    """

    def __init__(self, domain: Domain, function: Coordinates | None = None, extra: Coordinates | None = None):
        self._domain, self._function, self._extra = domain, function, extra
        indices = total_order(domain.axes, 0)
        if function is not None:
            mapped = [jet.value for jet in _evaluated(function, self._coordinates(domain.spanning(), indices))]
            self._low = [float(value.min()) for value in mapped]
            self._width = [float(value.max()) - float(value.min()) or 1.0 for value in mapped]
        corner = torch.from_numpy(domain.bounds[:, 0]).unsqueeze(0)
        self.extras = 0 if extra is None else len(_evaluated(extra, self._coordinates(corner, indices)))
        self.size = self(corner, indices).coefficients.shape[-1] - self.extras

    def __call__(self, x: Tensor, indices: Any) -> Jet:
        """The inputs at x (n, d), and the extras, as a jet (K, n, e)."""
        coordinates = self._coordinates(x, indices)
        if self._function is None:
            jets = self._domain.scaled(coordinates)
        else:
            mapped = _evaluated(self._function, coordinates)
            jets = [(jet - low) / width for jet, low, width in zip(mapped, self._low, self._width, strict=True)]
        if self._extra is not None:
            jets = jets + _evaluated(self._extra, coordinates)
        return Jet(indices, torch.stack([jet.restricted(indices).coefficients for jet in jets], dim=-1))

    @property
    def groups(self) -> list[list[int]]:
        """The inputs in groups that depend on the same coordinates, such as the two of a periodic axis."""
        indices = total_order(self._domain.axes, 1)
        slopes = self(self._domain.spanning()[-64:], indices).coefficients[1:, :, : self.size].abs().amax(dim=1)
        groups: dict[tuple[bool, ...], list[int]] = {}
        for place, column in enumerate((slopes > 0).T.tolist()):
            groups.setdefault(tuple(column), []).append(place)
        return list(groups.values())

    def _coordinates(self, x: Tensor, indices: Any) -> dict[str, Jet]:
        return dict(zip(self._domain.axes.names, coordinate_jets(indices, x), strict=True))


class Network(nn.Module):
    """u(x) = sum_k coef_km phi_k(x): a basis on the inputs and a linear head, coef (k, m), last in theta."""

    def __init__(self, inputs: Inputs, basis: Basis, coef: Tensor):
        super().__init__()
        self.inputs, self.basis = inputs, basis
        self.coef = nn.Parameter(coef)

    def forward(self, x: Jet) -> Jet:
        """The outputs (K, n, m) for inputs (K, n, e)."""
        return self.basis.outputs(x, self.coef)

    def refined(self, marking: Marking | None = None) -> tuple[Network, Prolong]:
        """The same function on the next finer level, and what carries moments of its parameters over.

        Raises SettingsError for a basis that has no levels.
        """
        basis, coef, prolong = self.basis.refined(self.coef.detach(), marking)
        return Network(self.inputs, basis, coef), prolong


def _evaluated(function: Coordinates, coordinates: Mapping[str, Jet]) -> list[Jet]:
    names = [p.name for p in signature(function).parameters.values() if p.default is p.empty]
    if unknown := [name for name in names if name not in coordinates]:
        raise SettingsError(
            f"a function of the coordinates asks for '{unknown[0]}'", expected=f"axes among {', '.join(coordinates)}"
        )
    try:
        result = function(**{name: coordinates[name] for name in names})
    except TypeError as error:
        if mended := mistake(error, "a function of the coordinates"):
            raise mended from error
        raise
    jets = list(result) if isinstance(result, (tuple, list)) else [result]
    if not jets or not all(isinstance(jet, Jet) for jet in jets):
        expected, cure = "a tuple of expressions of the axes", "write lambda x, t: (torch.sin(x), t)"
        raise SettingsError("a function of the coordinates", expected=expected, got=repr(result), cure=cure)
    return jets
