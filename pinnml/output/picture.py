"""A PNG of fields, their errors and the history of the solve, drawn without a display."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pinnml.errors import ProblemError
from pinnml.output.files import replacing, with_suffix_checked
from pinnml.output.panel import History, Panel
from pinnml.output.rows import Row, rows_of

_MOST_ROWS = 4
_DOTS_PER_INCH = 160


def draw(
    path: str | os.PathLike[str],
    panels: Sequence[Panel],
    history: History | None = None,
    title: str | None = None,
) -> Path:
    """Draw each field, its error beside it, and the history of the solve; three fields or more side by side.

    A field over one axis becomes a curve, over two a colour map; of three, the plane across z half way up is
    shown, or the one through the largest value if the field all but vanishes there. At most four rows are
    drawn: if there are more, vectors and complex fields get one row each, and what then finds no place is
    counted in a note.

    Args:
        path: a name that ends in `.png`; missing folders are made; an old file is
            replaced once the new one is whole.
        panels: the fields.
        history: the convergence, drawn where there is room: beside a single field, or below several.
        title: a line above everything.

    Returns:
        The path that was written.

    Raises:
        SettingsError: the name ends otherwise.
        ProblemError: there is nothing to draw.
    """
    path = with_suffix_checked(path, ".png")
    if not panels and history is None:
        raise ProblemError("there is nothing to draw", expected="a panel or a history", got="neither")
    # The drawing library takes longer to load than the rest of this room together.
    from pinnml.output.figure import compose

    rows, left_out = _chosen_rows(panels)
    figure = compose(rows, history, title, left_out)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.1)
    return path


def _chosen_rows(panels: Sequence[Panel]) -> tuple[list[Row], int]:
    """The rows that fit, and how many fields found no place."""
    rows = [row for panel in panels for row in rows_of(panel)]
    if len(rows) > _MOST_ROWS:
        rows = [row for panel in panels for row in rows_of(panel, brief=True)]
    return rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS)
