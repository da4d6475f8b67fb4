"""The rows of a picture: a field taken apart into real arrays, each beside its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pinnml.output.panel import Panel

_COMPONENTS = "xyz"


class Row(NamedTuple):
    """One real array of a panel, and what it is compared with.

    Attributes:
        panel: where it comes from.
        title: its name.
        value: `(n,)`.
        exact: `(n,)`, or None where there is nothing to compare with.
        error: `(n,)`, not negative, or None.
        error_title: the name of the error, and the relative error of the whole field.
        strength: `(n,)`, the size of the whole field.
    """

    panel: Panel
    title: str
    value: np.ndarray
    exact: np.ndarray | None
    error: np.ndarray | None
    error_title: str
    strength: np.ndarray


class _View(NamedTuple):
    """A real way to look at a field: `of` takes it to `(n,)`, `gap` takes a difference to `(n,)`, >= 0."""

    title: str
    error_title: str
    of: Callable[[np.ndarray], np.ndarray]
    gap: Callable[[np.ndarray], np.ndarray]


def rows_of(panel: Panel, *, brief: bool = False) -> list[Row]:
    """The rows of a panel: one for each component, or the real part and the modulus of a complex field.

    Args:
        panel: the field.
        brief: one row only: the magnitude of a vector, the real part of a complex scalar.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _rows_of(panel, brief)


def _rows_of(panel: Panel, brief: bool) -> list[Row]:
    data = panel.snapshot.point_data
    value = _numbers(data[panel.name])
    exact = None if panel.exact is None else _numbers(data[panel.exact])
    views = _views(panel, value, brief)
    of = f" of {symbol(panel.name)}" if len(views) > 1 else ""
    size = "" if exact is None else _size(panel, value, exact, of)
    rows = []
    for view in views:
        compared, error = (None, None) if exact is None else (view.of(exact), view.gap(value - exact))
        title = f"{view.error_title}\n{size}"
        rows.append(Row(panel, view.title, view.of(value), compared, error, title, _modulus(value)))
    return rows


def scientific(value: float) -> str:
    """A number with two or three digits as it is printed, with a power of ten where it is far from one."""
    if value == 0 or not np.isfinite(value) or 0.01 <= abs(value) < 1000:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa} \times 10^{{{int(exponent)}}}$"


def _views(panel: Panel, value: np.ndarray, brief: bool) -> list[_View]:
    """The views of a field `(n,)` or `(n, k)`."""
    name, exact = panel.name, plain(panel.exact_label)
    whole = _View(f"|{symbol(name)}|", f"|{symbol(name)} $-$ {exact}|", _modulus, _modulus)
    if value.ndim == 2 and (value.shape[1] > len(_COMPONENTS) or (brief and value.shape[1] > 1)):
        return [whole]
    if value.ndim == 2 and value.shape[1] > 1:
        parts = [(symbol(name, _COMPONENTS[k]), _component(k)) for k in range(value.shape[1])]
    else:
        parts = [(symbol(name), np.ravel)]
    if not np.iscomplexobj(value):
        return [_View(sign, f"|{sign} $-$ {exact}|", part, _then(np.abs, part)) for sign, part in parts]
    views = [
        _View(f"Re {sign}", f"|Re({sign} $-$ {exact})|", _then(np.real, part), _then(np.abs, np.real, part))
        for sign, part in parts
    ]
    return views if brief else [*views, whole]


def _numbers(array: np.ndarray) -> np.ndarray:
    """The array in double precision; integers and booleans are numbers like any other."""
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _component(number: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: array[:, number]


def _then(*functions: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The composition of functions, the last one applied first."""

    def composed(array: np.ndarray) -> np.ndarray:
        for function in reversed(functions):
            array = function(array)
        return array

    return composed


def _modulus(array: np.ndarray) -> np.ndarray:
    """The absolute value of scalars `(n,)`, the Euclidean length of rows `(n, k)`."""
    return np.abs(array) if array.ndim == 1 else np.linalg.norm(array, axis=1)


def _size(panel: Panel, value: np.ndarray, exact: np.ndarray, of: str) -> str:
    """The relative error in words, or the absolute one where the exact field is zero; NaN is left out."""
    gap, scale = _modulus(value - exact), _modulus(exact)
    known = np.isfinite(gap) & np.isfinite(scale)
    gap, scale = np.linalg.norm(gap[known]), np.linalg.norm(scale[known])
    if panel.relative_error is not None:
        return f"relative $L^2$ error{of} {scientific(panel.relative_error)}"
    if scale == 0 and known.any():
        return f"RMS error{of} {scientific(float(gap) / known.sum() ** 0.5)}"
    return f"relative $L^2$ error{of} {scientific(float(gap / scale))}"


def symbol(name: str, component: str = "") -> str:
    """A name as mathematics: one letter in italics, a word upright, anything else as it is written."""
    if not (name.isascii() and name.isalpha()):
        return f"{plain(name)} {component}".strip()
    letters = name if len(name) == 1 else rf"\mathrm{{{name}}}"
    return f"${letters}_{{{component}}}$" if component else f"${letters}$"


def plain(text: str) -> str:
    """The text without a dollar sign that would start mathematics."""
    return text.replace("$", r"\$")
