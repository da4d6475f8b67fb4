"""The sheet of a picture: which axes there are, how large, and what stands on them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pinnml.output.curves import draw_error_line, draw_history, draw_line
from pinnml.output.flatten import Flat, flatten
from pinnml.output.maps import draw_map, height_over_width, needs_room_below
from pinnml.output.panel import History, Panel
from pinnml.output.rows import Row, plain, scientific, symbol
from pinnml.output.scales import LARGE, SMALL

_LINE = (4.7, 3.8)
"""Inches across and up for curves, with all that surrounds them."""

_MAP, _FLATTEST, _TALLEST = 3.1, 0.3, 4.6
"""Inches across a map of a square, and the limits of its height."""

_BESIDE, _ABOVE, _BAR, _TITLE = 1.6, 0.9, 0.45, 2.8
"""Inches around a map: at its sides, above and below, for a colour bar underneath, and across its title."""

_OBLONG = 20
"""Domains longer than this many times their breadth are not drawn to scale."""


def compose(rows: Sequence[Row], history: History | None, title: str | None, left_out: int) -> Figure:
    """The figure: fields and errors, three or more side by side, and the history where there is room."""
    flats = [_flat(row) for row in rows]
    sizes = [_row_size(row.panel, flat) for row, flat in zip(rows, flats, strict=True)]
    wide = max((1 if row.error is None else 2 for row in rows), default=0)
    across = _across(len(rows), wide)
    lines = -(-len(rows) // across)
    widths = [
        max(size[0] for size in sizes[place::across]) for place in range(min(across, len(rows))) for _ in range(wide)
    ]
    heights = [max(size[1] for size in sizes[line * across : (line + 1) * across]) for line in range(lines)]
    place = _history_place(len(rows), across, wide, heights) if history is not None else None
    widths += [_LINE[0]] * (place is not None and place[1] == len(widths))
    heights += [_LINE[1]] * (place is not None and place[0] == len(heights))
    figure = Figure(figsize=(sum(widths), sum(heights)), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), len(widths), height_ratios=heights, width_ratios=widths)
    for number, (row, flat) in enumerate(zip(rows, flats, strict=True)):
        line, first = number // across, number % across * wide
        cells = [figure.add_subplot(grid[line, first + column]) for column in range(wide)]
        _draw_row(figure, cells, row, flat)
    if history is not None and place is not None:
        axes = figure.add_subplot(grid[place[0], place[1] :])
        draw_history(axes, history)
        _label(axes, "convergence")
    if title:
        figure.suptitle(plain(title), fontsize=LARGE + 2)
    if notes := [*_held(rows), *([f"fields that are not drawn: {left_out}"] if left_out else [])]:
        figure.supxlabel(";  ".join(notes), fontsize=SMALL)
    return figure


def _across(fields: int, wide: int) -> int:
    """How many fields stand side by side: from three on two, each beside its error, or three of exactly three."""
    if fields < 3:
        return 1
    return 3 if fields == 3 and wide == 1 else 2


def _history_place(fields: int, across: int, wide: int, heights: Sequence[float]) -> tuple[int, int]:
    """The line and the first column of the history: what is left of the last line, beside a single field, or below."""
    if fields == 0:
        return 0, 0
    if fields == 1 and heights[0] >= _LINE[1]:
        return 0, wide
    left = fields % across
    return (len(heights) - 1, left * wide) if left else (len(heights), 0)


def _held(rows: Sequence[Row]) -> list[str]:
    """At what values the axes are held that are not drawn."""
    held = {name: value for row in rows for name, value in row.panel.held.items()}
    words = ", ".join(f"{symbol(name)} = {scientific(value)}" for name, value in held.items())
    return [f"held at {words}"] if words else []


def _flat(row: Row) -> Flat:
    arrays = {"value": row.value}
    if row.error is not None and row.exact is not None:
        arrays |= {"exact": row.exact, "error": row.error}
    return flatten(row.panel.snapshot, arrays, row.strength)


def _equal(panel: Panel, flat: Flat) -> bool:
    """Whether a unit is to be as long on both axes."""
    if panel.equal_aspect is not None:
        return panel.equal_aspect
    return "t" not in _names(panel, flat) and 1 / _OBLONG < height_over_width(flat) < _OBLONG


def _names(panel: Panel, flat: Flat) -> list[str]:
    """The names of the axes that are drawn."""
    return [_known(panel)[axis] for axis in flat.axes]


def _known(panel: Panel) -> list[str]:
    """The names of all three axes."""
    return [*panel.axis_labels, *"xyz"[len(panel.axis_labels) :]]


def _row_size(panel: Panel, flat: Flat) -> tuple[float, float]:
    """Inches across and up for a pair of axes: by the shape of the domain where units are equally long."""
    if flat.points.shape[1] == 1 or not _equal(panel, flat):
        return _LINE
    shape = height_over_width(flat)
    height = min(max(_MAP * shape, _FLATTEST), _TALLEST)
    width = max(min(_MAP, height / shape) + _BESIDE, _TITLE + _BESIDE / 2)
    return width, height + _ABOVE + (_BAR if needs_room_below(flat, equal=True) else 0)


def _draw_row(figure: Figure, cells: Sequence[Axes], row: Row, flat: Flat) -> None:
    """One field, and its error if it has one, into the axes of a row."""
    panel, names = row.panel, [symbol(name) for name in _names(row.panel, flat)]
    joined = panel.snapshot.cells is not None
    if flat.points.shape[1] == 1:
        draw_line(cells[0], flat, joined=joined, exact_label=plain(panel.exact_label))
    else:
        draw_map(figure, cells[0], flat, "value", equal=_equal(panel, flat))
    _label(cells[0], _where(row, flat), names)
    if "error" not in flat.arrays:
        for axes in cells[1:]:
            axes.set_axis_off()
        return
    if flat.points.shape[1] == 1:
        draw_error_line(cells[1], flat, joined=joined)
    else:
        draw_map(figure, cells[1], flat, "error", equal=_equal(panel, flat))
    _label(cells[1], row.error_title, names)


def _where(row: Row, flat: Flat) -> str:
    """The title of a field: its name, its time and the height of its slice."""
    places = [row.title]
    if row.panel.snapshot.time is not None:
        places.append(f"$t$ = {scientific(row.panel.snapshot.time)}")
    if flat.place is not None:
        relation = "=" if row.panel.snapshot.cells is not None else r"$\approx$"
        places.append(f"{symbol(_known(row.panel)[2])} {relation} {scientific(flat.place)}")
    return ",  ".join(places)


def _label(axes: Axes, title: str, names: Sequence[str] = ()) -> None:
    """Title, names of the axes and the size of all letters."""
    axes.set_title(title, fontsize=LARGE)
    axes.tick_params(labelsize=SMALL)
    for name, setter in zip(names, (axes.set_xlabel, axes.set_ylabel), strict=False):
        setter(name, fontsize=LARGE - 1)
