"""Signals that end a solve: Ctrl-C, and what batch systems and closed terminals send."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Signals that end a solve, by name, since not every system has all, and what is left alone is what others have set.
ENDING = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}


@dataclass
class Interruptions:
    """What the signals do: raise KeyboardInterrupt, at once or as soon as what must not be cut short is done."""

    _held: bool = False
    _came: bool = False

    def __call__(self, *_: object) -> None:
        """A signal has come."""
        if self._held:
            self._came = True
            return
        raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put signals off until the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self._came:
                self._came = False
                raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interruptions]:
    """SIGTERM and SIGHUP do what Ctrl-C does while the block runs; in the main thread, which alone hears of signals.

    Signals that a program handles itself, or ignores, as `nohup` does with SIGHUP, stay as they are.
    """
    interruptions, before = Interruptions(), {}
    try:
        if threading.current_thread() is threading.main_thread():
            for name, usual in ENDING.items():
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) == usual:
                    before[number] = signal.signal(number, interruptions)
        yield interruptions
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
