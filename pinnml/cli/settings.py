"""The options `--solver`, `--network`, `--points` and `--dtype`: what they say, made into settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import torch

from pinnml.cli.values import pairs, read, split
from pinnml.errors import SettingsError, unknown_name
from pinnml.solvers import SOLVERS, Solver

T = TypeVar("T")
DTYPES = {"float64": torch.float64, "float32": torch.float32}
#: What stands in a message for a type.
WORDS = {
    Solver: "a solver, such as lm or (lm:steps=50)",
    float: "a number",
    int: "a whole number",
    str: "a word",
    bool: "True or False",
    type(None): "None",
}


def chosen(text: str, what: str, registry: Mapping[str, type[T]], own: T | None) -> T:
    """Settings from `kind:option=value,...`: the recipe's own with these options, where the kind is the same.

    Raises UnknownNameError for a kind or option that is not there, SettingsError for a value that cannot be.
    """
    kind, _, rest = text.partition(":")
    kind = kind.strip()
    if kind not in registry:
        raise unknown_name(what, kind, registry, where=f"--{what} {text}")
    settings = registry[kind]
    hints = get_type_hints(settings)
    valid = [f.name for f in fields(settings)]  # pyright: ignore[reportArgumentType]
    options, given = {}, pairs(split(rest), f"--{what}")
    for name, value in given.items():
        if name not in valid:
            raise unknown_name("option", name, valid, where=f"{what} '{kind}'", cure=_brackets(name, given, hints))
        options[name] = _fitted(read(value), hints[name], f"{what} '{kind}': {name}")
    start: Any = own if type(own) is settings else settings()
    return replace(start, **options)


def _brackets(name: str, given: Mapping[str, str], hints: Mapping[str, Any]) -> str | None:
    """The cure where an option belongs to a solver that is itself an option, and stands without brackets."""
    for outer in (option for option in given if option in hints and Solver in _kinds(hints[option])):
        inside = given[outer].strip().removeprefix("(").removesuffix(")")
        kind = SOLVERS.get(inside.partition(":")[0].strip())
        if kind is not None and name in (f.name for f in fields(kind)):  # pyright: ignore[reportArgumentType]
            more = f"{inside}{',' if ':' in inside else ':'}{name}={given[name]}"
            return f"put the options of a solver within a solver into brackets: {outer}=({more})"
    return None


def points_of(text: str) -> int | dict[str, int]:
    """`4000`, or `interior=4000,boundary=500`; a face keeps its own sign: `x=0=100`."""
    number = read(text)
    if _is_number(number) and isinstance(number, int):
        return number
    found: dict[str, int] = {}
    for part in split(text):
        region, separator, value = part.rpartition("=")
        number = read(value)
        if not separator or not isinstance(number, int):
            raise SettingsError(
                "--points",
                expected="a whole number, or region=number,region=number",
                got=f"'{text}'",
                cure="--points 4000, or --points interior=4000,boundary=500",
            )
        found[region.strip()] = number
    return found


def dtype_of(text: str) -> torch.dtype:
    """The floating-point type of that name."""
    if text not in DTYPES:
        raise unknown_name("dtype", text, DTYPES)
    return DTYPES[text]


def _fitted(value: Any, hint: Any, what: str) -> Any:
    """The value as its annotation wants it: an int where only floats are known is made one."""
    kinds = _kinds(hint)
    if Solver in kinds and isinstance(value, str):
        inside = value.removeprefix("(").removesuffix(")")
        if inside.startswith("("):
            return tuple(_fitted(part.strip(), Solver, what) for part in split(inside))
        return chosen(inside, "solver", SOLVERS, None)
    if bool in kinds and isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if _is_number(value) and int not in kinds and float in kinds:
        value = float(value)
    if not any(_is_a(value, kind) for kind in kinds):
        words = [word for kind in kinds if (word := _word(kind))]
        cure = f"write {what.rpartition(' ')[2]}=VALUE with {' or '.join(words)}, or leave it out for the default"
        if any(get_origin(kind) is Callable for kind in kinds):
            cure = "a function cannot be written here: put it into the recipe of the script"
        raise SettingsError(what, expected=" or ".join(words), got=repr(value), cure=cure)
    return value


def _kinds(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_a(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Sequence:
        return isinstance(value, (list, tuple)) and all(_is_number(each) for each in value)
    if kind in (int, float):
        return _is_number(value) and isinstance(value, (int, kind))
    return isinstance(kind, type) and isinstance(value, kind)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _word(kind: Any) -> str | None:
    return "a list such as (3, 4)" if get_origin(kind) is Sequence else WORDS.get(kind)
