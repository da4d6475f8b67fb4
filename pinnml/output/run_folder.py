"""The folder of one run: settings, verdict, history, checkpoint, picture and fields, by fixed names."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pinnml.errors import SettingsError
from pinnml.output.records import write_json, write_table
from pinnml.output.snapshot import Snapshot
from pinnml.output.vtk import pieces_of, write_pvd, write_vtp, write_vtu

#: What checkpoints begin with, and a part of the file within which that stands.
CHECKPOINT, BEGINNING = "pinnml checkpoint", 4096
#: What a process that was killed has left of a file that it wrote.
PART = re.compile(r"\.[0-9a-f]{32}\.part")


@dataclass(frozen=True)
class RunFolder:
    """A folder for the files of a run; it is made when the first of them is written.

    Raises:
        SettingsError: the path is a link to nothing; it, or a folder above it, is a file.
    """

    path: Path

    def __post_init__(self) -> None:
        path = Path(self.path)
        if path.is_symlink() and not path.exists():
            got, cure = f"'{path}', a link to '{os.readlink(path)}', which is not there", "choose another folder"
            raise SettingsError("a run needs a folder", expected="a folder, or a name that is free", got=got, cure=cure)
        for place in (path, *path.parents):
            if place.exists() and not place.is_dir():
                raise SettingsError(
                    "a run needs a folder",
                    expected="a folder, or a name that is free",
                    got=f"'{place}', which is a file",
                    cure="choose another folder, or move the file away",
                )
        object.__setattr__(self, "path", path)

    @classmethod
    def named(cls, name: str | Path) -> RunFolder:
        """The folder of that name, to write to. Raises SettingsError for no name, and where that is not allowed."""
        if isinstance(name, str) and not name.strip():
            cure = 'give it a name, such as "runs/first"; is a variable empty that should hold one?'
            raise SettingsError("the folder of a run has no name", expected="a folder", got=f"'{name}'", cure=cure)
        folder = cls(Path(name))
        nearest = next(place for place in (folder.path, *folder.path.absolute().parents) if place.exists())
        if not os.access(nearest, os.W_OK):
            raise SettingsError(
                "the folder of a run cannot be written",
                expected="a folder that you may write to",
                got=f"'{nearest}' is read-only for you",
                cure="choose another folder",
            )
        return folder

    @property
    def config(self) -> Path:
        """`config.json`: what was asked."""
        return self.path / "config.json"

    @property
    def verdict(self) -> Path:
        """`verdict.json`: what came out, and how right it is."""
        return self.path / "verdict.json"

    @property
    def history(self) -> Path:
        """`history.csv`: one line for each report of the solver."""
        return self.path / "history.csv"

    @property
    def checkpoint(self) -> Path:
        """`checkpoint.pt`: the state from which a run goes on."""
        return self.path / "checkpoint.pt"

    @property
    def picture(self) -> Path:
        """`picture.png`: the fields, their errors and the history."""
        return self.path / "picture.png"

    @property
    def fields(self) -> Path:
        """`fields.vtu`: the fields of a steady problem."""
        return self.path / "fields.vtu"

    @property
    def cloud(self) -> Path:
        """`fields.vtp`: the fields on scattered points."""
        return self.path / "fields.vtp"

    @property
    def series(self) -> Path:
        """`fields.pvd`: the fields over time; the pieces lie in `fields/`."""
        return self.path / "fields.pvd"

    @property
    def run(self) -> str | None:
        """What tells the files of one run from those of another; None where no file says it."""
        found = _record(self.config).get("run") or _record(self.verdict).get("run")
        return found if isinstance(found, str) else None

    @property
    def is_whole(self) -> bool:
        """Whether all files of a run are there: the verdict is written last."""
        return self.verdict.is_file()

    @property
    def runs(self) -> dict[str, str]:
        """By the name of a file, which run it says that it is of; two of them in a folder are a mixture."""
        found = {file.name: _record(file).get("run") for file in (self.config, self.verdict)}
        found[self.history.name] = self._run_of_history()
        return {name: run for name, run in found.items() if isinstance(run, str)}

    def foreign(self) -> list[str]:
        """The names in the folder that no run has written; all of them, if nothing tells that one was here."""
        telling = {self.config: _is_config, self.verdict: _is_verdict, self.checkpoint: _is_checkpoint}
        if not self.path.is_dir():
            return []
        there = [each for each in sorted(self.path.iterdir()) if not PART.fullmatch(each.name)]
        if not any(file.is_file() and is_own(file) for file, is_own in telling.items()):
            return [each.name for each in there]
        own = {*telling, self.history, self.picture, self.fields, self.cloud, self.series}
        strangers = [each for each in there if each not in own or (each in telling and not telling[each](each))]
        pieces = self.series.with_suffix("")
        if pieces in strangers and pieces.is_dir():
            ours = set(pieces_of(self.series))
            more = [each for each in pieces.iterdir() if each not in ours and not PART.fullmatch(each.name)]
            strangers = [each for each in strangers if each != pieces] + sorted(more)
        return [str(each.relative_to(self.path)) for each in strangers]

    def drop_parts(self) -> None:
        """Take away what a process that was killed has left of files that it wrote."""
        for folder in (self.path, self.series.with_suffix("")):
            for each in folder.iterdir() if folder.is_dir() else ():
                if PART.fullmatch(each.name):
                    each.unlink(missing_ok=True)

    def write_config(self, config: Mapping[str, object]) -> Path:
        """Write `config.json`; see `write_verdict` for what becomes of values."""
        return write_json(self.config, config)

    def write_verdict(self, verdict: Mapping[str, object]) -> Path:
        """Write `verdict.json`, strict JSON.

        NaN and infinities become null; complex numbers `{"real", "imag"}`; arrays and sets lists; an
        enumeration its value; anything else that JSON has no word for its `str`.
        """
        return write_json(self.verdict, verdict)

    def write_history(self, rows: Iterable[Mapping[str, object]]) -> Path:
        """Write `history.csv`: the columns are all keys, in the order in which they first appear.

        Numbers stand in the shortest form that reads back to the same one; a key that a row lacks, or None,
        is an empty cell.
        """
        return write_table(self.history, rows)

    def write_fields(self, snapshots: Snapshot | Sequence[Snapshot]) -> list[Path]:
        """Write one snapshot as `fields.vtu`, of scattered points as `fields.vtp`, or several as `fields.pvd`.

        Then the others of the three, if an earlier run left them, and pieces beyond the new ones are taken away.

        Returns:
            The files that were written.

        Raises:
            ProblemError: several snapshots that are not a series over time.
        """
        if not isinstance(snapshots, Snapshot):
            written = write_pvd(self.series, snapshots)
        elif snapshots.cells is None:
            written = write_vtp(self.cloud, snapshots)
        else:
            written = write_vtu(self.fields, snapshots)
        for file in {self.fields, self.cloud, self.series} - set(written):
            file.unlink(missing_ok=True)
        self._drop_pieces(keep=written)
        return written

    def _drop_pieces(self, keep: Sequence[Path]) -> None:
        """Remove the numbered pieces but those to keep, and their folder if nothing else is in it."""
        stale = [piece for piece in pieces_of(self.series) if piece not in keep]
        for piece in stale:
            piece.unlink()
        folder = self.series.with_suffix("")
        if stale and not any(folder.iterdir()):
            folder.rmdir()

    def _run_of_history(self) -> str | None:
        try:
            with self.history.open(newline="", encoding="utf-8") as stream:
                return next(csv.DictReader(stream), {}).get("run")
        except (OSError, ValueError, csv.Error):
            return None


def _record(path: Path) -> Mapping[str, object]:
    """The JSON of a file by name; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_config(path: Path) -> bool:
    return {"network", "solver", "seed"} <= set(_record(path))


def _is_verdict(path: Path) -> bool:
    return {"status", "relative_l2"} <= set(_record(path))


def _is_checkpoint(path: Path) -> bool:
    with path.open("rb") as stream:
        return CHECKPOINT.encode() in stream.read(BEGINNING)
