"""The jet: a truncated Taylor expansion of a field at n points, and its algebra."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import functions
from pinnml.calculus.indices import Axes, IndexSet, index_set, meet, missing, places
from pinnml.calculus.switches import note_derivative, note_switch
from pinnml.errors import ShapeError, UnsupportedFunctionError

Number: TypeAlias = int | float | complex
#: Types with too few digits to stand beside double precision.
SHORT = (torch.float32, torch.float16, torch.bfloat16, torch.complex64)


class Composite:
    """Made of jets, and able to meet a single one in arithmetic: `u * F` is left to F."""

    __slots__ = ()


def _binary(symbol: str) -> Callable[[Callable[[Jet, Any], Jet]], Callable[[Jet, object], Jet]]:
    """An operator of jets: a composite operand is asked first, any other is checked and prepared."""

    def decorate(method: Callable[[Jet, Any], Jet]) -> Callable[[Jet, object], Jet]:
        @wraps(method)
        def checked(self: Jet, other: object) -> Jet:
            return NotImplemented if isinstance(other, Composite) else method(self, self._operand(other, symbol))

        return checked

    return decorate


class Jet:
    """u(x_n + h) = sum_a c_a h^a: a field's value and a downward-closed set of its derivatives at n points.

    `coefficients` has shape (K, n) or, inside a network, (K, n, width): first the multi-index a (the order of
    `indices`), then the point. They are Taylor coefficients, c_a = (d^a u) / a!. Sums, products, quotients and
    functions of jets are exact on the set they share; a derivative that is not carried raises
    MissingDerivativeError.
    """

    __slots__ = ("coefficients", "indices")
    __array_ufunc__ = None  # NumPy hands arithmetic over to the methods below, which refuse arrays by name
    __hash__ = object.__hash__
    __iter__ = None  # a scalar field has no components
    #: How PyTorch's functions act on jets, and the one of a name bound to a jet: set by `torch_functions`.
    torch_function: ClassVar[Callable[..., Any]]
    bound_function: ClassVar[Callable[..., Any]]

    def __init__(self, indices: IndexSet, coefficients: Tensor):
        self.indices, self.coefficients = indices, coefficients

    @property
    def value(self) -> Tensor:
        """The field itself at the points, (n,)."""
        return self.coefficients[0]

    @property
    def real(self) -> Jet:
        """The real part."""
        return self.map(torch.real) if self.dtype.is_complex else self

    @property
    def imag(self) -> Jet:
        """The imaginary part; zero for a real field."""
        return self.map(torch.imag if self.dtype.is_complex else torch.zeros_like)

    @property
    def axes(self) -> Axes:
        """The names of the coordinates."""
        return self.indices.axes

    @property
    def shape(self) -> torch.Size:
        """The shape of the value, (n,)."""
        return self.coefficients.shape[1:]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the coefficients."""
        return self.coefficients.dtype

    @property
    def device(self) -> torch.device:
        """The device of the coefficients."""
        return self.coefficients.device

    def __repr__(self) -> str:
        return f"Jet({self.indices}, n={self.shape[0]}, {self.dtype})"

    def d(self, *axes: str) -> Jet:
        """The partial derivative along the axes named: `u.d("xx")`, or `u.d("x1", "x1")` for longer names.

        Raises UnknownNameError for an axis that is not there, MissingDerivativeError for a derivative that the
        jet does not carry.
        """
        along = self.axes.split(axes)
        index = tuple(along.count(axis) for axis in range(len(self.axes.names)))
        if index not in self.indices.position:
            raise missing(self.indices, index)
        jet = self
        for axis in along:
            note_derivative(self.axes.names[axis], jet.value)
            indices, kept, factors = jet.indices.lowered(axis)
            rows = [functions.scaled(jet.coefficients[k], factor) for k, factor in zip(kept, factors, strict=True)]
            jet = Jet(indices, torch.stack(rows))
        return jet

    def restricted(self, indices: IndexSet) -> Jet:
        """The same field on a smaller set of derivatives."""
        if indices is self.indices:
            return self
        kept = places(indices, self.indices)
        if kept == tuple(range(len(kept))):
            return Jet(indices, self.coefficients[: len(kept)])
        return Jet(indices, self.coefficients[list(kept)])

    def map(self, function: Callable[[Tensor], Tensor]) -> Jet:
        """The same linear map of every coefficient, such as a real part."""
        return Jet(self.indices, function(self.coefficients))

    def compose(self, rule: functions.Rule) -> Jet:
        """f(u), from the Taylor coefficients of f: sum_k f_k(u_0) (u - u_0)^k, truncated to the set."""
        series = rule(self.coefficients[0], self.indices.order)
        if len(self.indices) == 1:
            return Jet(self.indices, series[0].unsqueeze(0))
        shift = dict(enumerate(self.coefficients.unbind(0)))
        del shift[0]
        total = {place: series[1] * value for place, value in shift.items()}
        power = shift
        for coefficient in series[2:]:
            power = self._times_shift(power, shift)
            for place, value in power.items():
                total[place] = total[place] + coefficient * value
        return Jet(self.indices, torch.stack([series[0], *(total[k] for k in range(1, len(self.indices)))]))

    def _times_shift(self, power: dict[int, Tensor], shift: dict[int, Tensor]) -> dict[int, Tensor]:
        """One more factor of u - u_0; places that no pair reaches stay out, being exact zeros."""
        result = {}
        for place, pairs in enumerate(self.indices.products):
            terms = [power[a] * shift[b] for a, b in pairs if a in power and b in shift]
            if terms:
                result[place] = sum(terms[1:], terms[0])
        return result

    def constant(self, value: Number | Tensor) -> Jet:
        """The field that has this value everywhere and no slope: a number, a 0-d tensor or one of shape (n,)."""
        if not isinstance(value, Tensor):  # left to PyTorch, a number would be rounded to single precision first
            kind = torch.complex32 if isinstance(value, complex) else self.dtype
            value = torch.tensor(value, dtype=torch.promote_types(self.dtype, kind))
        dtype = torch.promote_types(self.dtype, value.dtype) if value.is_complex() else self.dtype
        value = value.to(self.device, dtype)
        zeros = torch.zeros_like(self.coefficients[1:], dtype=dtype)
        return Jet(self.indices, torch.cat([value.expand(self.shape).unsqueeze(0), zeros]))

    def _operand(self, other: object, symbol: str) -> Jet | Number | Tensor:
        """The other side of an operation: a jet, a number, or a tensor (known without derivatives)."""
        if isinstance(other, (Jet, bool, int, float, complex)):
            return other
        if isinstance(other, Tensor):
            if other.ndim == 0 or other.shape == self.shape:
                self._check_digits(other)
            if other.ndim == 0:
                return other
            if other.shape == self.shape:
                known = other.is_floating_point() or other.is_complex()
                return data_jet(self.axes, other if known else other.to(self.dtype))
        if isinstance(other, (np.ndarray, np.generic)) and other.ndim == 0:
            return other.item()
        raise _mismatch(self, other, symbol)

    def _check_digits(self, other: Tensor) -> None:
        """Refuse data that were rounded to fewer digits than the field has: the result would look precise and not be.

        Numbers of few binary digits, such as 0.5 or 2, have lost nothing and may pass.
        """
        if other.dtype not in SHORT or torch.finfo(self.dtype).bits != 64:
            return
        data = torch.view_as_real(other) if other.is_complex() else other
        if not torch.equal(data.half().to(data.dtype), data):
            raise ShapeError(
                f"{other.dtype} data beside a float64 field: nine digits would be lost",
                expected="numbers as they are, or float64",
                got=f"a tensor of {other.dtype}",
                cure="give it dtype=torch.float64; in torch.where name a field: torch.where(x < 0, 1.6 + 0 * x, 2.2)",
            )

    @_binary("+")
    def __add__(self, other: Jet | Number | Tensor) -> Jet:
        if isinstance(other, Jet):
            return _linear(self, other, operator.add)
        shifted = (self.coefficients[0] + other).unsqueeze(0)
        if len(self.indices) == 1:
            return Jet(self.indices, shifted)
        return Jet(self.indices, torch.cat([shifted, self.coefficients[1:].to(shifted.dtype)]))

    @_binary("-")
    def __sub__(self, other: Jet | Number | Tensor) -> Jet:
        return _linear(self, other, operator.sub) if isinstance(other, Jet) else self + (-other)

    def __rsub__(self, other: object) -> Jet:
        return -self + other

    @_binary("*")
    def __mul__(self, other: Jet | Number | Tensor) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.indices, self.coefficients * other)
        if other.shape != self.shape:
            raise _mismatch(self, other, "*")
        indices = meet(self.indices, other.indices)
        a, b = self.restricted(indices).coefficients, other.restricted(indices).coefficients
        if len(indices) == 1:
            return Jet(indices, a * b)
        rows = (sum((a[i] * b[j] for i, j in pairs[1:]), a[pairs[0][0]] * b[pairs[0][1]]) for pairs in indices.products)
        return Jet(indices, torch.stack(list(rows)))

    @_binary("/")
    def __truediv__(self, other: Jet | Number | Tensor) -> Jet:
        if isinstance(other, Jet):
            return self * other.compose(functions.reciprocal)
        return Jet(self.indices, self.coefficients / other)

    def __rtruediv__(self, other: object) -> Jet:
        return self.compose(functions.reciprocal) * other

    @_binary("**")
    def __pow__(self, other: Jet | Number | Tensor) -> Jet:
        """A power. An exponent that varies and has derivatives goes through log: NaN where the base is negative."""
        if isinstance(other, Jet):
            return _power(self, other)
        exponent = other.item() if isinstance(other, Tensor) and not other.requires_grad else other
        if isinstance(exponent, Tensor):
            return self ** self.constant(exponent)
        return self.compose(functions.power(exponent))

    def __mod__(self, other: object) -> Jet:
        raise UnsupportedFunctionError(
            "'%' and '//' have no rule for fields",
            expected="+, -, *, / or **",
            got=f"a field and {type(other).__name__}",
            cure="take them of the points alone: u - torch.floor(x.value), or make the axis Periodic(low, high)",
        )

    __rmod__ = __floordiv__ = __rfloordiv__ = __mod__

    def __rpow__(self, other: object) -> Jet:
        base = self._operand(other, "**")
        return (base if isinstance(base, Jet) else self.constant(base)) ** self

    def __neg__(self) -> Jet:
        return self.map(torch.neg)

    def __pos__(self) -> Jet:
        return self

    def __abs__(self) -> Jet:
        return self.__getattr__("abs")()

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other: object) -> Tensor:
        return self.value < value_of(other)

    def __le__(self, other: object) -> Tensor:
        return self.value <= value_of(other)

    def __gt__(self, other: object) -> Tensor:
        return self.value > value_of(other)

    def __ge__(self, other: object) -> Tensor:
        return self.value >= value_of(other)

    def __eq__(self, other: object) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.value == value_of(other)

    def __ne__(self, other: object) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.value != value_of(other)

    def __bool__(self) -> bool:
        raise ShapeError(
            "a field has no single truth value",
            cure="use torch.where(x < 0.5, a, b) in place of `if x < 0.5`",
        )

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self.bound_function(self, name)

    @classmethod
    def __torch_function__(
        cls, function: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Let `torch.sin(u)`, `torch.where(...)`, `tensor * u` and their like act on jets."""
        return cls.torch_function(function, args, kwargs or {})


def data_jet(axes: Axes, values: Tensor) -> Jet:
    """Values (n,) known at the points alone: a jet without derivatives."""
    return Jet(index_set(axes, ()), values.unsqueeze(0))


def coordinate_jets(indices: IndexSet, x: Tensor) -> list[Jet]:
    """The coordinates themselves at x (n, d): value x_i, slope one along axis i."""
    jets = []
    for axis in range(x.shape[1]):
        coefficients = x.new_zeros((len(indices), x.shape[0]))
        coefficients[0] = x[:, axis]
        unit = tuple(int(i == axis) for i in range(x.shape[1]))
        if unit in indices.position:
            coefficients[indices.position[unit]] = 1.0
        jets.append(Jet(indices, coefficients))
    return jets


def where(condition: Tensor, first: object, second: object) -> Jet:
    """The jet `first` where the condition (n,) holds, else `second`; one of them is a jet, derivatives included."""
    jet = first if isinstance(first, Jet) else second
    assert isinstance(jet, Jet)
    a, b = (side if isinstance(side, Jet) else _lifted(jet, side) for side in (first, second))
    indices = meet(a.indices, b.indices)
    note_switch(condition)
    return Jet(
        indices,
        torch.where(condition, a.restricted(indices).coefficients, b.restricted(indices).coefficients),
    )


def _power(base: Jet, exponent: Jet) -> Jet:
    """One field to the power of another; a negative base is welcome where no derivative of the exponent is in play."""
    if base.shape != exponent.shape:
        raise _mismatch(base, exponent, "**")
    indices = meet(base.indices, exponent.indices)
    base, exponent = base.restricted(indices), exponent.restricted(indices)
    if len(indices) == 1:
        return Jet(indices, base.coefficients**exponent.coefficients)
    number = _constant_integer(exponent)
    return (base.compose(functions.log) * exponent).compose(functions.exp) if number is None else base**number


def _constant_integer(jet: Jet) -> int | None:
    """The whole number that a field is everywhere, if it is one and nothing is trained in it."""
    values, slopes = jet.value.detach(), jet.coefficients[1:].detach()
    if jet.coefficients.requires_grad or jet.dtype.is_complex or not len(values) or bool(slopes.any()):
        return None
    first = float(values[0])
    return int(first) if first.is_integer() and bool((values == first).all()) else None


def _lifted(jet: Jet, side: object) -> Jet:
    operand = jet._operand(side, "where")
    return operand if isinstance(operand, Jet) else jet.constant(operand)


def _linear(a: Jet, b: Jet, combine: Callable[[Tensor, Tensor], Tensor]) -> Jet:
    if a.shape != b.shape:
        raise _mismatch(a, b, "+")
    indices = meet(a.indices, b.indices)
    return Jet(indices, combine(a.restricted(indices).coefficients, b.restricted(indices).coefficients))


def value_of(other: object) -> Any:
    """The values of a field, and anything else as it is."""
    return other.value if isinstance(other, Jet) else other


def _mismatch(jet: Jet, other: object, symbol: str) -> ShapeError:
    n = jet.shape[0]
    if isinstance(other, np.ndarray):
        got, cure = (
            f"a NumPy array of shape {other.shape}",
            "write it with torch and the axes, such as torch.sin(x); a table as interpolated(x, xs, values)",
        )
    elif isinstance(other, (Tensor, Jet)):
        got, cure = (
            f"shape {tuple(other.shape)}",
            "drop the extra axis: every scalar is (n,); there is no (n, 1)",
        )
    else:
        got, cure = f"{type(other).__name__}", "combine fields with fields, numbers and torch tensors"
    return ShapeError(
        f"'{symbol}' between a field at {n} points and something else",
        expected=f"shape ({n},)",
        got=got,
        cure=cure,
    )
