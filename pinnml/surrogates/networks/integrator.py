"""Steps in time of a fixed size: what a node depends on grows by the same number of hops at every one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

State = tuple[Tensor, ...]


def rk4(rate: Callable[[State], State], state: State, time: float, steps: int) -> State:
    """x(time) of dx/dt = rate(x), by so many equal steps of the classical Runge-Kutta method of fourth order.

    A step that is chosen by an error over all nodes would make every node depend on every other one.
    """
    step = time / steps
    for _ in range(steps):
        first = rate(state)
        second = rate(_moved(state, first, step / 2))
        third = rate(_moved(state, second, step / 2))
        fourth = rate(_moved(state, third, step))
        slopes = zip(first, second, third, fourth, strict=True)
        state = _moved(state, tuple(a + 2 * (b + c) + d for a, b, c, d in slopes), step / 6)
    return state


def _moved(state: State, rate: State, time: float) -> State:
    return tuple(x + time * v for x, v in zip(state, rate, strict=True))
