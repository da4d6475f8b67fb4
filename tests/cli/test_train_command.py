"""`pinnml train` as a user meets it: from a script and a data set to a file and a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pinnml import load, reference
from pinnml.cli.script import load_script
from pinnml.surrogates.families.draws import with_draw
from tests.cli.test_data_command import SCRIPT
from tests.helpers.commands import pinnml


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A script and a set of draws."""
    folder = tmp_path_factory.mktemp("plate")
    (folder / "plate.py").write_text(SCRIPT)
    made = ("--samples", "24", "--split", "14,5,5", "--out", str(folder / "plate.h5"), "--processes", "1")
    assert pinnml("data", str(folder / "plate.py"), *made).status == 0
    return folder


def train(folder: Path, *more: str):
    few = ("--network", "message-passing:width=8,steps=2", "--epochs", "3", "--modes", "6")
    data = ("--data", str(folder / "plate.h5"), "--out", str(folder / "plate.pt"))
    return pinnml("train", str(folder / "plate.py"), *data, *few, *more)


def test_a_surrogate_is_trained_and_told_beside_baselines(folder):
    done = train(folder)
    text = " ".join(done.out.split())
    for name in ("mean", "nearest draw", "ridge", "kernel ridge", "coarse answer alone", "surrogate"):
        assert f" {name} " in text
    report = json.loads((folder / "plate.json").read_text())
    own, others = report["rows"][-1], report["rows"][:-1]
    assert f"{own['mean']:.2e}" in text
    # of an equation that is linear in what is random ridge regression is exact: a network cannot be better
    assert own["mean"] > min(row["mean"] for row in others)
    assert done.status == 1
    assert "NOT below" in text


def test_one_line_where_that_is_wanted(folder):
    assert len(train(folder, "--quiet").out.splitlines()) == 1


@pytest.mark.parametrize("kind", ["attention:width=8,depth=2,heads=2", "brackets:width=8", "slices:width=8,heads=2"])
def test_every_kind_of_network_has_a_name(folder, kind):
    done = train(folder, "--network", kind, "--epochs", "1", "--quiet")
    assert done.status in (0, 1)
    assert "relative L2 error" in done.out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("loss=2.0",), "draw"),
        (("--network", "transformer"), "transformer"),
        (("--network", "slices:depth=3"), "depth"),
        (("--epochs", "0"), "epochs"),
        (("--modes", "-1"), "modes"),
    ],
)
def test_what_does_not_fit_is_named(folder, more, words):
    done = train(folder, *more)
    assert done.status == 2
    assert words in done.err


def test_a_draw_is_predicted_judged_mended_and_written(folder):
    assert train(folder, "--quiet").status == 1
    asked = ("predict", str(folder / "plate.py"), "--model", str(folder / "plate.pt"), "--draw", "40")
    problem = with_draw(load_script(folder / "plate.py").problem(), 40)
    exact = reference(problem, degree=1)
    points = exact.domain.sample("interior", 500, torch.Generator().manual_seed(0), "random").x.numpy()
    truth = exact(points)["u"]
    for more, most in (((), 0.5), (("--tolerance", "1e-6"), 1e-5)):
        done = pinnml(*asked, *more, "--out", str(folder / "runs"))
        verdict = json.loads((folder / "runs" / "verdict.json").read_text())
        estimate = verdict["estimate"]["u"]
        found = load(folder / "runs", problem)(points)["u"]
        error = np.linalg.norm(found - truth) / np.linalg.norm(truth)
        assert error < most
        assert error < 3 * estimate + 1e-6
        assert done.status == int(estimate > 1e-2)
        assert list((folder / "runs").glob("*.vtu"))
        told = {line.split()[0] for line in done.out.splitlines() if line[:1].strip()}
        assert {"error", "seconds", "verdict"} <= told
        assert "residual" not in told  # of which a prediction has none that would stand under that name
    assert pinnml(*asked, "--quiet").out.count("\n") == 1


def test_a_model_of_another_problem_is_not_used(folder):
    done = pinnml("predict", str(folder / "plate.py"), "--model", str(folder / "plate.h5"))
    assert done.status == 2
