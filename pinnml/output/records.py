"""Settings, results and tables as JSON and CSV that any reader takes."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path

import numpy as np

from pinnml.output.files import replacing


def write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write rows as CSV; the columns are all keys, in the order in which they first appear."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return path


def write_json(path: Path, values: Mapping[str, object]) -> Path:
    """Write strict JSON: NaN and infinities as null, what JSON has no word for as its `str`."""
    with replacing(path) as temporary:
        temporary.write_text(strict_json(values) + "\n", encoding="utf-8")
    return path


def strict_json(values: Mapping[str, object]) -> str:
    """The text that `write_json` writes."""
    return json.dumps(_strict(values), indent=2, allow_nan=False, ensure_ascii=False)


def _strict(value: object) -> object:
    """The value in the words of JSON."""
    if isinstance(value, Enum):
        return _strict(value.value)
    if isinstance(value, np.ndarray | np.generic):
        return _strict(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [_strict(each) for each in value]
    if isinstance(value, complex):
        return {"real": _strict(value.real), "imag": _strict(value.imag)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
