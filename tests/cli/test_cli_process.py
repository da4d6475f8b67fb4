"""The command line as a process of its own: streams, exit statuses and Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pinnml import load
from tests.helpers.rod import FILES, ROD

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with one script."""
    monkeypatch.chdir(tmp_path)
    Path("rod.py").write_text(ROD)
    return tmp_path


COMMAND = (
    sys.executable,
    "-c",
    # a process that a shell started in the background ignores SIGINT until it is told not to
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from pinnml.cli import main; main()",
)


def test_a_process_prints_json_alone_and_ends_with_the_status() -> None:
    done = subprocess.run([*COMMAND, "solve", "rod.py", "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["good"]


def test_a_process_tells_an_error_without_a_traceback(folder) -> None:
    Path("rod.py").write_text(ROD.replace("return u.d(", "return [][1] + u.d("))
    command = [*COMMAND, "solve", "rod.py", "--out", "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: rod.py: the solve raised IndexError")
    assert [path.name for path in folder.iterdir()] == ["rod.py"]


def test_ctrl_c_ends_a_solve_with_everything_written() -> None:
    counted = "\ncalls = []\n"
    sign = "        calls.append(0)\n        if len(calls) == 60: open('under_way', 'w').close()\n"
    Path("rod.py").write_text(ROD.replace("    def ends(u, x):\n", "    def ends(u, x):\n" + sign) + counted)
    command = [*COMMAND, "solve", "rod.py", "--solver", "adam:steps=100000000", "--out", "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        limit = time.monotonic() + 60
        while not Path("under_way").exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "")
    assert "interrupted; the last good state was kept" in " ".join(out.split())
    verdict = json.loads(Path("run/verdict.json").read_text())
    assert (verdict["status"], verdict["good"]) == ("interrupted", False)
    solution = load("run/checkpoint.pt")
    assert solution.verdict.steps == verdict["steps"] > 0
    assert np.isfinite(solution(np.array([[0.5]]))["u"]).all()
    assert {path.name for path in Path("run").iterdir()} == FILES
