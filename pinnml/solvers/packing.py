"""States of solvers as plain values, and made of these again to the last bit."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from torch import Tensor

T = TypeVar("T")


def packed_fields(state: Any, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a state by name, tuples as lists; those to `leave` are left out."""
    return {each.name: _plain(getattr(state, each.name)) for each in fields(state) if each.name not in leave}


def unpacked_fields(kind: type[T], packed: dict[str, Any], **more: Any) -> T:
    """The state of a kind with these fields, and more of them."""
    return kind(**{name: own(value) for name, value in packed.items()}, **more)


def own(value: Any) -> Any:
    """A copy, lists as tuples, every tensor with memory of its own: sums may depend on where their numbers lie."""
    if isinstance(value, Tensor):
        return value.clone()
    return tuple(own(each) for each in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
