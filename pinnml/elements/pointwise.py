"""Weak integrands at points, and their derivatives by what fields and test functions are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import Axes, IndexSet, Jet, Vector, coordinate_jets, data_jet, index_set
from pinnml.domains import Sample
from pinnml.equation import Field, Weak, argument_names, test_names
from pinnml.errors import MissingDerivativeError, ProblemError, ShapeError
from pinnml.evaluation import call

#: An integrand is linear in its test functions to this many times the round-off.
ROUND_OFF = 1e4
#: Points on which an integrand that cannot see the place is tried for constant coefficients.
FEW = 64


@dataclass(frozen=True)
class Carried:
    """A field at points by the numbers that its elements carry there: which they are, and how to read them.

    family: "P" carries value and slopes of every component; "N1curl" the components and their curl, one number in the
    plane; "RT" the components and their divergence.
    """

    field: Field
    family: str
    axes: Axes

    @property
    def size(self) -> int:
        """How many numbers there are."""
        s = len(self.axes.space)
        return {"P": self.field.components * (1 + s), "N1curl": 3 if s == 2 else 6, "RT": s + 1}[self.family]

    def read(self, numbers: Tensor) -> Any:
        """The field from its numbers (n, size): a Jet or a Vector."""
        columns = numbers.unbind(1)
        if self.family == "P":
            slots = value_and_slopes(self.axes)
            parts = numbers.T.unflatten(0, (-1, len(slots)))
            jets = [Jet(slots, part) for part in parts]
            return Vector(jets) if self.field.is_vector else jets[0]
        values, rest = (
            columns[: self.field.components],
            [data_jet(self.axes, c) for c in columns[self.field.components :]],
        )
        own = rest[0] if len(rest) == 1 else Vector(rest)
        known = {"own_curl": own} if self.family == "N1curl" else {"own_div": own}
        return Vector([data_jet(self.axes, value) for value in values], **known)


def value_and_slopes(axes: Axes) -> IndexSet:
    """What Lagrange functions carry at a point: the value, and the slopes along the axes of space."""
    return index_set(axes, [tuple(int(name == axis) for name in axes.names) for axis in axes.space])


@dataclass(frozen=True, eq=False)
class Integrand:
    """w(u, v) = sum over weak forms, at the n points of a sample.

    Fields and test functions are given at every point by S numbers, (n, S): those of each field in turn. known:
    parameters by name, numbers or values (n,).
    """

    fields: tuple[Carried, ...]
    weak: tuple[Weak, ...]
    sample: Sample

    @property
    def size(self) -> int:
        """S."""
        return sum(carried.size for carried in self.fields)

    def repeated(self, times: int) -> Integrand:
        """The same on the points taken several times over, for a batch of parameters."""
        return self if times == 1 else self._on(torch.arange(len(self.sample)).repeat(times))

    def __call__(self, u: Tensor, v: Tensor, known: Mapping[str, Tensor]) -> Tensor:
        """The integrand, (n,)."""
        x, axes = self.sample.x, self.fields[0].axes
        tests = test_names(carried.field for carried in self.fields)
        fields, tested = self._read(u), self._read(v)
        names = fields | {name: tested[field] for field, name in tests.items()}
        names |= {name: data_jet(axes, value.expand(len(x))) for name, value in known.items()}
        names |= zip(axes.names, coordinate_jets(value_and_slopes(axes), x), strict=True)
        if self.sample.normal is not None:
            names["normal"] = Vector(data_jet(axes, part) for part in self.sample.normal.unbind(1))
        return sum((_value(weak, names, len(x)) for weak in self.weak), start=x.new_zeros(len(x)))

    def flux(self, u: Tensor, known: Mapping[str, Tensor], *, graph: bool) -> Tensor:
        """The derivatives g (n, S) of the integrand by v: w(u, v) is their sum with v.

        graph: whether g will be differentiated.
        """
        with torch.enable_grad():
            v = torch.zeros_like(u, requires_grad=True)
            return _gradient(self(u, v, known), v, graph=graph)

    def slopes(self, u: Tensor, known: Mapping[str, Tensor], *, graph: bool) -> Tensor:
        """The derivatives of g by u, (n, S, S)."""
        with torch.enable_grad():
            u = u if u.requires_grad else u.detach().requires_grad_()
            g = self.flux(u, known, graph=True)
            return torch.stack([_gradient(each, u, graph=graph) for each in g.unbind(1)], dim=1)

    def constant_slopes(self, known: Mapping[str, Tensor]) -> Tensor | None:
        """The derivatives of g by u, (S, S), where they are the same everywhere and for all u, else None.

        They can be only where nothing is asked for but fields, test functions and numbers; then a few u tell.
        """
        numbers = {name: value for name, value in known.items() if value.ndim == 0}
        tests = test_names(carried.field for carried in self.fields)
        blind = {*tests, *tests.values(), *numbers}
        asked = {name for weak in self.weak for name in argument_names(weak.integrand, weak.name)}
        if not asked <= blind or any(value.requires_grad for value in numbers.values()):
            return None
        few = self._on(torch.arange(FEW) % len(self.sample))
        u = torch.randn((FEW, self.size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        u = u * torch.logspace(-12, 12, FEW, dtype=torch.float64).unsqueeze(1)  # a switch may lie anywhere
        found = few.slopes(u.to(self.sample.x), numbers, graph=False)
        return found[0] if torch.equal(found, found[:1].expand_as(found)) else None

    def check(self, numbers: Mapping[str, Tensor]) -> None:
        """Refuse integrands that are not linear in the test functions: w(u, v) is not the sum of g v."""
        few = self._on(torch.linspace(0, len(self.sample) - 1, FEW).round().long())
        generator = torch.Generator().manual_seed(0)
        u, v = (torch.randn((FEW, self.size), generator=generator, dtype=torch.float64).to(self.sample.x) for _ in "uv")
        found, expected = few(u, v, numbers), (few.flux(u, numbers, graph=False) * v).sum(dim=1)
        size = float(found.abs().max() + expected.abs().max())
        if float((found - expected).abs().max()) > ROUND_OFF * torch.finfo(u.dtype).eps * size:
            names = ", ".join(f"'{weak.name}'" for weak in self.weak)
            cure = "every term has the test function once as a factor: dot(grad(u), grad(v)) - f * v"
            raise ProblemError(
                f"weak form {names} is not linear in the test function", expected="w(u, 2 v) = 2 w(u, v)", cure=cure
            )

    def _on(self, points: Tensor) -> Integrand:
        return replace(self, sample=self.sample[points.to(self.sample.x.device)])

    def _read(self, numbers: Tensor) -> dict[str, Any]:
        parts = numbers.split([carried.size for carried in self.fields], dim=1)
        return {each.field.name: each.read(part) for each, part in zip(self.fields, parts, strict=True)}


def _value(weak: Weak, names: Mapping[str, Any], n: int) -> Tensor:
    """What a weak form gives at n points, checked."""
    try:
        result = call(weak.integrand, names, f"weak form '{weak.name}'")
    except MissingDerivativeError as error:
        cure = "integrate by parts to grad(u); edge elements have curl(E), face elements div(q)"
        message, expected = f"weak form '{weak.name}' asks for a derivative that elements lack", "values and slopes"
        raise MissingDerivativeError(message, expected=expected, got=error.got, cure=cure) from error
    value = result.value if isinstance(result, Jet) else result
    if isinstance(value, Tensor) and value.shape == (n,) and value.is_floating_point():
        return value
    got = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(result).__name__
    cure = "one integrand, such as dot(grad(u), grad(v)) - f * v; add up several terms"
    raise ShapeError(f"weak form '{weak.name}' is not an integrand", expected="a real field", got=got, cure=cure)


def _gradient(values: Tensor, by: Tensor, *, graph: bool) -> Tensor:
    """The gradient of the sum of values; zero where nothing depends on it."""
    if not values.requires_grad:
        return torch.zeros_like(by)
    (found,) = torch.autograd.grad(values.sum(), by, create_graph=graph, retain_graph=True, allow_unused=True)
    return torch.zeros_like(by) if found is None else found
