"""Named arrays of a snapshot: what they must be, and what they become in a file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pinnml.errors import ProblemError, ShapeError


def checked_data(data: Mapping[str, np.ndarray], kind: str, count: int) -> dict[str, np.ndarray]:
    """The arrays, each of them one value or one row for each of `count` points or cells.

    Raises:
        ShapeError: an array is not `(count,)` or `(count, k)`, or does not hold numbers.
        ProblemError: two arrays would go by the same name in a file.
    """
    arrays = {name: np.asarray(array) for name, array in data.items()}
    for name, array in arrays.items():
        fits = array.ndim in (1, 2) and len(array) == count and array.size
        if array.dtype.kind not in "biufc" or not fits:
            raise ShapeError(
                f"{kind} array '{name}' does not fit the {kind}s",
                expected=f"numbers ({count},) or ({count}, k), for {count} {kind}s",
                got=f"{array.dtype} {array.shape}",
                cure=f"evaluate '{name}' at the {kind}s of this very snapshot",
            )
    written(arrays)
    return arrays


def written(data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays as they stand in a file: real, without spaces in names, vectors of three components.

    Args:
        data: name -> `(n,)` or `(n, k)`.

    Returns:
        Name -> `(n,)` or `(n, k)` with k = 3 or more; a complex array gives three.

    Raises:
        ProblemError: two arrays would go by the same name, or a name is empty.
    """
    written: dict[str, np.ndarray] = {}
    for name, array in data.items():
        stem = "_".join(name.split())
        parts = {stem: array}
        if np.iscomplexobj(array):
            parts = {
                f"{stem}_real": np.real(array),
                f"{stem}_imag": np.imag(array),
                f"{stem}_abs": np.abs(array),
            }
        for key, part in parts.items():
            if key in written or not key:
                raise ProblemError(
                    f"the array '{name}' cannot be written",
                    expected="names that are not empty and stay apart once spaces become underscores "
                    "and complex arrays are split into _real, _imag and _abs",
                    got=f"'{key}' twice" if key else "an empty name",
                    cure="give one of the arrays another name",
                )
            written[key] = _plain(part)
    return written


def _plain(array: np.ndarray) -> np.ndarray:
    """The array in a type that VTK has, a column as `(n,)`, a pair as a triple."""
    kinds = {"?": np.uint8, "e": np.float32, "g": np.float64}
    array = array.astype(kinds.get(array.dtype.char, array.dtype.newbyteorder("=")), copy=False)
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 2 and array.shape[1] == 2:
        return np.pad(array, ((0, 0), (0, 1)))
    return array
