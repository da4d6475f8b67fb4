"""How much memory a call takes at its height."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_PROCESS = Path("/proc/self")


def peak(call: Callable[[], Any]) -> float:
    """The bytes that the process takes at the height of a call beyond those before it; skips where Linux is not.

    What was freed earlier in the process and not given back would serve the call unseen: so it is given back first.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        pytest.skip("the memory that is free is glibc's to give back")
    trim(0)
    try:
        (_PROCESS / "clear_refs").write_text("5")
    except OSError:
        pytest.skip("the peak of memory is Linux's to tell")
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(name: str) -> float:
    line = next(line for line in (_PROCESS / "status").read_text().splitlines() if line.startswith(f"{name}:"))
    return 1024 * float(line.split()[1])
