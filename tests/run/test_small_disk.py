"""A disk of one megabyte that is full at any write: nothing is lost, nothing half-written, and it is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pinnml import load, solve
from pinnml.errors import SettingsError
from tests.helpers.solving import SMALL, rod

#: Bytes by which what is left free grows, from nothing to more than a run takes.
STEP = 12288


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fill(disk: Path, free: int) -> None:
    found = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(max(found.f_bavail * found.f_frsize - free, 0)))


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_write_loses_no_run_and_no_solution(disk, tmp_path):
    solve(rod(), **SMALL, out=tmp_path / "first", verify=False)
    old, ends = contents(tmp_path / "first"), []
    for free in range(0, sum(map(len, old.values())) + 6 * STEP, STEP):
        for path in disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(tmp_path / "first", disk / "run")
        fill(disk, free)
        try:
            solution = solve(rod(), **SMALL, seed=1, out=disk / "run", verify=False)
        except SettingsError:  # no room for anything
            ends.append("refused")
            assert contents(disk / "run") == old
            continue
        assert solution.verdict.seed == 1
        now, told = contents(disk / "run"), " ".join(solution.verdict.warnings)
        ends.append("whole" if now != old else "old")
        assert ("No space left" in told) == (now == old)
        if now != old:
            assert set(now) == set(old)
            assert len({json.loads(now[name])["run"] for name in ("config.json", "verdict.json")}) == 1
            assert load(disk / "run").verdict.seed == 1
    assert ends == sorted(ends, key=["refused", "old", "whole"].index)
    assert set(ends) == {"refused", "old", "whole"}
