"""Gradients for those who need them, whatever the caller has switched off."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def with_gradients(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which works inside `torch.no_grad()` and `torch.inference_mode()` as it does outside."""

    @wraps(function)
    def wrapped(*given: P.args, **named: P.kwargs) -> R:
        with torch.inference_mode(False), torch.enable_grad():
            return function(*given, **named)

    return wrapped
