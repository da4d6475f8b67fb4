"""Functions of the user's with some arguments known: numbers, or functions of the coordinates."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

from pinnml.problem.equation import Function


def with_known(function: Function | None, values: Mapping[str, Any], axes: Sequence[str]) -> Any:
    """The function of its other arguments, and of the axes where a value is a function of these: f(u, k) -> f(u, x, y).

    values: by name of argument, numbers and functions of the axes in their order.
    """
    if function is None:
        return None
    signature = inspect.signature(function)
    known = {name: values[name] for name in signature.parameters if name in values}
    if not known:
        return function
    kept = {name: each for name, each in signature.parameters.items() if name not in known}
    added = [name for name in axes if name not in kept] if any(map(callable, known.values())) else []

    @wraps(function)
    def completed(**given: Any) -> Any:
        place = tuple(given[name] for name in axes if name in given)
        found = {name: value(*place) if callable(value) else value for name, value in known.items()}
        return function(**{name: value for name, value in given.items() if name in kept}, **found)

    # keyword-only arguments may stand in any order, whatever has a default
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each.default) for name, each in kept.items()
    ]
    parameters += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in added]
    completed.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    return completed
