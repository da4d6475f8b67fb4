"""Records of domains in JSON: what is kept of one in a file, and how it is made of that again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pinnml.domains.sample import Domain

#: The key by which a `to_json` record tells its kind of domain, to what reads it; every kind adds its own.
READERS: dict[str, Callable[[Mapping[str, Any]], Domain]] = {}


def domain_from_json(record: Mapping[str, Any]) -> Domain:
    """The domain of a `to_json` record, as far as calling a network on it needs."""
    return READERS[next(iter(record), "")](record)


def same_domain(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two `to_json` records are of one domain, with its axes in the same order."""
    return _in_order(first) == _in_order(second)


def _in_order(record: Mapping[str, Any]) -> list[Any]:
    return [(kind, [(name, list(numbers)) for name, numbers in axes.items()]) for kind, axes in record.items()]
