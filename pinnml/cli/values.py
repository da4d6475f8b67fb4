"""What is written behind `=` on the command line, as Python values."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from pinnml.errors import SettingsError


def read(text: str, *, as_text: bool = False) -> Any:
    """The Python literal that is written, else the text itself; `as_text` keeps numbers as they are written."""
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return text if as_text and not isinstance(value, str) else value


def pairs(items: Iterable[str], what: str) -> dict[str, str]:
    """`key=value` items by key; SettingsError for an item of another form, or a key that comes twice."""
    found: dict[str, str] = {}
    for item in items:
        key, separator, text = item.partition("=")
        key = key.strip()
        if not separator or not key or not text.strip():
            raise SettingsError(
                f"{what}: '{item}'",
                expected="key=value",
                got=f"'{item}'",
                cure="write it as key=value; a list goes into brackets: key=(4,3)",
            )
        if key in found:
            raise SettingsError(f"{what}: '{key}' is given twice", got=f"{found[key]} and {text}", cure="drop one")
        found[key] = text
    return found


def split(text: str) -> list[str]:
    """The parts between commas; commas within brackets or quotes belong to the part."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def written(options: Mapping[str, Any]) -> str:
    """Options in the form in which they are read."""
    return ",".join(f"{name}={_written(value)}" for name, value in options.items())


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"({','.join(_written(v) for v in value)})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
