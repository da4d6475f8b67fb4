"""Checkpoints hold tensors and JSON, come back whole, and refuse what is not theirs."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from pinnml import (
    LSGD,
    MLP,
    Box,
    Equation,
    Features,
    Graded,
    LevenbergMarquardt,
    Parameter,
    Periodic,
    Points,
    Problem,
    Wrapped,
    load,
    solve,
)
from pinnml.errors import CheckpointError
from problems import burgers, heat, maxwell, poisson

QUICK = LSGD(hidden="fixed")
POINTS = np.random.default_rng(2).random((9, 2))


def stretched(x, y):
    return x, torch.exp(y)


@pytest.mark.parametrize(
    "network",
    [
        Features(20, bandwidth=(3, 5)),
        Features(20),
        MLP(8, 2, "tanh"),
        MLP(8, 3, "gaussian", init="box", residual=True),
        Wrapped(nn.Sequential(nn.Linear(2, 9), nn.Tanh())),
        Features(20, bandwidth=3, inputs=stretched),
    ],
    ids=["features", "searched features", "mlp", "residual mlp", "wrapped", "inputs"],
)
def test_what_is_saved_comes_back_to_the_last_bit(tmp_path, network):
    problem = poisson.problem()
    solution = solve(problem, network, QUICK, points=200)
    path = solution.save(tmp_path / "saved.pt")
    again = load(path, problem=problem, network=network)
    np.testing.assert_array_equal(again(POINTS)["u"], solution(POINTS)["u"])
    assert again.verdict.to_json() == solution.verdict.to_json()
    assert again.history == solution.history
    assert again.error() == solution.error()


@pytest.mark.parametrize(
    "domain",
    [
        Box(x=(0, 1), y=Periodic(-1, 2)),
        Box(x=Graded(0, 2, at=1, width=0.1), y=Parameter(1, 3)),
        Points({"x": np.linspace(0, 1, 30), "y": np.linspace(0, 2, 30) ** 2}, {"value": np.ones(30)}),
    ],
    ids=["periodic", "graded", "points"],
)
def test_without_the_problem_the_domain_comes_back_as_well(tmp_path, domain):
    def level(u, x):
        return u - x

    equations = (Equation(level),)
    if isinstance(domain, Box):
        equations += (Equation(lambda u: u.d("x"), on="x=max", name="flat"),)
    solution = solve(Problem(domain=domain, fields=("u",), equations=equations), Features(15, bandwidth=3), QUICK)
    again = load(solution.save(tmp_path / "saved.pt"))
    np.testing.assert_array_equal(again(POINTS)["u"], solution(POINTS)["u"])
    np.testing.assert_array_equal(again.domain.bounds, domain.bounds)


def test_a_checkpoint_holds_nothing_that_could_run(tmp_path):
    path = solve(poisson.problem(), Features(5), QUICK, points=50).save(tmp_path / "saved.pt")
    content = torch.load(path, weights_only=True)
    assert set(content) == {"format", "version", "record", "tensors"}


def test_fields_from_an_ansatz_ask_for_the_problem(tmp_path):
    solution = solve(burgers.problem(), MLP(5, 1), LevenbergMarquardt(steps=2), points=50)
    path = solution.save(tmp_path / "saved.pt")
    with pytest.raises(CheckpointError, match="ansatz"):
        load(path)
    again = load(path, problem=burgers.problem())
    np.testing.assert_array_equal(again(POINTS)["u"], solution(POINTS)["u"])


def test_another_problem_or_network_is_refused(tmp_path):
    path = solve(poisson.problem(), Features(5, bandwidth=2), QUICK, points=50).save(tmp_path / "saved.pt")
    with pytest.raises(CheckpointError, match="another problem"):
        load(path, problem=maxwell.problem("cavity"))
    with pytest.raises(CheckpointError, match="another network"):
        load(path, network=MLP(5, 2))
    wrapped = Wrapped(nn.Sequential(nn.Linear(2, 4), nn.Tanh()))
    path = solve(poisson.problem(), wrapped, QUICK, points=50).save(tmp_path / "wrapped.pt")
    with pytest.raises(CheckpointError, match="function of yours"):
        load(path)


def test_parameters_found_come_back(tmp_path):
    problem = heat.problem()
    inverse = Problem(
        domain=problem.domain,
        fields=("u",),
        equations=(Equation(lambda u, kappa: u.d("t") - kappa * u.d("xx"), name="heat"), *problem.equations[1:]),
        parameters={"kappa": 0.2},
    )
    solution = solve(inverse, MLP(6, 1), LevenbergMarquardt(steps=3), points=60)
    assert load(solution.save(tmp_path / "saved.pt")).parameters == solution.parameters != {"kappa": 0.2}


def damaged(path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_named_and_left_as_it_is(tmp_path, keep):
    path = solve(poisson.problem(), Features(5, bandwidth=2), QUICK, points=50).save(tmp_path / "saved.pt")
    damaged(path, keep)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="only part of one"):
        load(path)
    assert path.read_bytes() == before


class Foreign:
    """An object that a pickle would bring to life."""


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_text("not a checkpoint"), "not a checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "not a checkpoint|not saved by pinnml"),
        (lambda path: torch.save({"weights": torch.zeros(3)}, path), "not saved by pinnml"),
        (lambda path: torch.save(torch.zeros(3), path), "not saved by pinnml"),
        (lambda path: torch.save(Foreign(), path), "not a checkpoint"),
        (
            lambda path: torch.save({"format": "pinnml checkpoint", "version": 99, "record": "", "tensors": {}}, path),
            "later version",
        ),
        (lambda path: torch.save({"format": "pinnml checkpoint", "version": 1}, path), "lacks a part"),
        (
            lambda path: torch.save({"format": "pinnml checkpoint", "version": 1, "record": "{}", "tensors": {}}, path),
            "lacks a part",
        ),
    ],
    ids=["text", "pickle", "state dict", "tensor", "object", "later version", "no record", "empty record"],
)
def test_a_foreign_file_is_refused(tmp_path, write, words):
    path = tmp_path / "foreign.pt"
    write(path)
    with pytest.raises(CheckpointError, match=words):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load(tmp_path / "nothing.pt")


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    solution = solve(poisson.problem(), Features(5, bandwidth=2), QUICK, points=50)
    path = solution.save(tmp_path / "saved.pt")
    before = path.read_bytes()

    def broken(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk is full"):
        solution.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["saved.pt"]
