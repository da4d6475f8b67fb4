"""The place of a run: nothing of others is touched, one writer at a time, an old run until the new one is whole."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pinnml.errors import SettingsError
from pinnml.output import CHECKPOINT, RunFolder, unfinished, workplace
from pinnml.output import swap as swapping

CONFIG = {"network": {}, "solver": {}, "seed": 0}


def write(folder: RunFolder, run: str, rows: int = 1) -> None:
    """What a run leaves, of the right form and with little in it; the verdict last."""
    folder.write_config({**CONFIG, "run": run})
    folder.checkpoint.write_bytes(CHECKPOINT.encode() + run.encode())
    folder.write_history([{"step": i, "run": run} for i in range(rows)])
    folder.write_verdict({"status": "solved", "relative_l2": {}, "run": run})


def made(path: Path, run: str = "first") -> RunFolder:
    """A whole run in a folder."""
    path.mkdir(parents=True)
    write(RunFolder(path), run)
    return RunFolder(path)


def contents(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def test_a_run_is_written_in_its_own_folder_where_that_is_free(tmp_path):
    path = tmp_path / "runs" / "heat"
    with workplace(RunFolder(path)) as place:
        assert place.folder.path == path
        write(place.folder, place.run)
        place.finish()
    assert set(RunFolder(path).runs.values()) == {place.run}
    assert [each.name for each in path.parent.iterdir()] == ["heat"]


def test_an_old_run_keeps_its_place_until_the_new_one_is_whole(tmp_path):
    old = made(tmp_path / "run")
    os.chmod(old.path, 0o750)
    before = contents(old.path)
    with workplace(RunFolder(old.path)) as place:
        write(place.folder, place.run)
        assert contents(old.path) == before
        place.finish()
    assert old.run == place.run
    assert old.path.stat().st_mode & 0o777 == 0o750
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_nothing_is_left_of_a_run_that_wrote_nothing(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError), workplace(RunFolder(tmp_path / "a" / "b" / "run")):
            raise RuntimeError
        assert list(tmp_path.iterdir()) == []
    made(tmp_path / "run")
    before = contents(tmp_path)
    with pytest.raises(RuntimeError), workplace(RunFolder(tmp_path / "run")):
        raise RuntimeError
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"precious": 1}'),
        ("history.csv", "precious"),
        ("picture.png", "precious"),
        ("verdict.json", "[1]"),
        ("checkpoint.pt", "precious"),
        ("mine.txt", ""),
        (".hidden", ""),
        ("fields/mine.vtu", ""),
    ],
)
def test_files_that_no_run_has_written_are_named_and_left_alone(tmp_path, name, text):
    for path in (tmp_path / "alone", made(tmp_path / "beside").path):
        if path.name == "beside" and name in ("history.csv", "picture.png"):
            continue  # beside a run's own they are taken for a run's
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
        before = contents(tmp_path)
        with pytest.raises(SettingsError, match="none of a run's") as refused, workplace(RunFolder(path)):
            pass
        assert name.partition("/")[0] in refused.value.got
        assert contents(tmp_path) == before


def test_what_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "file").touch()
    for path, words in (
        ("", "no name"),
        (" ", "no name"),
        (tmp_path / "link", "not there"),
        (tmp_path / "file", "a file"),
    ):
        with pytest.raises(SettingsError, match=words) as refused:
            RunFolder.named(path)
        assert refused.value.cure
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link"]


def test_a_link_to_a_folder_leads_there(tmp_path):
    made(tmp_path / "far" / "run")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "run")
    with workplace(RunFolder(tmp_path / "link")) as place:
        write(place.folder, place.run)
        place.finish()
    assert (tmp_path / "link").is_symlink()
    assert RunFolder(tmp_path / "far" / "run").run == place.run


def test_a_run_in_the_folder_in_which_one_is_cannot_be_replaced_but_a_first_one_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with workplace(RunFolder(Path())) as place:
        write(place.folder, place.run)
        place.finish()
    with pytest.raises(SettingsError, match="in which you are"), workplace(RunFolder(Path())):
        pass
    assert RunFolder(tmp_path).run == place.run


def test_a_disk_that_takes_nothing_is_told_before_the_block(tmp_path, monkeypatch):
    made(tmp_path / "run")
    before = contents(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    for name in ("pwrite", "fsync", "mkdir"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, full)
            with pytest.raises(SettingsError, match="No space left"), workplace(RunFolder(tmp_path / "run")):
                pass
        assert contents(tmp_path) == before


# One writer at a time


def test_a_second_writer_is_refused_by_the_name_of_the_first(tmp_path):
    own = f"process {os.getpid()} on {socket.gethostname()}"
    with workplace(RunFolder(tmp_path / "run")):
        with pytest.raises(SettingsError, match=own), workplace(RunFolder(tmp_path / "run")):
            pass
        with workplace(RunFolder(tmp_path / "other")):
            pass
    with workplace(RunFolder(tmp_path / "run")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_process_holds_until_it_ends(tmp_path):
    text = (
        "import sys; from pathlib import Path; from pinnml.output import RunFolder, workplace\n"
        "with workplace(RunFolder(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", text, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(SettingsError, match=f"process {child.pid} on"), workplace(RunFolder(tmp_path / "run")):
            pass
        child.kill()
    assert (tmp_path / ".run.lock").exists()
    with workplace(RunFolder(tmp_path / "run")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_host_is_named_and_one_that_says_nothing_is_taken_over(tmp_path):
    lock = tmp_path / ".run.lock"
    lock.write_text(json.dumps({"process": 1, "host": "elsewhere", "since": "yesterday"}))
    who = "process 1 on elsewhere since yesterday"
    with pytest.raises(SettingsError, match=who) as refused, workplace(RunFolder(tmp_path / "run")):
        pass
    assert str(lock) in refused.value.cure
    for text in ("", "{", "[]", '{"process": "x"}'):
        lock.write_text(text)
        with workplace(RunFolder(tmp_path / "run")):
            pass
        assert not lock.exists()


def test_where_the_file_system_has_no_locks_the_process_is_looked_for(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("pinnml.output.lock.fcntl.flock", none)
    lock = tmp_path / ".run.lock"
    holder = {"host": socket.gethostname(), "since": "now"}
    lock.write_text(json.dumps(holder | {"process": os.getpid()}))
    with pytest.raises(SettingsError, match="one run at a time"), workplace(RunFolder(tmp_path / "run")):
        pass
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock.write_text(json.dumps(holder | {"process": gone.pid}))
    with workplace(RunFolder(tmp_path / "run")):
        pass


# A process that is killed anywhere


CALLS = ("replace", "rename", "unlink", "rmdir")


def killed(path: Path, at: int, exchange: bool) -> bool:
    """Write a second run in a process that is no more from the n-th call on which changes a folder; whether it was."""
    if (child := os.fork()) == 0:
        count = iter(range(1, 10**9))
        for name in CALLS:
            real = getattr(os, name)

            def dying(*given, real=real, **named):
                if next(count) == at:
                    os._exit(9)
                return real(*given, **named)

            setattr(os, name, dying)
        if not exchange:
            swapping.exchanged = lambda *_: False
        with workplace(RunFolder(path)) as place:
            write(place.folder, place.run, rows=2)
            place.finish()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "one after the other"])
def test_whenever_a_process_is_killed_there_is_the_old_run_or_the_new_one_and_it_is_whole(tmp_path, exchange):
    path, seen, missing = tmp_path / "base" / "run", set(), 0
    for at in range(1, 100):
        shutil.rmtree(tmp_path / "base", ignore_errors=True)
        first = made(path)
        whole = contents(path)
        if not killed(path, at, exchange):
            break
        missing += not path.exists()
        if path.exists():
            assert contents(path) == whole or len(set(first.runs.values()) - {"first"}) == 1
        with workplace(RunFolder(path)):
            pass  # puts in order what was left
        assert first.is_whole
        assert len(set(first.runs.values())) == 1
        assert [each.name for each in path.parent.iterdir() if not (each / "checkpoint.pt").is_file()] == []
        seen.add("first" if contents(path) == whole else "second")
        assert ("second" in seen) == (contents(path) != whole), "once the new one has come it does not go again"
        write(first, "third")
        with workplace(RunFolder(path)) as place:
            write(place.folder, place.run)
            place.finish()
        assert [each.name for each in path.parent.iterdir()] == ["run"]
    assert at > 10
    assert seen == {"first", "second"}
    assert missing == (0 if exchange else 1)


def test_a_checkpoint_of_a_process_that_was_killed_is_kept_until_a_new_run_is_whole(tmp_path):
    made(tmp_path / "run")
    left = RunFolder(tmp_path / ".run.0123456789ab")
    left.path.mkdir()
    left.checkpoint.write_bytes(CHECKPOINT.encode())
    with workplace(RunFolder(tmp_path / "run")) as place:
        assert [each.path for each in unfinished(place.target.path)] == [left.path]
        write(place.folder, place.run)
        assert left.checkpoint.exists()
        place.finish()
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
    assert unfinished(tmp_path / "run") == []


def test_what_was_half_written_is_taken_away(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / f".{'0' * 32}.part").touch()
    with workplace(RunFolder(path)) as place:
        assert list(path.iterdir()) == []
        write(place.folder, place.run)
        place.finish()
    assert RunFolder(path).is_whole
