"""The line that shows how a solve goes, on stderr: a bar and the figures that tell, while somebody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pinnml.run.loop import Callback, Progress

BAR_WIDTH = 28


class Display:
    """What is drawn; `update` is the callback of the solve."""

    def __init__(self, title: str):
        self.title, self.started = title, time.perf_counter()
        self.last: Progress | None = None

    def update(self, progress: Progress) -> None:
        """Keep the latest figures; the next frame shows them."""
        self.last = progress

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        elapsed, last = time.perf_counter() - self.started, self.last
        row = Table.grid(padding=(0, 2))
        if last is None:
            row.add_row(
                Text(self.title, "bold"), ProgressBar(width=BAR_WIDTH, pulse=True), clock(elapsed), "first step"
            )
            return row
        left = time_left(last)
        share = elapsed / (elapsed + left) if left is not None else 0.0
        bar = ProgressBar(total=1.0, completed=share, width=BAR_WIDTH)
        remaining = "" if left is None else f"at most {clock(left)} left"
        row.add_row(Text(self.title, "bold"), bar, clock(elapsed), remaining)
        return Group(row, Text(figures(last), "dim"))


def figures(progress: Progress) -> str:
    """The slab, the step, the level if there are some, the losses, and the error where it is known, on one line."""
    parts = [f"step {progress.step} of {progress.steps}"]
    if "slab" in progress.notes:
        parts.insert(0, f"slab {progress.notes['slab']} of {progress.notes['slabs']}")
    if "level" in progress.notes:
        parts.append(f"level {int(progress.notes['level']) + 1}")
    parts.append(f"loss {progress.loss:.2e}")
    if progress.held_out is not None:
        parts.append(f"held out {progress.held_out:.2e}")
    if progress.error is not None:
        parts.append(f"error {progress.error:.2e}")
    return "   ".join(parts)


def time_left(progress: Progress) -> float | None:
    """Seconds to the nearer of the limits of steps and of time; None before the first step, and in slabs of time."""
    if not progress.step or "slabs" in progress.notes:
        return None
    by_steps = progress.seconds / progress.step * (progress.steps - progress.step)
    if progress.seconds_limit is None:
        return by_steps
    return max(min(by_steps, progress.seconds_limit - progress.seconds), 0.0)


def clock(seconds: float) -> str:
    """Such as 0:07, 12:30 or 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@contextmanager
def followed(title: str, callback: Callback | None, progress: bool | None) -> Iterator[Callback | None]:
    """The callback of a solve; where the line is shown, one that keeps it up to date as well.

    progress: None shows it where stderr is a terminal or a notebook, True always, False never.
    """
    if progress is False or (progress is None and not is_watched()):
        yield callback
        return
    from rich.console import Console

    with shown(Console(stderr=True, highlight=False, markup=False, emoji=False), title) as display:
        yield _both(display, callback)


@contextmanager
def shown(console: Any, title: str) -> Iterator[Display]:
    """A display that is drawn on a console of rich while the block runs; what is printed goes where it would."""
    from rich.live import Live

    display = Display(title)
    with Live(display, console=console, refresh_per_second=8, transient=True, redirect_stdout=sys.stdout.isatty()):
        yield display


def is_watched() -> bool:
    """Whether stderr is a terminal, or the code runs in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell" or (sys.stderr is not None and sys.stderr.isatty())


def _both(display: Display, callback: Callback | None) -> Callback:
    def update(progress: Progress) -> object:
        display.update(progress)
        return None if callback is None else callback(progress)

    return update
