"""Where a run is written until it is whole: in its own folder, or beside an older run whose place it then takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pinnml.errors import SettingsError
from pinnml.output.files import replacing
from pinnml.output.lock import locked
from pinnml.output.run_folder import RunFolder
from pinnml.output.swap import removed, swap, synced

#: Characters that tell one run from another.
CHARACTERS = 12
#: What is tried to be written before a solve: a file of so many bytes.
TRIED = 4096


@dataclass(frozen=True)
class Workplace:
    """A run on its way to the folder `target`, which the user has called `named`.

    folder: where it is written; run: what tells it from other runs; found: the checkpoint that it goes on from.
    """

    named: Path
    target: RunFolder
    folder: RunFolder
    run: str
    found: Path | None = None

    @property
    def is_beside(self) -> bool:
        """Whether an older run keeps its place until this one is whole."""
        return self.folder.path != self.target.path

    def finish(self) -> None:
        """The run is whole: let it take the place of an older one. Raises OSError."""
        synced(self.folder.path)
        if self.is_beside:
            os.chmod(self.folder.path, self.target.path.stat().st_mode)
            swap(self.folder.path, self.target.path, _old(self.folder.path))
        for path in (*_beside(self.target.path), *_olds(self.target.path)):
            removed(path)


@contextmanager
def workplace(folder: RunFolder, resume: bool = False) -> Iterator[Workplace]:
    """A place to write a run in while the block lasts, which no other run can have; it is tried before that.

    An older run in the folder stays as it is until `finish`. What an earlier process, killed, has left is put in order
    first. resume: whether the newest run there goes on; one that is not whole does so in its own place.

    Raises:
        SettingsError: the folder holds files that no run has written, another run writes to it, or nobody can.
    """
    target = RunFolder(folder.path.resolve())
    with ExitStack() as stack:
        for missing in reversed([place for place in target.path.parents if not place.exists()]):
            stack.callback(_drop_empty, missing)
        try:
            target.path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(_lock(target.path), folder.path))
            place = _opened(folder.path, target, resume)
            stack.callback(_close, place)
            place.folder.path.mkdir(exist_ok=True)
            with replacing(place.folder.path / "tried") as trial:
                trial.write_bytes(bytes(TRIED))
            (place.folder.path / "tried").unlink()
        except OSError as error:
            raise SettingsError(
                "the folder of a run cannot be written",
                expected="a folder that you may write to, with room on its disk",
                got=f"'{folder.path}': {error.strerror or error}",
                cure="choose another folder",
            ) from error
        yield place


def unfinished(path: Path) -> list[RunFolder]:
    """Runs on their way to a folder that a process has left, the newest last."""
    folders = [RunFolder(each) for each in (path, *_beside(path))]
    left = [each for each in folders if each.checkpoint.is_file() and not each.is_whole]
    return sorted(left, key=lambda each: each.checkpoint.stat().st_mtime_ns)


def _opened(named: Path, target: RunFolder, resume: bool) -> Workplace:
    """The place of a run, once what was left by others is in order."""
    _recover(target.path)
    target.drop_parts()
    lock = _lock(target.path)
    if strangers := [name for name in target.foreign() if target.path / name != lock]:
        raise SettingsError(
            "the folder of a run holds files that are none of a run's",
            expected="a folder that is free, empty, or holds a run and nothing else",
            got=f"'{named}' with {', '.join(strangers[:5])}{', ...' if len(strangers) > 5 else ''}",
            cure="choose another folder, such as one inside it, or move the files away",
        )
    run, found = uuid4().hex[:CHARACTERS], None
    if resume:
        left = unfinished(target.path)
        newest = max((*left, target), key=_age)
        if not newest.checkpoint.is_file():
            cure = "give the folder that was the run's out=, or begin anew without resume"
            raise SettingsError(
                "there is no run to go on with", expected="a checkpoint", got=f"none in '{named}'", cure=cure
            )
        if newest in left:
            newest.drop_parts()
            return Workplace(named, target, newest, newest.run or run, newest.checkpoint)
        found = newest.checkpoint
    if not any(each != lock for each in (target.path.iterdir() if target.path.is_dir() else ())):
        return Workplace(named, target, target, run, found)
    _check_movable(named, target.path)
    return Workplace(named, target, RunFolder(target.path.with_name(f".{target.path.name}.{run}")), run, found)


def _age(folder: RunFolder) -> int:
    return folder.checkpoint.stat().st_mtime_ns if folder.checkpoint.is_file() else 0


def _recover(path: Path) -> None:
    """Finish what a process that was killed had begun: runs that are whole take their place, old ones go."""
    whole = [RunFolder(each) for each in _beside(path) if RunFolder(each).is_whole]
    for folder in sorted(whole, key=lambda each: each.verdict.stat().st_mtime_ns):
        if folder.path.name.endswith(f".{folder.run}"):
            swap(folder.path, path, _old(folder.path))
        else:  # an older run that has changed places with a whole one
            removed(folder.path)
    if not path.exists() and (olds := _olds(path)):
        os.rename(olds[-1], path)
    for each in _olds(path):
        removed(each)
    for each in _beside(path):
        if not RunFolder(each).checkpoint.is_file():
            removed(each)


def _close(place: Workplace) -> None:
    """Leave nothing of a run from which nothing can be had."""
    if place.is_beside and not place.folder.checkpoint.is_file():
        removed(place.folder.path)
    _drop_empty(place.folder.path)


def _drop_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _check_movable(named: Path, path: Path) -> None:
    """Refuse a folder that holds a run and whose place another folder could not take."""
    if os.path.ismount(path):
        why = "which is a disk of its own"
    elif Path.cwd().is_relative_to(path):
        why = "in which you are"
    elif not os.access(path.parent, os.W_OK):
        why = f"and the new one cannot be written beside it, in '{path.parent}'"
    else:
        return
    raise SettingsError(
        "there is a run in this folder, which another cannot replace",
        expected="a folder without a run, or one that can be replaced as a whole",
        got=f"'{named}', {why}",
        cure="choose another folder, such as one inside it",
    )


def _lock(path: Path) -> Path:
    """Beside the folder, so that nothing in it is touched; inside where there is no beside."""
    if os.path.ismount(path) or not os.access(path.parent, os.W_OK):
        return path / ".lock"
    return path.with_name(f".{path.name}.lock")


def _beside(path: Path) -> list[Path]:
    """The folders of runs on their way to this one."""
    return _siblings(path, "")


def _olds(path: Path) -> list[Path]:
    """Older runs that have left their place."""
    return _siblings(path, r"\.old")


def _old(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.old")


def _siblings(path: Path, ending: str) -> list[Path]:
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{{CHARACTERS}}}{ending}")
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    return sorted(each for each in there if ours.fullmatch(each.name))
