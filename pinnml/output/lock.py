"""One writer at a time: a file that says which process holds a folder, and a lock that ends with that process."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pinnml.errors import SettingsError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def locked(lock: Path, folder: Path) -> Iterator[None]:
    """Hold a folder, or a file, by the file `lock` while the block runs.

    The lock of a process that is no more is taken over.

    Raises:
        SettingsError: another process, or another run in this one, holds it; or a host of which nothing can be seen.
        OSError: the file cannot be written.
    """
    descriptor = _taken(lock, folder)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _taken(lock: Path, folder: Path) -> int:
    """The open file, held."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            holder = _holder(descriptor)
            free = _is_free(descriptor)
            foreign = "host" in holder and holder["host"] != socket.gethostname()
            if free is False or foreign or (free is None and _is_alive(holder)):
                raise _held(lock, folder, holder)
            if _is_same(descriptor, lock):  # else its holder has just gone, and has taken the file away
                _sign(descriptor, lock)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_free(descriptor: int) -> bool | None:
    """Whether nobody else held the lock, which is ours now; None where the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_same(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int, lock: Path) -> None:
    """Write who holds the file, which is not left behind where that cannot be written."""
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    holder = {"process": os.getpid(), "host": socket.gethostname(), "since": now}
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    except OSError:
        lock.unlink()
        raise


def _holder(descriptor: int) -> dict[str, Any]:
    """Who has written the file last; nothing where it is not yet, or was not wholly, written."""
    try:
        found = json.loads(os.pread(descriptor, 1000, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_alive(holder: dict[str, Any]) -> bool:
    """Whether the holder is a process of this host that still runs."""
    try:
        os.kill(int(holder["process"]), 0)
    except PermissionError:
        return True
    except (OSError, KeyError, TypeError, ValueError):
        return False
    return True


def _held(lock: Path, folder: Path, holder: dict[str, Any]) -> SettingsError:
    who = "another run"
    if holder:
        who = f"process {holder.get('process')} on {holder.get('host')} since {holder.get('since')}"
    return SettingsError(
        "another run writes here",
        expected="one run at a time",
        got=f"'{folder}', held by {who}",
        cure=f"wait for it, or choose another place; if that run is no more, remove '{lock}'",
    )
