"""Weak integrands at points, and their derivatives by what fields and test functions are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pinnml.calculus import Axes, IndexSet, Jet, Vector, coordinate_jets, data_jet, index_set
from pinnml.domains import Sample
from pinnml.errors import MissingDerivativeError, ProblemError, ShapeError
from pinnml.problem import Field, Weak, argument_names, call, test_names

#: An integrand is linear in its test functions to this many times the round-off.
ROUND_OFF = 1e4
#: Points on which an integrand is tried.
FEW = 64
#: Functions that do no more than add, multiply, divide and put in place.
PLAIN = {
    *("add", "sub", "rsub", "mul", "div", "neg", "pow", "sum", "stack", "cat", "unbind", "split", "chunk", "to"),
    *("flatten", "unflatten", "view", "reshape", "expand", "squeeze", "unsqueeze", "transpose", "permute", "movedim"),
    *("new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like", "clone", "dim", "size", "numel"),
    *("__get__", "__getitem__", "__setitem__", "__len__", "__rsub__", "is_floating_point", "is_complex"),
}


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

    def metric(self, length: float) -> list[float]:
        """The weight of each number's square in a norm without units: 1 / length^2 for values, 1 for derivatives."""
        values, s = 1 / length**2, len(self.axes.space)
        if self.family == "P":
            return [values, *[1.0] * s] * self.field.components
        return [values] * s + [1.0] * (self.size - s)

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
        return self if times == 1 else self.on(torch.arange(len(self.sample)).repeat(times))

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
        return sum((integrand_value(weak, names, len(x)) for weak in self.weak), start=x.new_zeros(len(x)))

    def flux(self, u: Tensor, known: Mapping[str, Tensor], *, graph: bool) -> Tensor:
        """The derivatives g (n, S) of the integrand by v: w(u, v) is their sum with v.

        graph: whether g will be differentiated.
        """
        with torch.enable_grad():
            v = torch.zeros_like(u, requires_grad=True)
            return _gradient(self(u, v, known), v, graph=graph)

    def fluxes(self, names: Mapping[str, Any], like: Tensor, numbers: range) -> tuple[Tensor, ...]:
        """Some of the S components of g, (n,) each, by number.

        names: fields of any kind, and all else that is asked for. like: any (n,).
        """
        tests = test_names(carried.field for carried in self.fields)
        found = []
        for v in torch.eye(self.size, dtype=like.dtype, device=like.device)[numbers.start : numbers.stop]:
            tested = self._read(v.expand(len(like), -1))
            known = {**names, **{name: tested[field] for field, name in tests.items()}}
            values = (integrand_value(weak, known, len(like)) for weak in self.weak)
            found.append(sum(values, start=torch.zeros_like(like)))
        return tuple(found)

    def slopes(self, u: Tensor, known: Mapping[str, Tensor], *, graph: bool) -> Tensor:
        """The derivatives of g by u, (n, S, S)."""
        with torch.enable_grad():
            u = u if u.requires_grad else u.detach().requires_grad_()
            g = self.flux(u, known, graph=True)
            return torch.stack([_gradient(each, u, graph=graph) for each in g.unbind(1)], dim=1)

    def slopes_by(self, name: str, known: Mapping[str, Tensor]) -> Tensor:
        """The derivatives of slopes (n, S, S) by a parameter that has values at the points, where u is zero."""
        with torch.enable_grad():
            value = known[name].detach().requires_grad_()
            u = self.sample.x.new_zeros((len(self.sample), self.size), requires_grad=True)
            g = self.flux(u, {**known, name: value}, graph=True)
            by_value = [_gradient(each, value, graph=True) for each in g.unbind(1)]
            return torch.stack([_gradient(each, u, graph=False) for each in by_value], dim=1)

    def flux_by(self, name: str, known: Mapping[str, Tensor]) -> Tensor:
        """The derivatives of g (n, S) by a parameter that has values at the points, where u is zero."""
        with torch.enable_grad():
            value = known[name].detach().requires_grad_()
            u = self.sample.x.new_zeros((len(self.sample), self.size))
            g = self.flux(u, {**known, name: value}, graph=True)
            return torch.stack([_gradient(each, value, graph=False) for each in g.unbind(1)], dim=1)

    def constant_slopes(self, known: Mapping[str, Tensor]) -> Tensor | None:
        """The derivatives of g by u, (S, S), where they are the same everywhere and for all u, else None.

        They can be only where nothing is asked for but fields, test functions and numbers, and where these meet in
        plain arithmetic alone: then there is no switch that a few u could miss.
        """
        numbers = {name: value for name, value in known.items() if value.ndim == 0}
        tests = test_names(carried.field for carried in self.fields)
        blind = {*tests, *tests.values(), *numbers}
        asked = {name for weak in self.weak for name in argument_names(weak.integrand, weak.name)}
        if not asked <= blind or any(value.requires_grad for value in numbers.values()):
            return None
        few = self.on(torch.arange(FEW) % len(self.sample))
        u = torch.randn((FEW, self.size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        u = u.to(self.sample.x)
        with _Calls() as calls:
            few(u, u, numbers)
        found = few.slopes(u, numbers, graph=False) if calls.names <= PLAIN else None
        return found[0] if found is not None and torch.equal(found, found[:1].expand_as(found)) else None

    def check(self, numbers: Mapping[str, Tensor]) -> None:
        """Refuse integrands that are not linear in the test functions: w(u, v) is not the sum of g v."""
        few = self.on(torch.linspace(0, len(self.sample) - 1, FEW, dtype=torch.float64).round().long())
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

    def on(self, points: Tensor) -> Integrand:
        """The same at some of the points, by number."""
        return replace(self, sample=self.sample[points.to(self.sample.x.device)])

    def _read(self, numbers: Tensor) -> dict[str, Any]:
        parts = numbers.split([carried.size for carried in self.fields], dim=1)
        return {each.field.name: each.read(part) for each, part in zip(self.fields, parts, strict=True)}


class _Calls(TorchFunctionMode):
    """The names of PyTorch's functions that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call itself, noted."""
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


def integrand_value(weak: Weak, names: Mapping[str, Any], n: int) -> Tensor:
    """What a weak form gives at n points (n,), checked; `names` has fields, test functions and all else it asks for."""
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
