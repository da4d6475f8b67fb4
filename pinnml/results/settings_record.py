"""Settings of networks and solvers as plain values, and networks' made of these again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

from torch import nn

from pinnml.errors import CheckpointError, PinnmlError
from pinnml.networks import NETWORKS, NetworkSettings
from pinnml.solvers import SOLVERS


def described(settings: Any) -> dict[str, Any]:
    """Settings as plain values: their kind, their options, and the names of those that are functions."""
    registry = {**NETWORKS, **SOLVERS}
    kind = next((name for name, known in registry.items() if known is type(settings)), type(settings).__name__)
    options = {f.name: getattr(settings, f.name) for f in fields(settings)} if is_dataclass(settings) else {}
    functions = [name for name, value in options.items() if callable(value) or isinstance(value, nn.Module)]
    plain = {name: _plain(value) for name, value in options.items() if name not in functions}
    return {"kind": kind, "functions": functions, **plain}


def network_settings(record: Mapping[str, Any]) -> NetworkSettings:
    """The settings that a solution's record describes, of plain options alone; see `check_given` for others."""
    with parts_there():
        hidden = ("kind", "functions", "settled")
        return NETWORKS[record["kind"]](**{key: value for key, value in record.items() if key not in hidden})


@contextmanager
def parts_there() -> Iterator[None]:
    """Whatever the block stumbles over is a part of the record that is not as `Solution.save` writes it."""
    try:
        yield
    except (PinnmlError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        first = str(error).splitlines()[0] if str(error) else ""
        raise CheckpointError(
            "the checkpoint lacks a part",
            expected="a record that pinnml saved",
            got=f"{type(error).__name__}: {first}",
            cure="save the solution again",
        ) from error


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return described(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
