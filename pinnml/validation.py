"""Checks of options at the border: each returns the value as Python's own kind of number, or says how to mend it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

from pinnml.errors import PinnmlError, SettingsError, unknown_name

#: The kind of error that a check raises.
Kind = type[PinnmlError]


def whole_number(name: str, value: Any, least: int = 1, *, most: float = math.inf, error: Kind = SettingsError) -> int:
    """A whole number from `least` to `most`, of NumPy too; no float, no text, no bool."""
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    bound = f"of {least} or more" if math.isinf(most) else f"from {least} to {most}"
    number = _as_number(value)
    if number is not None and number.is_integer() and least <= number <= most:
        cure = f"write {int(number)}, without point or quotes"
    else:
        cure = f"choose a whole number {bound}, or leave it out for the default"
    raise error(name, expected=f"a whole number {bound}", got=repr(value), cure=cure)


def positive(name: str, value: Any, *, error: Kind = SettingsError) -> float:
    """A finite number above 0."""
    return _number(name, value, "a number above 0", lambda x: 0 < x < math.inf, error)


def not_negative(name: str, value: Any, *, error: Kind = SettingsError) -> float:
    """A finite number of 0 or more."""
    return _number(name, value, "a number of 0 or more", lambda x: 0 <= x < math.inf, error)


def fraction(name: str, value: Any, *, error: Kind = SettingsError) -> float:
    """A number from 0 up to 1, 1 itself left out."""
    return _number(name, value, "a number from 0 to 1, less than 1", lambda x: 0 <= x < 1, error)


def finite(name: str, value: Any, *, error: Kind = SettingsError) -> float:
    """A number that is neither NaN nor infinite."""
    return _number(name, value, "a finite number", math.isfinite, error)


def flag(name: str, value: Any) -> bool:
    """True or False, and nothing that merely counts as one of them."""
    if not isinstance(value, bool):
        raise SettingsError(name, expected="True or False", got=repr(value), cure=f"write {name}={bool(value)}")
    return value


def function(name: str, value: Any) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        cure = f"write a function of the coordinates by name, such as {name}=lambda x, t: (x, torch.exp(-t))"
        raise SettingsError(name, expected="a function", got=repr(value), cure=cure)
    return value


def choice(kind: str, value: Any, valid: Iterable[str]) -> str:
    """One of a few names."""
    valid = tuple(valid)
    if not isinstance(value, str) or value not in valid:
        raise unknown_name(kind, value, valid)
    return value


def of_kind(name: str, value: Any, kinds: Any, expected: str, example: str) -> Any:
    """A value of one of some types; `example` is what to write instead."""
    if not isinstance(value, kinds):
        raise SettingsError(name, expected=expected, got=shown(value), cure=f"write {example}, or leave it out")
    return value


def shown(value: Any) -> str:
    """A value in a message: short, and with its type where it does not tell it."""
    return f"{value!r:.60}" if isinstance(value, (str, int, float, type)) else f"{type(value).__name__} {value!r:.60}"


def or_none(check: Callable[..., Any]) -> Callable[..., Any]:
    """The same check where None is welcome as well."""
    return lambda name, value, *bounds, **more: None if value is None else check(name, value, *bounds, **more)


def settle(settings: Any, check: Callable[..., Any], *names: str) -> None:
    """Check these options of frozen settings, and keep what the check returns."""
    for name in names:
        object.__setattr__(settings, name, check(name, getattr(settings, name)))


def _number(name: str, value: Any, expected: str, holds: Callable[[float], bool], error: Kind) -> Any:
    if isinstance(value, Real) and not isinstance(value, bool) and holds(float(value)):
        return value if isinstance(value, (int, float)) else float(value)
    number = _as_number(value) if isinstance(value, str) else None
    good = number is not None and holds(number)
    cure = f"write {value}, without quotes" if good else f"choose {expected}, or leave it out for the default"
    raise error(name, expected=expected, got=repr(value), cure=cure)


def _as_number(value: Any) -> float | None:
    """The number that a float or a text means; None for anything else."""
    try:
        return float(value) if isinstance(value, (Real, str)) and not isinstance(value, bool) else None
    except ValueError:
        return None
