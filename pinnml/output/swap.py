"""A new folder in the place of an old one, so that at every instant one of them is there, whole."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

#: `renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)` of Linux; macOS calls it `renamex_np(a, b, RENAME_SWAP)`.
AT_FDCWD, EXCHANGE = -100, 2


def swap(new: Path, place: Path, old: Path) -> None:
    """Put the folder `new` at `place`; what was there goes to `old`, which is free, and stays there.

    Where the system cannot exchange two folders at once, `place` is free for an instant, and both lie beside it.
    """
    if not place.exists():
        os.rename(new, place)
    elif exchanged(new, place):
        os.rename(new, old)
    else:
        os.rename(place, old)
        os.rename(new, place)
    synced(place.parent)


def exchanged(first: Path, second: Path) -> bool:
    """Let two folders change places at once; False, and nothing done, where the system has no such call."""
    paths = [os.fsencode(path) for path in (first, second)]
    try:
        library = ctypes.CDLL(None)
        if hasattr(library, "renameat2"):
            return library.renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], EXCHANGE) == 0
        return library.renamex_np(paths[0], paths[1], EXCHANGE) == 0
    except (AttributeError, OSError, TypeError):  # TypeError: CDLL(None) of Windows
        return False


def synced(folder: Path) -> None:
    """Have the names in a folder on the disk, as far as the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def removed(folder: Path) -> None:
    """Take a folder away, as far as can be; what is left of it is taken away the next time."""
    shutil.rmtree(folder, ignore_errors=True)
