"""Colour maps over a plane."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation

from pinnml.output.flatten import Flat
from pinnml.output.scales import SMALL, TICKS, error_limits, field_limits, number_format, tick_places

_WIDE = 0.4
_INK = 40000.0


def height_over_width(flat: Flat) -> float:
    """The shape of the domain: its extent up the paper over its extent across, 1 if there is none of one."""
    across, up = np.ptp(flat.points, axis=0)
    return float(up / across) if across > 0 and up > 0 else 1.0


def draw_map(figure: Figure, axes: Axes, flat: Flat, name: str, *, equal: bool) -> None:
    """A colour map of `flat.arrays[name]` over the plane; the one called `error` on a logarithmic scale."""
    array, error = flat.arrays[name], name == "error"
    low, high = error_limits(array) if error else field_limits(array)
    norm = LogNorm(low, high) if error else Normalize(low, high)
    colours = "magma" if error else "viridis"
    extend = "min" if (array < low).any() else "neither"
    shown = np.maximum(array, low)
    x, y = flat.points.T
    known = np.isfinite(shown) if flat.triangles is None else np.isfinite(shown)[flat.triangles].all(axis=1)
    if not known.any():
        axes.text(0.5, 0.5, "no finite value", ha="center", transform=axes.transAxes)
        return
    if flat.triangles is None:
        size = float(np.clip(_INK / len(shown), 3, 60))
        drawn = axes.scatter(x, y, c=shown, s=size, norm=norm, cmap=colours, linewidths=0)
        axes.set_facecolor("#dddddd")
    else:
        mesh = Triangulation(x, y, flat.triangles[known])
        drawn = axes.tripcolor(mesh, np.nan_to_num(shown, nan=low), norm=norm, cmap=colours, shading="gouraud")
        axes.margins(0)
    axes.set_aspect("equal" if equal else "auto")
    shape = height_over_width(flat) if equal else 1.0
    axes.xaxis.set_major_locator(tick_places(TICKS / shape))
    axes.yaxis.set_major_locator(tick_places(TICKS * shape))
    _draw_bar(figure, axes, drawn, shape, extend, error=error)


def needs_room_below(flat: Flat, *, equal: bool) -> bool:
    """Whether the colour bar lies under the map, because the map is too flat to have one at its side."""
    return equal and height_over_width(flat) < _WIDE


def _draw_bar(figure: Figure, axes: Axes, drawn: ScalarMappable, shape: float, extend: str, *, error: bool) -> None:
    """A colour bar as high as the map, or as wide as it under a flat one."""
    if shape < _WIDE:
        bar = figure.colorbar(drawn, ax=axes, location="bottom", extend=extend, aspect=45, fraction=0.1)
    else:
        # As a share of the map's width; beside a tall and narrow map it keeps its breadth.
        stretch = max(1.0, shape)
        place = axes.inset_axes((1 + 0.04 * stretch, 0, 0.045 * stretch, 1))
        bar = figure.colorbar(drawn, cax=place, extend=extend)
    bar.ax.tick_params(labelsize=SMALL)
    if not error:
        bar.formatter = number_format()
        bar.locator = tick_places(TICKS)
        bar.update_ticks()
        for axis in (bar.ax.xaxis, bar.ax.yaxis):
            axis.get_offset_text().set_fontsize(SMALL)
