"""Files of data: whole and unchanged, or refused by name before anything large is made of them."""

import hashlib
import json
import pickle

import h5py
import numpy as np
import pytest

from pinnml.errors import DataSetError
from pinnml.surrogates.data.file import HEAD, RECORD, SIGNATURE, array_hash, read_file, write_file
from tests.helpers.damages import DAMAGES
from tests.helpers.memory import peak

RANDOM = np.random.default_rng(0)
ARRAYS = {"a": RANDOM.random((5, 3)), "b": np.arange(4), "c": np.zeros((0, 2)), "d.e": np.array([2.5])}
WORDS = {"name": "kappa is κ", "list": [1, 2.5, None]}


@pytest.fixture
def path(tmp_path):
    write_file(tmp_path / "data.h5", WORDS, ARRAYS)
    return tmp_path / "data.h5"


def test_what_was_written_is_read(path):
    record, arrays = read_file(path)
    assert {name: record[name] for name in WORDS} == WORDS
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert record["arrays"][name]["sha256"] == array_hash(array)
    with h5py.File(path) as file:  # as any program reads it
        np.testing.assert_array_equal(file["a"][...], ARRAYS["a"])
        assert file["a"].dtype == "<f8"


def test_equal_content_gives_equal_bytes(path):
    write_file(path.with_name("again.h5"), WORDS, ARRAYS)
    assert path.read_bytes() == path.with_name("again.h5").read_bytes()
    write_file(path, WORDS, {**ARRAYS, "b": np.arange(1, 5)})
    assert path.read_bytes() != path.with_name("again.h5").read_bytes()


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_told(path, seed):
    random, data = np.random.default_rng(seed), path.read_bytes()
    while (changed := DAMAGES[seed % len(DAMAGES)](data, random)) == data:
        pass
    path.write_bytes(changed)
    if changed[: len(SIGNATURE) + 65] + changed[HEAD:] == data[: len(SIGNATURE) + 65] + data[HEAD:]:
        read_file(path)  # the rest of the head says nothing
        return
    with pytest.raises(DataSetError):
        read_file(path)


@pytest.mark.parametrize("size", [0, 3, len(SIGNATURE), 100, HEAD, HEAD + 1, 2000])
def test_a_file_that_was_cut_is_told(path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataSetError, match="only part of one"):
        read_file(path)


def test_what_is_no_data_set_is_told(path):
    for content in (b"", b"hello", pickle.dumps({"a": 1}), b"\x89HDF\r\n\x1a\n" + 600 * b"\0"):
        path.write_bytes(content)
        with pytest.raises(DataSetError, match="not a data set"):
            read_file(path)
    path.write_bytes(SIGNATURE.replace(b"1", b"7") + 600 * b"\0")
    with pytest.raises(DataSetError, match="another version"):
        read_file(path)
    for missing in (path.parent, path.parent / "nothing.h5"):
        with pytest.raises(DataSetError, match="no such data set"):
            read_file(missing)


def signed(path) -> None:
    """Give a file the checksum of what is in it."""
    data = path.read_bytes()
    head = SIGNATURE + hashlib.sha256(data[HEAD:]).hexdigest().encode() + b"\n"
    path.write_bytes(head + bytes(HEAD - len(head)) + data[HEAD:])


def hostile(path, make, shape=(5, 3), kind="<f8", record=None) -> None:
    """A file with a right checksum whose array "a" is made by somebody else."""
    text = json.dumps({"arrays": {"a": {"type": kind, "shape": shape, "sha256": ""}}} if record is None else record)
    with h5py.File(path, "w", userblock_size=HEAD) as file:
        file.create_dataset(RECORD, data=np.frombuffer(text.encode(), dtype=np.uint8))
        make(file)
    signed(path)


HUGE = (10**12,)
HOSTILE = {
    "packed": (lambda f: f.create_dataset("a", HUGE, "<f8", chunks=(10**6,), compression="gzip"), HUGE),
    "in pieces": (lambda f: f.create_dataset("a", (5, 3), "<f8", chunks=(1, 3)), (5, 3)),
    "never written": (lambda f: f.create_dataset("a", HUGE, "<f8"), HUGE),
    "in another file": (lambda f: f.create_dataset("a", (8,), "<f8", external=[("/etc/hostname", 0, 64)]), (8,)),
    "a link to another file": (lambda f: f.__setitem__("a", h5py.ExternalLink("/tmp/other.h5", "/a")), (5, 3)),
    "a link": (lambda f: (f.create_dataset("b", data=np.ones(3)), f.__setitem__("a", h5py.SoftLink("/b"))), (3,)),
    "a group": (lambda f: f.create_group("a"), (5, 3)),
    "nothing": (lambda f: None, (5, 3)),
    "another shape": (lambda f: f.create_dataset("a", data=np.ones((3, 5))), (5, 3)),
    "another type": (lambda f: f.create_dataset("a", data=np.ones((5, 3), dtype="<f4")), (5, 3)),
    "texts": (lambda f: f.create_dataset("a", data=["x"] * 5, dtype=h5py.string_dtype()), (5,)),
    "references": (lambda f: f.create_dataset("a", data=[f.ref] * 3, dtype=h5py.ref_dtype), (3,)),
    "without a shape": (lambda f: f.create_dataset("a", data=h5py.Empty("<f8")), (5, 3)),
    "another checksum": (lambda f: f.create_dataset("a", data=np.ones((5, 3))), (5, 3)),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_arrays_are_refused(path, how):
    make, shape = HOSTILE[how]
    hostile(path, make, shape)
    with pytest.raises(DataSetError, match="not a data set"):
        read_file(path)


@pytest.mark.parametrize(
    "record", [[], {}, {"arrays": 3}, {"arrays": {"a": 3}}, {"arrays": {"a": {"type": "O"}}}, None]
)
def test_hostile_records_are_refused(path, record):
    with h5py.File(path, "w", userblock_size=HEAD) as file:
        text = b"{[" if record is None else json.dumps(record).encode()
        file.create_dataset(RECORD, data=np.frombuffer(text, dtype=np.uint8))
    signed(path)
    with pytest.raises(DataSetError, match="not a data set"):
        read_file(path)


def test_little_memory_is_taken_for_a_file_that_promises_much(path):
    make, shape = HOSTILE["never written"]
    hostile(path, make, shape)

    def refused():
        with pytest.raises(DataSetError):
            read_file(path)

    refused()
    assert peak(refused) < 2e7


def test_the_old_file_stays_where_the_new_one_is_not_whole(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr("pinnml.surrogates.data.file._checksum", lambda stream: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_file(path, {}, {})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
