"""Files of the right form with a wrong content: a named error, at once and in little memory, or the solution."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from pinnml import KAN, MLP, Adam, load, solve
from pinnml.errors import CheckpointError
from pinnml.results.checkpoint_file import checksum, read_archive
from tests.helpers.memory import peak
from tests.helpers.solving import rod

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, Path]:
    """The files of two small solutions, one of each kind of networks."""
    folder = tmp_path_factory.mktemp("saved")
    networks = {"mlp": MLP(5, 2, "tanh"), "kan": KAN(3, intervals=2)}
    return {
        name: solve(rod(), network, Adam(steps=1), points=40, verify=False).save(folder / f"{name}.pt")
        for name, network in networks.items()
    }


def changed(path: Path, place: str, value: object) -> tuple[str, dict]:
    """The record, with another value at a place such as "settings/network/width", and the tensors."""
    record, tensors = read_archive(path)
    *above, last = place.split("/")
    inside = record
    for name in above:
        inside = inside[name]
    inside[last] = value
    return json.dumps(record), tensors


def write(path: Path, text: str, tensors: dict) -> Path:
    """A file of the right form with its checksum right."""
    content = {"format": "pinnml checkpoint", "version": 1, "record": text, "tensors": tensors}
    torch.save({**content, "checksum": checksum(text, tensors)}, path)
    return path


def assert_refused(path: Path, words: str) -> None:
    """A CheckpointError in these words, with what was expected, what came, and what to do."""
    with pytest.raises(CheckpointError, match=words) as refused:
        load(path)
    assert all((refused.value.expected, refused.value.got, refused.value.cure))


NETWORK = "settings/network"
CHANGES = [
    *(("mlp", f"{NETWORK}/width", value) for value in (10**6, 10**12, -1, "x", None, [1])),
    *(("mlp", f"{NETWORK}/depth", value) for value in (10**6, 10**12, -1, "x", None, [1])),
    *(("kan", f"{NETWORK}/{name}", 10**6) for name in ("width", "depth", "order", "intervals")),
    ("kan", f"{NETWORK}/intervals", [10**6, 2]),
    ("mlp", NETWORK, {"kind": "features", "functions": [], "settled": [], "count": 10**9}),
    ("mlp", f"{NETWORK}/settled", ["nothing"]),
    ("mlp", "fields", [["u", "1", False, False]]),
    ("mlp", "fields", [["u", 10**9, False, False]]),
    ("mlp", "fields", [["u", True, False, False]]),
    ("mlp", "fields", [[1, 1, False, False]]),
    ("mlp", "fields", 3),
    ("mlp", "fields", []),
    ("mlp", "verdict/seconds", "x"),
    ("mlp", "verdict/relative_l2", {"u": "x"}),
    ("mlp", "verdict/relative_l2", 3),
    ("mlp", "verdict/relative", {"balance": None}),
    ("mlp", "verdict/steps", None),
    ("mlp", "verdict/warnings", 3),
    ("mlp", "verdict/warnings", [3]),
    ("mlp", "verdict/solver", None),
    ("mlp", "verdict/notes", [1]),
    ("mlp", "verdict/expected", "x"),
    ("mlp", "history", [3]),
    ("mlp", "settings", {}),
    ("mlp", "parameters", {"a": "x"}),
    ("mlp", "domain", {}),
    ("mlp", "domain", {"box": {"x": {"Interval": [0, "x"]}}}),
]


@pytest.mark.parametrize(("kind", "place", "value"), CHANGES, ids=lambda value: str(value)[:30])
def test_a_record_that_does_not_fit_its_tensors_is_named(saved, tmp_path, kind, place, value):
    path = write(tmp_path / "file.pt", *changed(saved[kind], place, value))
    assert peak(lambda: assert_refused(path, "checkpoint")) < 100 * MEGABYTE


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex128, torch.float16, torch.bool])
def test_numbers_of_another_type_are_named(saved, tmp_path, dtype):
    record, tensors = read_archive(saved["mlp"])
    tensors = {**tensors, "coef": tensors["coef"].to(dtype)}
    with pytest.raises(CheckpointError):
        load(write(tmp_path / "file.pt", json.dumps(record), tensors))


def test_what_is_nested_or_expanded_or_packed_is_named(saved, tmp_path):
    record, tensors = read_archive(saved["mlp"])
    path = tmp_path / "file.pt"
    assert_refused(write(path, "[" * 10**5 + "]" * 10**5, tensors), "lacks a part")
    text = json.dumps(record)
    content = {"format": "pinnml checkpoint", "version": 1, "record": text, "checksum": "0" * 64}
    huge = torch.zeros(1, dtype=torch.float64).expand(10**12)
    for other in ({"more": huge}, {"sparse": torch.eye(2).to_sparse()}):
        torch.save({**content, "tensors": tensors | other}, path)
        assert_refused(path, "does not fit the file")
    many = torch.zeros(10**5)
    torch.save({**content, "tensors": {str(i): many for i in range(10**3)}}, path)
    assert_refused(path, "does not fit the file")
    with zipfile.ZipFile(saved["mlp"]) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
        target.writestr("archive/data/99", bytes(300 * MEGABYTE))
    assert path.stat().st_size < MEGABYTE
    assert peak(lambda: assert_refused(path, "larger than in the file")) < 100 * MEGABYTE


def test_a_file_that_asks_for_terabytes_takes_little_of_a_process(saved, tmp_path):
    # in a process of its own, whose memory is limited, so that an allocation that is tried and refused shows as well
    path = write(tmp_path / "file.pt", *changed(saved["mlp"], f"{NETWORK}/width", 10**6))
    text = (
        "import resource, sys; from pinnml import load; from pinnml.errors import CheckpointError\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 10**8,) * 2)\n"
        "try: load(sys.argv[1])\n"
        "except CheckpointError: print('named')"
    )
    done = subprocess.run([sys.executable, "-c", text, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == "named\n", done.stderr


@pytest.mark.usefixtures("unpictured")
def test_files_of_two_runs_in_a_folder_are_noticed(tmp_path):
    for name in ("one", "two"):
        solve(rod(), MLP(5, 2, "tanh"), Adam(steps=1), points=40, verify=False, out=tmp_path / name)
    load(tmp_path / "one" / "checkpoint.pt")
    for file in ("config.json", "verdict.json", "history.csv"):
        whole = (tmp_path / "one" / file).read_bytes()
        (tmp_path / "one" / file).write_bytes((tmp_path / "two" / file).read_bytes())
        with pytest.raises(CheckpointError, match="of two runs") as refused:
            load(tmp_path / "one" / "checkpoint.pt")
        assert file in refused.value.got
        (tmp_path / "one" / file).write_bytes(whole)
    load((tmp_path / "one" / "checkpoint.pt").rename(tmp_path / "alone.pt"))
