"""How PyTorch's functions act on jets: one table from a function's name to its rule."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache, partial
from inspect import Signature, signature
from typing import Any

import torch

from pinnml.calculus.functions import RULES
from pinnml.calculus.jet import Jet, value_of, where
from pinnml.calculus.switches import note_switch
from pinnml.calculus.vector import Vector
from pinnml.errors import TABULATED, NoAttributeError, ShapeError, UnsupportedFunctionError


def maximum(a: Any, b: Any) -> Jet:
    """The larger of two fields, with the derivatives of the one that is larger."""
    return where(value_of(a) >= value_of(b), a, b)


def minimum(a: Any, b: Any) -> Jet:
    """The smaller of two fields, with the derivatives of the one that is smaller."""
    return where(value_of(a) <= value_of(b), a, b)


def clamp(u: Jet, min: Any = None, max: Any = None) -> Jet:
    """The field held between two bounds."""
    u = u if min is None else maximum(u, min)
    return u if max is None else minimum(u, max)


def absolute(u: Jet) -> Jet:
    """|u|, of a complex field too: sqrt(u conj(u))."""
    return torch.sqrt(torch.real(u * torch.conj(u))) if u.dtype.is_complex else _switched("abs")(u)  # pyright: ignore


def atan2(y: Any, x: Any) -> Jet:
    """The angle of the point (x, y): the imaginary part of log(x + i y)."""
    return (x + 1j * y).compose(RULES["log"]).map(torch.imag)


def hypot(a: Jet, b: Any) -> Jet:
    """sqrt(a^2 + b^2)."""
    return (a * a + b * b) ** 0.5


def softplus(u: Jet, beta: float = 1.0, threshold: float = 20.0) -> Jet:
    """log(1 + e^(beta u)) / beta. Above the threshold PyTorch returns u; here that is left to round-off."""
    return (u * beta).compose(RULES["softplus"]) / beta


def gelu(u: Jet, approximate: str = "none") -> Jet:
    """The product u Phi(u), or PyTorch's approximation of it by tanh."""
    if approximate == "none":
        return u.compose(RULES["gelu"])
    if approximate != "tanh":
        raise _unsupported_argument("gelu", "approximate", approximate)
    return 0.5 * u * (1 + (math.sqrt(2 / math.pi) * (u + 0.044715 * u * u * u)).compose(RULES["tanh"]))


def _filled(value: float) -> Callable[[Jet], Jet]:
    return lambda u: u.constant(value)


def _binary(name: str) -> Callable[[Any, Any], Any]:
    """A + b and its like; with a tensor on the left, the reflected method of the jet on the right."""
    forward, reflected = f"__{name}__", f"__r{name}__"
    return lambda input, other: (
        getattr(input, forward)(other) if isinstance(input, Jet) else getattr(other, reflected)(input)
    )


def _sum(name: str) -> Callable[..., Any]:
    """A + alpha b, or a - alpha b."""
    binary = _binary(name)
    return lambda input, other, alpha=1: binary(input, other if alpha == 1 else alpha * other)


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda input, other, **more: function(other, input, **more)


def heaviside(input: Jet, values: Any) -> Jet:
    """0 where a field is negative, 1 where it is positive, `values` where it is zero."""
    at_zero = where(input.value < 0, input.constant(0.0), values)
    return where(input.value > 0, input.constant(1.0), at_zero)


def _switched(name: str) -> Callable[[Jet], Jet]:
    """A function of one variable with a kink or a jump where that is zero."""
    smooth = _unary(name)

    def function(u: Jet) -> Jet:
        note_switch(u.value > 0)
        return smooth(u)

    return function


def _unary(name: str) -> Callable[[Jet], Jet]:
    rule = RULES[name]
    return lambda u: u.compose(rule)


#: PyTorch name, without its underscores -> function of jets. Comparisons act on the values.
HANDLERS: dict[str, Callable[..., Any]] = {
    **{name: _unary(name) for name in RULES},
    **{name: _switched(name) for name in ("relu", "sign")},
    "heaviside": heaviside,
    "softplus": softplus,
    "gelu": gelu,
    "abs": absolute,
    "absolute": absolute,
    "add": _sum("add"),
    "sub": _sum("sub"),
    "subtract": _sum("sub"),
    "mul": _binary("mul"),
    "multiply": _binary("mul"),
    "div": _binary("truediv"),
    "divide": _binary("truediv"),
    "true_divide": _binary("truediv"),
    "pow": _binary("pow"),
    "radd": _sum("add"),
    "rmul": _binary("mul"),
    "rsub": _reflected(_sum("sub")),
    "rdiv": _reflected(_binary("truediv")),
    "rpow": _reflected(_binary("pow")),
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
        name: (lambda compare: lambda a, b: compare(value_of(a), value_of(b)))(getattr(operator, name))
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


#: What is meant by functions that reduce an array, where a field is one number at each point.
INSTEAD = {
    "max": "maximum",
    "min": "minimum",
    "amax": "maximum",
    "amin": "minimum",
    "fmax": "maximum",
    "fmin": "minimum",
}
#: Ways to take a field for plain numbers, as those do who look something up in a table.
TO_NUMBERS = (
    *("detach", "numpy", "cpu", "item", "tolist", "data", "tensor", "as_tensor", "asarray"),
    *("searchsorted", "bucketize", "interp", "gather", "take"),
)


#: Keyword arguments that PyTorch's own front ends add and that change nothing.
WITHOUT_EFFECT = (("inplace", False), ("inplace", True), ("out", None), ("rounding_mode", None))


def dispatch(function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Apply a PyTorch function to jets; one without a rule raises UnsupportedFunctionError naming those with one."""
    if any(isinstance(arg, Vector) for arg in args):
        return dispatch_vector(function, args, kwargs)
    name = function.__name__.strip("_")
    if name not in HANDLERS:
        raise _unsupported(name)
    return _applied(name, *args, **kwargs)


def _applied(name: str, *args: Any, **kwargs: Any) -> Any:
    """The handler's answer; an argument that it does not know is an UnsupportedFunctionError."""
    kwargs = {key: value for key, value in kwargs.items() if (key, value) not in WITHOUT_EFFECT}
    handler, taken = HANDLERS[name], _signature(name)
    if taken is not None:
        try:
            taken.bind(*args, **kwargs)
        except TypeError:
            unknown = [key for key in kwargs if key not in taken.parameters]
            key = unknown[0] if unknown else f"argument {len(args)}"
            raise _unsupported_argument(name, key, kwargs.get(key, args[-1])) from None
    return handler(*args, **kwargs)


@cache
def _signature(name: str) -> Signature | None:
    """What a handler takes; None for those of C, which cannot be asked."""
    try:
        return signature(HANDLERS[name])
    except ValueError:
        return None


def dispatch_vector(function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Apply a product or a componentwise function to a Vector."""
    name = function.__name__.strip("_")
    if name in ("mul", "rmul", "multiply"):
        return args[1] * args[0] if isinstance(args[1], Vector) else args[0] * args[1]
    if len(args) == 1 and isinstance(args[0], Vector) and name in HANDLERS:
        return Vector(dispatch(function, (component,), kwargs) for component in args[0])
    if name == "where" and not kwargs:
        return _vector_where(function, *args)
    raise UnsupportedFunctionError(
        f"torch.{name} has no rule for vectors",
        expected="a product with a scalar, torch.where, or a function of one argument",
        got=f"torch.{name} of a Vector",
        cure="apply it to the components, F[0], F[1], ...",
    )


def _vector_where(function: Callable, condition: Any, first: Any, second: Any) -> Vector:
    """The choice between two vectors, or a vector and a number, component by component."""
    size = len(first if isinstance(first, Vector) else second)
    sides = [side if isinstance(side, (Vector, tuple, list)) else (side,) * size for side in (first, second)]
    if len(sides[0]) != len(sides[1]):
        raise ShapeError(
            "torch.where of vectors",
            expected="as many components in either",
            got=f"{len(sides[0])} and {len(sides[1])} components",
            cure="choose between vectors of one length",
        )
    return Vector(function(condition, a, b) for a, b in zip(*sides, strict=True))


def method(jet: Jet, name: str) -> Callable[..., Any]:
    """The bound form of a function: `u.sin()` for `torch.sin(u)`."""
    if name.startswith("_") or name not in HANDLERS:
        raise NoAttributeError(
            f"a field has no '{name}'",
            expected="a function of PyTorch, .value, or a derivative such as .d('x')",
            got=f".{name}",
            cure=_cure(name, [*HANDLERS, "d", "value"], ""),
        )
    return partial(_applied, name, jet)


def _unsupported_argument(name: str, argument: str, value: Any) -> UnsupportedFunctionError:
    taken = _signature(name)
    return UnsupportedFunctionError(
        f"torch.{name} of a field does not take '{argument}'",
        expected=f"the arguments {', '.join(taken.parameters)}" if taken else "the field alone",
        got=f"{argument}={value!r:.60}",
        cure="leave it out, or write the formula with the functions that fields know",
    )


def _unsupported(name: str) -> UnsupportedFunctionError:
    return UnsupportedFunctionError(
        f"torch.{name} has no rule for fields",
        expected="one of " + ", ".join(sorted(HANDLERS)),
        got=name,
        cure=_cure(name, HANDLERS, "torch."),
    )


def _cure(name: str, known: Iterable[str], prefix: str) -> str:
    """What to write in place of a function that fields do not have."""
    if name in TO_NUMBERS:
        return TABULATED
    near = [INSTEAD[name]] if name in INSTEAD else get_close_matches(name, list(known), n=1)
    return (
        f"did you mean {prefix + near[0] if prefix else repr(near[0])}?"
        if near
        else "write it with PyTorch's functions of fields"
    )


Jet.torch_function, Jet.bound_function = staticmethod(dispatch), staticmethod(method)
Vector.torch_function = staticmethod(dispatch_vector)
