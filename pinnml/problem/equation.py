"""What problems are made of: fields, and equations on regions, strong and weak. Plain records, checked when built."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from pinnml.errors import ProblemError

Function = Callable[..., Any]
#: The name of what a weak form leaves, among those of equations.
WEAK_FORM = "weak form"
#: The name under which equations on an interface receive the jump across it.
JUMP = "jump"
#: The arguments of functions that have been looked up.
_NAMES: WeakKeyDictionary[FunctionType, tuple[str, ...]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Field:
    """One unknown: a scalar or vector field, real or complex. A complex component owns two real columns."""

    name: str
    components: int = 1
    is_complex: bool = False
    is_vector: bool = False

    @property
    def columns(self) -> int:
        """Real columns of the network's output."""
        return self.components * (2 if self.is_complex else 1)


@dataclass(frozen=True)
class Equation:
    """residual = 0 on one region or several.

    The residual is left side minus right side; its argument names choose what it receives: fields, axes,
    parameters, `normal` on the boundary, columns of data. On an interface it holds for the values that fields have
    on either side, `normal` leads across, and `jump(q)` is q behind less q before. `name` defaults to the function's
    own; a lambda needs one. `weight` multiplies the squared residual in the loss. `integral=True` makes one row of the
    integral of the residual over each region.
    """

    residual: Function
    on: str | tuple[str, ...] = "interior"
    name: str = ""
    weight: float = 1.0
    integral: bool = False

    def __post_init__(self) -> None:
        own_name = getattr(self.residual, "__name__", "")
        if not self.name and own_name in ("", "<lambda>"):
            raise ProblemError(
                "an equation without a name",
                got="a lambda" if own_name else repr(self.residual),
                cure='give it one: Equation(lambda u: u, on="boundary", name="wall")',
            )
        object.__setattr__(self, "name", self.name or own_name)
        object.__setattr__(self, "on", _regions(self.name, self.on))
        if not self.on:
            raise ProblemError(f"equation '{self.name}' is on no region", cure='name one: on="interior"')
        if not (isinstance(self.weight, (int, float)) and 0 < self.weight < math.inf):
            message, cure = f"equation '{self.name}': weight", "leave it out for 1, or write a number such as 10.0"
            raise ProblemError(message, expected="a number above 0", got=repr(self.weight), cure=cure)
        argument_names(self.residual, f"equation '{self.name}'")


@dataclass(frozen=True)
class Weak:
    """The integral of an integrand over one region or several: its sum over all is zero for every test function.

    The integrand is linear in the test function, which is `v` where the problem has one field, and `v_<field>` for
    each of several; a vector field is tested with a Vector. Argument names choose what else it receives, as in an
    Equation. Conditions on values stay equations; fluxes through the boundary are integrals over it.
    """

    integrand: Function
    on: str | tuple[str, ...] = "interior"
    name: str = ""

    def __post_init__(self) -> None:
        own_name = getattr(self.integrand, "__name__", "")
        object.__setattr__(self, "name", self.name or ("weak" if own_name in ("", "<lambda>") else own_name))
        object.__setattr__(self, "on", _regions(self.name, self.on))
        argument_names(self.integrand, f"weak form '{self.name}'")


@dataclass(frozen=True)
class Term:
    """One equation on one region under a name that is unique in its problem."""

    name: str
    equation: Equation
    region: str

    @property
    def is_jump(self) -> bool:
        """Whether it says something of jumps across an interface."""
        return JUMP in argument_names(self.equation.residual, self.name)


def argument_names(function: Function, what: str) -> tuple[str, ...]:
    """The names of a function's arguments that have no default; `*args` and `**kwargs` are refused."""
    if not isinstance(function, FunctionType):
        return _looked_up(function, what)
    if (known := _NAMES.get(function)) is None:  # residuals are asked at every evaluation
        known = _NAMES[function] = _looked_up(function, what)
    return known


def _looked_up(function: Function, what: str) -> tuple[str, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ProblemError(f"{what} is not a function with named arguments", got=repr(function)) from None
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ProblemError(f"{what} takes {parameter}", expected="arguments by name, such as (u, x, t)")
    return tuple(p.name for p in parameters if p.default is p.empty)


def test_names(fields: Iterable[Field]) -> dict[str, str]:
    """The name of each field's test function: v for a single field, v_<field> for each of several."""
    names = [field.name for field in fields]
    return {names[0]: "v"} if len(names) == 1 else {name: f"v_{name}" for name in names}


def weak_name(fields: Iterable[Field], field: str) -> str:
    """The name of what a weak form leaves with the test functions of a field."""
    return WEAK_FORM if len(tuple(fields)) == 1 else f"{WEAK_FORM} of {field}"


def declared_fields(declared: Any) -> tuple[Field, ...]:
    """Fields as records, from a name, names, or a mapping from names to kinds."""
    if isinstance(declared, str):
        declared = (declared,)
    names = list(declared) if isinstance(declared, Iterable) else [declared]
    if wrong := [name for name in names if not isinstance(name, (str, Field))]:
        raise ProblemError(
            "fields",
            expected="names, or a mapping from names to kinds",
            got=repr(wrong[0]),
            cure='fields=("u",), or fields={"u": 2} for a vector of two components',
        )
    for name in names:
        if names.count(name) > 1:
            raise ProblemError(f"the field '{name}' is declared twice", cure="name each field once")
    kinds = dict(declared) if isinstance(declared, Mapping) else dict.fromkeys(declared, 1)
    if not kinds:
        raise ProblemError("a problem without fields", cure='name them: fields=("u",)')
    return tuple(name if isinstance(name, Field) else _field(name, kind) for name, kind in kinds.items())


def _field(name: str, kind: Any) -> Field:
    if kind in (float, complex):
        return Field(name, 1, kind is complex)
    size, number = kind if isinstance(kind, tuple) and len(kind) == 2 else (kind, float)
    if not (isinstance(size, int) and not isinstance(size, bool) and size > 0 and number in (float, complex)):
        raise ProblemError(
            f"field '{name}'",
            expected="1, a number of components, complex, or (components, complex)",
            got=repr(kind),
            cure=f'write fields={{"{name}": 2}} for a vector of two components',
        )
    is_vector = isinstance(kind, tuple) or size > 1
    return Field(name, size, number is complex, is_vector)


def _regions(name: str, on: Any) -> tuple[str, ...]:
    regions = (on,) if isinstance(on, str) else on
    if not isinstance(regions, (tuple, list)) or not all(isinstance(region, str) for region in regions):
        cure = 'name a region: on="interior", or on=("x=0", "x=1")'
        raise ProblemError(f"'{name}': on", expected="a region, or several", got=repr(on), cure=cure)
    return tuple(regions)
