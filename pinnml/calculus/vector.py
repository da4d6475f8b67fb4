"""Vectors: tuples of jets with the arithmetic of vector fields."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, ClassVar

from torch import Tensor

from pinnml.calculus.jet import Composite, Jet
from pinnml.errors import ShapeError


class Vector(Composite):
    """A vector field (F_1, ..., F_m) at n points; each component is a Jet, or again a Vector (a matrix, row by row).

    own_curl, own_div: its curl or its divergence where that is known though no component has derivatives, as it is of
    edge and face elements; sums and products of such fields do without.
    """

    __slots__ = ("components", "own_curl", "own_div")
    __array_ufunc__ = None
    #: How PyTorch's functions act on vectors: set by `torch_functions`.
    torch_function: ClassVar[Callable[..., Any]]

    def __init__(self, components: Iterable[Any], *, own_curl: Any = None, own_div: Any = None):
        self.components: tuple[Any, ...] = tuple(components)
        self.own_curl, self.own_div = own_curl, own_div

    def __len__(self) -> int:
        return len(self.components)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.components)

    def __getitem__(self, i: int) -> Any:
        return self.components[i]

    def __repr__(self) -> str:
        return f"Vector({', '.join(map(repr, self.components))})"

    @property
    def value(self) -> tuple[Tensor, ...]:
        """The values of the components, each (n,)."""
        return tuple(component.value for component in self.components)

    def d(self, *axes: str) -> Vector:
        """The partial derivative of every component."""
        return Vector(component.d(*axes) for component in self.components)

    def dot(self, other: Vector) -> Jet:
        """sum_i F_i G_i, without conjugation."""
        terms = [a * b for a, b in _pairs(self, other, "dot")]
        return reduce(operator.add, terms)

    def cross(self, other: Vector) -> Any:
        """F x G: a Vector in three dimensions, the scalar F_1 G_2 - F_2 G_1 in two."""
        pairs = _pairs(self, other, "cross")
        if len(pairs) == 2:
            return self[0] * other[1] - self[1] * other[0]
        if len(pairs) != 3:
            raise ShapeError("cross of vectors", expected="two or three components", got=f"{len(pairs)} components")
        return Vector(self[i] * other[j] - self[j] * other[i] for i, j in ((1, 2), (2, 0), (0, 1)))

    def __add__(self, other: Any) -> Vector:
        return Vector(a + b for a, b in _pairs(self, other, "+"))

    def __sub__(self, other: Any) -> Vector:
        return Vector(a - b for a, b in _pairs(self, other, "-"))

    def __rsub__(self, other: Any) -> Vector:
        return Vector(b - a for a, b in _pairs(self, other, "-"))

    def __mul__(self, factor: Any) -> Vector:
        if isinstance(factor, (Vector, tuple, list)):
            raise ShapeError("'*' between two vectors has several meanings", cure="use dot(a, b) or cross(a, b)")
        return Vector(component * factor for component in self.components)

    def __truediv__(self, factor: Any) -> Vector:
        return Vector(component / factor for component in self.components)

    def __neg__(self) -> Vector:
        return Vector(-component for component in self.components)

    def __radd__(self, other: Any) -> Vector:
        return self if type(other) is int and other == 0 else self + other  # sum() begins with 0

    __rmul__ = __mul__

    def __pow__(self, exponent: Any) -> Vector:
        raise ShapeError(
            "a power of a vector has several meanings",
            expected="a power of a scalar",
            got=f"a vector of {len(self)} components",
            cure="use dot(F, F) for |F|^2, or F[0]**2 for a component",
        )

    __rpow__ = __pow__

    def __abs__(self) -> Any:
        raise ShapeError(
            "abs of a vector has several meanings",
            expected="a scalar",
            got=f"a vector of {len(self)} components",
            cure="use torch.sqrt(dot(F, F)) for the length, or abs(F[0]) for a component",
        )

    @classmethod
    def __torch_function__(cls, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Let `tensor * F` act componentwise, and `torch.real(F)` and its like on every component."""
        return cls.torch_function(function, args, kwargs or {})


def _pairs(a: Vector, b: Any, symbol: str) -> list[tuple[Any, Any]]:
    if not isinstance(b, (Vector, tuple, list)) or len(b) != len(a):
        got = f"{len(b)} components" if hasattr(b, "__len__") else type(b).__name__
        raise ShapeError(
            f"'{symbol}' between a vector of {len(a)} components and something else",
            expected=f"a vector of {len(a)} components",
            got=got,
            cure="take a component (F[0]) or multiply by a scalar",
        )
    return list(zip(a, b, strict=True))
