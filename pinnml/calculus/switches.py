"""What a formula does while it is evaluated: where it switches between branches, and what it differentiates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Watch:
    """The notes on one evaluation at n points, in the order of the formula.

    switches: which branch was taken, (n,) each; differentiated: an axis, and the values (n,) of what is differentiated
    along it.
    """

    switches: list[Tensor] = field(default_factory=list)
    differentiated: list[tuple[str, Tensor]] = field(default_factory=list)


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched() -> Iterator[Watch]:
    """Take notes of what is evaluated within."""
    watch = Watch()
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)


def note_switch(branch: Tensor) -> None:
    """A function that is not smooth takes this branch, (n,)."""
    if watch := _WATCH.get():
        watch.switches.append(branch)


def note_derivative(axis: str, values: Tensor) -> None:
    """What has these values, (n,), is differentiated along an axis."""
    if watch := _WATCH.get():
        watch.differentiated.append((axis, values))
