"""Files that are either the old ones or the new ones, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pinnml.errors import SettingsError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place if, and only if, the block ends well.

    Folders that are missing are made. What was written is on the disk before it takes the place of anything. The
    temporary file is gone afterwards, whatever happened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def with_suffix_checked(path: str | os.PathLike[str], suffix: str) -> Path:
    """The path, if it ends in `suffix`.

    Raises:
        SettingsError: it ends otherwise; readers choose by the ending.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise SettingsError(
            "this file name has the wrong ending",
            expected=f"a name that ends in {suffix}",
            got=f"'{path}'",
            cure=f"call it '{path.stem}{suffix}'",
        )
    return path
