"""Curves over one axis, and the history of a solve."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pinnml.output.flatten import Flat
from pinnml.output.panel import History
from pinnml.output.rows import scientific
from pinnml.output.scales import SMALL, TICKS, error_limits, number_format, tick_places

_BLUE, _ORANGE, _GREEN, _BLACK = "#0072B2", "#D55E00", "#009E73", "#222222"
_FEW = 30


def draw_line(axes: Axes, flat: Flat, *, joined: bool, exact_label: str) -> None:
    """The array `value` over one axis, and `exact`, if there is one, dashed on top of it."""
    x, arrays = _sorted(flat)
    marker, line = ("", "-") if joined else (".", "none")
    axes.plot(x, arrays["value"], color=_BLUE, marker=marker, linestyle=line, linewidth=2.2, label="computed")
    if "exact" in arrays:
        axes.plot(x, arrays["exact"], color=_BLACK, linestyle="--", linewidth=1.2, label=exact_label)
        axes.legend(fontsize=SMALL, frameon=False)
    axes.xaxis.set_major_locator(tick_places())
    axes.yaxis.set_major_formatter(number_format())
    axes.yaxis.get_offset_text().set_fontsize(SMALL)
    _open_frame(axes)


def draw_error_line(axes: Axes, flat: Flat, *, joined: bool) -> None:
    """The array `error` over one axis on a logarithmic scale; where it is zero it falls off the bottom."""
    x, arrays = _sorted(flat)
    low, high = error_limits(arrays["error"])
    marker, line = ("", "-") if joined else (".", "none")
    shown = np.maximum(arrays["error"], low / 1000)
    axes.set_yscale("log")
    axes.plot(x, shown, color=_ORANGE, marker=marker, linestyle=line, linewidth=1.4)
    axes.set_ylim(low, 2 * high)
    axes.xaxis.set_major_locator(tick_places())
    _open_frame(axes)


def draw_history(axes: Axes, history: History) -> None:
    """Loss, held-out loss and error over the steps on a logarithmic scale, with their last values."""
    curves = [
        ("loss", history.loss, _BLUE, "o"),
        ("held-out loss", history.held_out, _ORANGE, "s"),
        ("error", history.error, _GREEN, "^"),
    ]
    seen = []
    for label, column, colour, shape in curves:
        steps, values = _positive(history, column)
        if len(values):
            text = f"{label}: {scientific(float(values[-1]))}"
            marker = shape if len(values) <= _FEW else ""
            line = "-" if len(values) > 1 else "none"
            axes.plot(steps, values, color=colour, marker=marker, linestyle=line, label=text)
            seen.append((steps, values))
    if not seen:
        axes.text(0.5, 0.5, "nothing above zero was recorded", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    for when in _refinements(history):
        axes.axvline(when, color="#999999", linestyle=":", linewidth=1.0, zorder=0)
    _frame_history(axes, history, *(np.concatenate(each) for each in zip(*seen, strict=True)))


def _positive(history: History, column: object) -> tuple[np.ndarray, np.ndarray]:
    """The steps or seconds at which a column is finite and positive, and its values there."""
    values = np.array(column, dtype=float)
    known = np.isfinite(values) & (values > 0)
    return _when(history, len(values))[: len(values)][known], values[known]


def _when(history: History, reports: int) -> np.ndarray:
    """The steps of the reports, or their seconds, or their numbers."""
    given = history.steps if len(history.steps) else history.seconds
    return np.array(given, dtype=float) if len(given) else 1.0 + np.arange(reports)


def _refinements(history: History) -> list[float]:
    """The steps or seconds at which a level begins, the first left out."""
    when, levels = _when(history, len(history.levels)), history.levels
    pairs = zip(when[1:], pairwise(levels), strict=False)
    return [float(at) for at, (before, after) in pairs if None not in (before, after) and before != after]


def _frame_history(axes: Axes, history: History, when: np.ndarray, values: np.ndarray) -> None:
    """Scales, limits, ticks and legend for all that was drawn."""
    axes.set_yscale("log")
    axes.set_ylim(values.min() / 10, values.max() * 10)
    alone = np.ptp(when) == 0
    if alone:
        axes.set_xlim(when[0] - 4, when[0] + 1)
        axes.set_xticks([when[0]], [f"{when[0]:.6g}"])
    elif len(history.steps) or not len(history.seconds):
        axes.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True))
    axes.set_xlabel(_when_label(history))
    axes.legend(fontsize=SMALL, frameon=False, loc="center left" if alone else "best")
    _open_frame(axes)


def _when_label(history: History) -> str:
    """What the horizontal axis counts."""
    if not len(history.seconds):
        return "step"
    if not len(history.steps):
        return "seconds"
    return f"step ({scientific(float(history.seconds[-1]))} s in all)"


def _sorted(flat: Flat) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The coordinate in rising order, and the arrays likewise."""
    order = np.argsort(flat.points[:, 0], kind="stable")
    return flat.points[order, 0], {name: array[order] for name, array in flat.arrays.items()}


def _open_frame(axes: Axes) -> None:
    """Grid lines behind the curves, no frame at the top and the right."""
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
