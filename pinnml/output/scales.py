"""Limits and numbers of axes and colour bars."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator, ScalarFormatter

SMALL, LARGE = 9, 12
"""Sizes of letters: numbers and legends, titles."""

TICKS = 5
"""Intervals between numbers along an axis, at most."""

_DECADES = 6
_SMALLEST = 1e-250


def field_limits(array: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest finite value, a tenth to either side if they are all one."""
    known = array[np.isfinite(array)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    spread = 0.1 * abs(high) or 1.0
    return low - spread, high + spread


def error_limits(array: np.ndarray) -> tuple[float, float]:
    """Limits of a logarithmic scale: up to the largest value, over two decades at least and six at most.

    Of positive values the lowest hundredth is left below. If there are none, the scale ends at round-off.
    """
    known = array[np.isfinite(array) & (array > 0)]
    if not known.size:
        return 1e-18, 1e-16
    high = float(known.max())
    low = min(float(np.percentile(known, 1, method="lower")), high / 100)
    return max(low, high / 10**_DECADES, _SMALLEST / 100), max(high, _SMALLEST)


def number_format() -> ScalarFormatter:
    """Plain numbers near one, a common power of ten elsewhere."""
    form = ScalarFormatter(useOffset=False, useMathText=True)
    form.set_powerlimits((-2, 4))
    return form


def tick_places(intervals: float = TICKS) -> MaxNLocator:
    """Round numbers with at most so many intervals between them, from two to `TICKS`."""
    return MaxNLocator(round(min(max(intervals, 2), TICKS)), steps=[1, 2, 2.5, 5, 10])
