"""The folder of a data set that is being made: a small file for each draw that is solved, whole or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pinnml.output.files import replacing
from pinnml.surrogates.data.file import disk_told
from pinnml.surrogates.data.identity import check_same
from pinnml.surrogates.data.solving import Solved

#: What the samples of a folder are of.
IDENTITY = "identity.json"
#: Bytes of the checksum in front of every sample.
CHECKSUM = 32


@dataclass(frozen=True)
class SampleFiles:
    """Samples of one data set in a folder beside its file.

    A file holds SHA-256 of what follows, then double precision numbers: the inputs in order, then u.
    """

    folder: Path

    @classmethod
    def beside(cls, out: Path) -> SampleFiles:
        """Those of the data set that is to be in a file."""
        return cls(out.with_name(f".{out.name}.samples"))

    def open(self, identity: Mapping[str, Any]) -> None:
        """Make the folder. Raises DataSetError for one of another data set."""
        path = self.folder / IDENTITY
        if not any(self.folder.glob("*.sample")):
            with disk_told(self.folder), replacing(path) as temporary:
                temporary.write_text(json.dumps(identity))
            return
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            found = {}
        cure = f"choose another file, or remove '{self.folder}' to begin anew"
        check_same(identity, found if isinstance(found, dict) else {}, f"the samples in '{self.folder}'", cure)

    def write(self, solved: Solved) -> None:
        """Keep a sample, on the disk, before this returns."""
        values = [np.ravel(value) for value in (*solved.draw.values(), solved.u)]
        content = np.concatenate(values).astype("<f8").tobytes()
        with disk_told(self.folder), replacing(self._path(solved.number)) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)

    def read(self, number: int, shapes: Mapping[str, tuple[int, ...]]) -> Solved | None:
        """The sample of a number; None where there is none, or it was damaged.

        shapes: of inputs by name, in order, and of u under "".
        """
        sizes = [int(np.prod(shape)) for shape in shapes.values()]
        path = self._path(number)
        if not path.is_file() or path.stat().st_size != CHECKSUM + 8 * sum(sizes):
            return None
        content = path.read_bytes()
        if hashlib.sha256(content[CHECKSUM:]).digest() != content[:CHECKSUM]:
            return None
        parts = np.split(np.frombuffer(content[CHECKSUM:], dtype="<f8"), np.cumsum(sizes)[:-1])
        named = {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        return Solved(number, {name: part for name, part in named.items() if name}, named[""])

    def remove(self) -> None:
        """Take the folder away, with what killed processes left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.sample"
