"""The run folder: strict JSON, full-precision CSV, and nothing touched that is not its own."""

from __future__ import annotations

import csv
import json
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
import pyvista

from pinnml.errors import ProblemError, SettingsError
from pinnml.output import RunFolder, Snapshot
from tests.helpers.grids import grid


class Status(Enum):
    CONVERGED = "the solver stopped by its own test"


def snapshot(time: float | None = None) -> Snapshot:
    points, cells, kind = grid(np.linspace(0, 1, 3))
    return Snapshot(points, cells, kind, point_data={"u": points[:, 0] + (time or 0)}, time=time)


def names(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def strict(text: str) -> dict:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_folder_is_made_by_the_first_write_only(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "heat")
    assert list(tmp_path.iterdir()) == []
    assert folder.write_config({"seed": 0}) == folder.config
    assert names(tmp_path) == {"runs/heat/config.json"}


def test_names_are_fixed():
    folder = RunFolder(Path("runs"))
    assert [
        each.name for each in (folder.config, folder.verdict, folder.history, folder.checkpoint, folder.picture)
    ] == ["config.json", "verdict.json", "history.csv", "checkpoint.pt", "picture.png"]
    assert (folder.fields.name, folder.series.name) == ("fields.vtu", "fields.pvd")


def test_a_string_will_do_for_a_path(tmp_path):
    assert RunFolder(str(tmp_path)).config == tmp_path / "config.json"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "taken").write_text("mine")
    for path in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(SettingsError, match="which is a file"):
            RunFolder(path)
    assert (tmp_path / "taken").read_text() == "mine"


def test_json_is_strict_and_keeps_values(tmp_path):
    folder = RunFolder(tmp_path)
    values = {
        "good": True,
        "error": 0.1 + 0.2,
        "lost": float("nan"),
        "beyond": [np.inf, -np.inf, np.float64("nan"), 1.5],
        "status": Status.CONVERGED,
        "rows": {"heat": np.int64(3), 4: np.float32(0.5)},
        "vector": np.array([[1.0, np.nan], [2.0, 3.0]]),
        "wave": 1 - 2j,
        "where": Path("meshes") / "disc.msh",
        "names": ("x", "t"),
        "none": None,
        "unit": "µm",
    }
    folder.write_verdict(values)
    assert strict(folder.verdict.read_text(encoding="utf-8")) == {
        "good": True,
        "error": 0.1 + 0.2,
        "lost": None,
        "beyond": [None, None, None, 1.5],
        "status": "the solver stopped by its own test",
        "rows": {"heat": 3, "4": 0.5},
        "vector": [[1.0, None], [2.0, 3.0]],
        "wave": {"real": 1.0, "imag": -2.0},
        "where": str(Path("meshes") / "disc.msh"),
        "names": ["x", "t"],
        "none": None,
        "unit": "µm",
    }
    with pytest.raises(ValueError, match="not JSON"):
        strict(json.dumps({"lost": float("nan")}))


def test_json_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.write_verdict({"run": 1})

    def half(self: Path, text: str, **_: object) -> int:
        with self.open("w") as stream:
            stream.write(text[:5])
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="full"):
        folder.write_verdict({"run": 2})
    assert strict(folder.verdict.read_text()) == {"run": 1}
    assert names(tmp_path) == {"verdict.json"}


def test_history_has_all_columns_and_every_digit(tmp_path):
    folder = RunFolder(tmp_path)
    losses = [1 / 3, np.float64(2e-22) / 3, float("nan")]
    folder.write_history([{"step": 1, "loss": losses[0]}, {"step": 2, "loss": losses[1], "error": 0.1}])
    assert folder.history.read_text().splitlines()[0] == "step,loss,error"
    rows = table(folder.history)
    assert [float(row["loss"]) for row in rows] == losses[:2]
    assert [row["error"] for row in rows] == ["", "0.1"]


def test_one_field_or_a_series(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.write_fields(snapshot()) == [folder.fields]
    assert np.array_equal(pyvista.read(folder.fields)["u"], [0.0, 0.5, 1.0])
    written = folder.write_fields([snapshot(0.0), snapshot(1.0)])
    assert written[0] == folder.series
    assert names(tmp_path) == {"fields.pvd", "fields/fields_0000.vtu", "fields/fields_0001.vtu"}
    assert pyvista.PVDReader(folder.series).time_values == [0.0, 1.0]


def test_a_second_run_leaves_no_stale_pieces_and_no_other_file_out(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_fields([snapshot(float(t)) for t in range(5)])
    (tmp_path / "fields" / "mine.vtu").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    folder.write_fields([snapshot(float(t)) for t in range(2)])
    assert names(tmp_path) == {
        *("fields.pvd", "fields/fields_0000.vtu", "fields/fields_0001.vtu"),
        *("fields/mine.vtu", "notes.txt"),
    }
    folder.write_fields(snapshot())
    assert names(tmp_path) == {"fields.vtu", "fields/mine.vtu", "notes.txt"}
    (tmp_path / "fields" / "mine.vtu").unlink()
    folder.write_fields([snapshot(0.0)])
    folder.write_fields(snapshot())
    assert not (tmp_path / "fields").exists()


def test_fields_that_are_refused_leave_the_old_ones(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_fields([snapshot(float(t)) for t in range(3)])
    before = names(tmp_path)
    with pytest.raises(ProblemError):
        folder.write_fields([snapshot(0.0), snapshot(0.0)])
    assert names(tmp_path) == before
