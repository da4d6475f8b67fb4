"""The folder of one run: settings, verdict, history, checkpoint, picture and fields, by fixed names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pinnml.errors import SettingsError
from pinnml.output.records import write_json, write_table
from pinnml.output.snapshot import Snapshot
from pinnml.output.vtk import pieces_of, write_pvd, write_vtp, write_vtu


@dataclass(frozen=True)
class RunFolder:
    """A folder for the files of a run; it is made when the first of them is written.

    Raises:
        SettingsError: the path, or a folder above it, is a file or may not be written to.
    """

    path: Path

    def __post_init__(self) -> None:
        path = Path(self.path)
        for place in (path, *path.parents):
            if place.exists() and not place.is_dir():
                raise SettingsError(
                    "a run needs a folder",
                    expected="a folder, or a name that is free",
                    got=f"'{place}', which is a file",
                    cure="choose another folder, or move the file away",
                )
        nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
        if not os.access(nearest, os.W_OK):
            raise SettingsError(
                "the folder of a run cannot be written",
                expected="a folder that you may write to",
                got=f"'{nearest}' is read-only for you",
                cure="choose another folder",
            )
        object.__setattr__(self, "path", path)

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

    def clear(self, keep: Sequence[Path] = ()) -> None:
        """Take away what an earlier run left under the names of this class, and nothing else; `keep` stays."""
        plain = (self.config, self.verdict, self.history, self.checkpoint, self.picture)
        for file in {*plain, self.fields, self.cloud, self.series} - set(keep):
            file.unlink(missing_ok=True)
        self._drop_pieces(keep=keep)

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
