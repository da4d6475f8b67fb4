"""The live display of a solve on stderr: one bar and the figures that tell how it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pinnml.run import Callback, Progress

BAR_WIDTH = 28


class Display:
    """What is drawn; `update` is the callback of the solve."""

    def __init__(self, title: str):
        self.title, self.started = title, time.perf_counter()
        self.last: Progress | None = None

    def update(self, progress: Progress) -> None:
        """Keep the latest figures; the next frame shows them."""
        self.last = progress

    def __rich__(self) -> RenderableType:
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
    """The step, the level if there are some, the losses, and the error where it is known, on one line."""
    parts = [f"step {progress.step} of {progress.steps}"]
    if "level" in progress.notes:
        parts.append(f"level {int(progress.notes['level']) + 1}")
    parts.append(f"loss {progress.loss:.2e}")
    if progress.held_out is not None:
        parts.append(f"held out {progress.held_out:.2e}")
    if progress.error is not None:
        parts.append(f"error {progress.error:.2e}")
    return "   ".join(parts)


def time_left(progress: Progress) -> float | None:
    """Seconds to the nearer of the limits of steps and of time; None before the first step."""
    if not progress.step:
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
def shown(console: Console, title: str, *, hidden: bool) -> Iterator[Callback | None]:
    """A callback that draws while the block runs; None where nobody would see it."""
    if hidden or not console.is_terminal:
        yield None
        return
    display = Display(title)
    with Live(display, console=console, refresh_per_second=8, transient=True):
        yield display.update
