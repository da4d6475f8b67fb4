"""How PyTorch's functions act on jets: one table from a function's name to its rule."""

from __future__ import annotations

import operator
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch

from pinnml.calculus.functions import RULES
from pinnml.calculus.jet import Jet, where
from pinnml.calculus.vector import Vector
from pinnml.errors import UnsupportedFunctionError


def maximum(a: Any, b: Any) -> Jet:
    """The larger of two fields, with the derivatives of the one that is larger."""
    return where(_value(a) >= _value(b), a, b)


def minimum(a: Any, b: Any) -> Jet:
    """The smaller of two fields, with the derivatives of the one that is smaller."""
    return where(_value(a) <= _value(b), a, b)


def clamp(u: Jet, min: Any = None, max: Any = None) -> Jet:
    """The field held between two bounds."""
    u = u if min is None else maximum(u, min)
    return u if max is None else minimum(u, max)


def absolute(u: Jet) -> Jet:
    """|u|, of a complex field too: sqrt(u conj(u))."""
    return torch.sqrt(torch.real(u * torch.conj(u))) if u.dtype.is_complex else u.compose(RULES["abs"])  # pyright: ignore


def atan2(y: Any, x: Any) -> Jet:
    """The angle of the point (x, y): the imaginary part of log(x + i y)."""
    return (x + 1j * y).compose(RULES["log"]).map(torch.imag)


def hypot(a: Jet, b: Any) -> Jet:
    """sqrt(a^2 + b^2)."""
    return (a * a + b * b) ** 0.5


def _filled(value: float) -> Callable[[Jet], Jet]:
    return lambda u: u.constant(value)


def _binary(name: str) -> Callable[[Any, Any], Any]:
    """A + b and its like; with a tensor on the left, the reflected method of the jet on the right."""
    forward, reflected = f"__{name}__", f"__r{name}__"
    return lambda a, b: getattr(a, forward)(b) if isinstance(a, Jet) else getattr(b, reflected)(a)


def _reflected(name: str) -> Callable[[Any, Any], Any]:
    binary = _binary(name)
    return lambda a, b: binary(b, a)


def _unary(name: str) -> Callable[[Jet], Jet]:
    rule = RULES[name]
    return lambda u: u.compose(rule)


def _value(side: Any) -> Any:
    return side.value if isinstance(side, Jet) else side


#: PyTorch name, without its underscores -> function of jets. Comparisons act on the values.
HANDLERS: dict[str, Callable[..., Any]] = {
    **{name: _unary(name) for name in RULES},
    "abs": absolute,
    "absolute": absolute,
    "add": _binary("add"),
    "sub": _binary("sub"),
    "subtract": _binary("sub"),
    "mul": _binary("mul"),
    "multiply": _binary("mul"),
    "div": _binary("truediv"),
    "divide": _binary("truediv"),
    "true_divide": _binary("truediv"),
    "pow": _binary("pow"),
    **{name: _binary(name[1:]) for name in ("radd", "rmul")},
    "rsub": _reflected("sub"),
    "rdiv": _reflected("truediv"),
    "rpow": _reflected("pow"),
    "neg": operator.neg,
    "negative": operator.neg,
    "where": where,
    "maximum": maximum,
    "minimum": minimum,
    "clamp": clamp,
    "clip": clamp,
    "atan2": atan2,
    "arctan2": atan2,
    "hypot": hypot,
    "real": operator.attrgetter("real"),
    "imag": operator.attrgetter("imag"),
    "conj": lambda u: u.map(lambda c: torch.conj(c).resolve_conj()),
    "stack": lambda jets, dim=0: Vector(jets),
    "zeros_like": _filled(0.0),
    "ones_like": _filled(1.0),
    "full_like": lambda u, fill_value: u.constant(fill_value),
    **{
        name: (lambda compare: lambda a, b: compare(_value(a), _value(b)))(getattr(operator, name))
        for name in ("lt", "le", "gt", "ge", "eq", "ne")
    },
}
for _alias, _name in {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arctanh": "atanh",
    "arccosh": "acosh",
}.items():
    HANDLERS[_alias] = HANDLERS[_name]


#: Keyword arguments that PyTorch's own front ends add and that change nothing.
WITHOUT_EFFECT = (("inplace", False), ("inplace", True), ("out", None), ("approximate", "none"))


def dispatch(function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Apply a PyTorch function to jets; one without a rule raises UnsupportedFunctionError naming those with one."""
    if any(isinstance(arg, Vector) for arg in args):
        return dispatch_vector(function, args, kwargs)
    name = function.__name__.strip("_")
    handler = HANDLERS.get(name)
    if handler is None:
        raise _unsupported(name)
    return handler(*args, **{key: value for key, value in kwargs.items() if (key, value) not in WITHOUT_EFFECT})


def dispatch_vector(function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Apply a product or a componentwise function to a Vector."""
    name = function.__name__.strip("_")
    if name in ("mul", "rmul", "multiply"):
        return args[1] * args[0] if isinstance(args[1], Vector) else args[0] * args[1]
    if len(args) == 1 and isinstance(args[0], Vector) and name in HANDLERS:
        return Vector(dispatch(function, (component,), kwargs) for component in args[0])
    raise _unsupported(name)


def method(jet: Jet, name: str) -> Callable[..., Any]:
    """The bound form of a function: `u.sin()` for `torch.sin(u)`."""
    if name.startswith("_") or name not in HANDLERS:
        near = get_close_matches(name, [*HANDLERS, "d", "value"], n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise AttributeError(f"a field has no '{name}'{hint} (derivatives are u.d('x'), u.d('xx'), ...)")
    return partial(HANDLERS[name], jet)


def _unsupported(name: str) -> UnsupportedFunctionError:
    near = get_close_matches(name, list(HANDLERS), n=1)
    return UnsupportedFunctionError(
        f"torch.{name} has no rule for fields",
        expected="one of " + ", ".join(sorted(HANDLERS)),
        got=name,
        cure=f"did you mean torch.{near[0]}?" if near else "write it with the functions above",
    )
