"""`train` as a whole: a set of draws in, a surrogate and an honest report out."""

import json
from dataclasses import replace

import pytest
import torch

from pinnml.errors import CheckpointError, DataSetError, PinnmlError
from pinnml.surrogates.data import DataSet, Split
from pinnml.surrogates.networks import MessagePassing
from pinnml.surrogates.store import load_surrogate
from pinnml.surrogates.trained import UNFINISHED, train
from pinnml.surrogates.training import Training
from tests.helpers.families import darcy, solved


def data_set(n: int = 20) -> DataSet:
    """Of n draws; the last ten are for validation and test."""
    family, samples = solved(n)
    numbers = list(range(n))
    split = Split(tuple(numbers[: n - 10]), tuple(numbers[n - 10 : n - 5]), tuple(numbers[n - 5 :]))
    random = {name: repr(each) for name, each in family.problem.random.items()}
    about = {"problem": "darcy", "random": random, "degree": 1, "seed": 0}
    return DataSet.fitted(samples=(samples,), split=split, fields={"u": 1}, **about)


FEW = {"network": MessagePassing(8, 2), "training": Training(epochs=3, batch=4), "modes": 4}


def test_the_report_tells_the_errors_on_test_draws_and_of_baselines(tmp_path):
    data = data_set()
    found = train(data, darcy(), **FEW, out=tmp_path / "models" / "darcy.pt")
    (test,) = data.part("test")
    mass = found.surrogate.family.mass
    e, u = (found.surrogate.predict(test.inputs) - test.outputs).numpy(), test.outputs.numpy()
    errors = [((a @ mass @ a) / (b @ mass @ b)) ** 0.5 for a, b in zip(e, u, strict=True)]
    row = found.report.surrogate
    assert row.mean == pytest.approx(sum(errors) / 5, rel=1e-5)
    assert row.worst == pytest.approx(max(errors), rel=1e-5)
    names = [each.name for each in found.report.rows]
    assert names[:3] == ["mean", "nearest draw", "ridge"]
    assert "coarse answer alone" in names
    assert names[-1] == "surrogate"
    assert found.report.best_baseline.mean == min(each.mean for each in found.report.rows[:-1])
    written = json.loads((tmp_path / "models" / "darcy.json").read_text())
    assert written["rows"][-1]["mean"] == row.mean
    again = load_surrogate(tmp_path / "models" / "darcy.pt", darcy())
    assert torch.equal(again.predict(test.inputs), found.surrogate.predict(test.inputs))
    assert not list(tmp_path.glob(f"**/*{UNFINISHED}"))


def test_a_surrogate_that_is_worse_than_a_baseline_says_so():
    found = train(data_set(), darcy(), **{**FEW, "modes": 0})
    assert found.report.surrogate.mean > found.report.best_baseline.mean
    assert "NOT below" in found.report.summary
    slow = replace(found.report, solve_seconds=found.report.surrogate.seconds / 2)
    assert "2 times SLOWER" in slow.summary


def test_an_ended_training_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("pinnml.surrogates.trained.EVERY", 0.0)
    data, path = data_set(), tmp_path / "darcy.pt"
    whole = train(data, darcy(), **FEW)

    def interrupt(epoch):
        if epoch.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, darcy(), **FEW, out=path, progress=interrupt)
    with pytest.raises(CheckpointError, match="another seed"):
        train(data, darcy(), **FEW, out=path, resume=True, seed=1)
    found = train(data, darcy(), **FEW, out=path, resume=True)
    assert [each.loss for each in found.history] == [each.loss for each in whole.history]
    assert found.report.surrogate.mean == whole.report.surrogate.mean


def test_parts_give_the_same_surrogate():
    data = data_set()
    whole, parted = (train(data, darcy(), **FEW, parts=parts, partitioner="bisection") for parts in (1, 3))
    # in single precision
    assert parted.report.surrogate.mean == pytest.approx(whole.report.surrogate.mean, rel=1e-3)


def test_what_cannot_be_trained_on_is_refused():
    data = data_set()
    with pytest.raises(DataSetError, match="random inputs"):
        train(data, darcy(two_valued=True), **FEW)
    with pytest.raises(DataSetError):
        train(data, darcy(0.5), **FEW)  # equations that the samples do not solve
    without = replace(data, split=Split(tuple(range(15)), (), tuple(range(15, 20))))
    with pytest.raises(DataSetError, match="no draw for validation"):
        train(without, darcy(), **FEW)
    with pytest.raises(PinnmlError, match="training"):
        train(data, darcy(), training="long")
