"""Checkpoints hold tensors and JSON, come back whole, and refuse what is not theirs."""

from __future__ import annotations

import json
import os
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
    Mesh,
    Parameter,
    Periodic,
    Points,
    Problem,
    Wrapped,
    laplacian,
    load,
    solve,
)
from pinnml.errors import CheckpointError
from pinnml.results.checkpoint_file import checksum, write_archive
from problems import burgers, heat, maxwell, poisson
from tests.helpers.places import MESHES

QUICK = LSGD(hidden="fixed")
POINTS = np.random.default_rng(2).random((9, 2))
WALL = Equation(lambda u, x: u - x, on="boundary", name="wall")


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


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file of a small solution."""
    path = tmp_path_factory.mktemp("saved") / "saved.pt"
    return solve(poisson.problem(), Features(5, bandwidth=2), QUICK, points=50).save(path)


def test_a_checkpoint_holds_nothing_that_could_run(saved):
    content = torch.load(saved, weights_only=True)
    assert set(content) == {"format", "version", "record", "tensors", "checksum"}


def test_fields_from_an_ansatz_ask_for_the_problem(tmp_path):
    solution = solve(burgers.problem(), MLP(5, 1), LevenbergMarquardt(steps=2), points=50, verify=False)
    path = solution.save(tmp_path / "saved.pt")
    with pytest.raises(CheckpointError, match="ansatz"):
        load(path)
    again = load(path, problem=burgers.problem())
    np.testing.assert_array_equal(again(POINTS)["u"], solution(POINTS)["u"])


def test_all_that_a_file_needs_beside_it_is_named_at_once(tmp_path):
    """An inputs function on a mesh needs the function and the mesh; each alone is asked for alone."""
    laws = (Equation(lambda u: -laplacian(u) - 1, name="balance"), Equation(lambda u: u, on="boundary", name="rim"))
    problem = Problem(domain=Mesh.read(MESHES / "disc.msh"), fields="u", equations=laws)
    network = Features(20, bandwidth=3, inputs=lambda x, y: (x, y, x**2 + y**2))
    solution = solve(problem, network, QUICK, points=100, verify=False)
    path = solution.save(tmp_path / "saved.pt")
    with pytest.raises(CheckpointError) as caught:
        load(path)
    text = str(caught.value)
    assert "the problem, on whose mesh" in text
    assert "load(path, problem=..., network=Features(count=20, bandwidth=[3.0, 3.0, 3.0], inputs=...))" in text
    for given, told in ({"network": network}, "problem=...)"), ({"problem": problem}, "(path, network=Features("):
        with pytest.raises(CheckpointError) as caught:
            load(path, **given)
        assert told in str(caught.value)
    again = load(path, problem=problem, network=network)
    np.testing.assert_array_equal(again(POINTS)["u"], solution(POINTS)["u"])


def test_another_problem_or_network_is_refused(saved, tmp_path):
    with pytest.raises(CheckpointError, match="another problem"):
        load(saved, problem=maxwell.problem("cavity"))
    with pytest.raises(CheckpointError, match="another network"):
        load(saved, network=MLP(5, 2))
    wrapped = Wrapped(nn.Sequential(nn.Linear(2, 4), nn.Tanh()))
    path = solve(poisson.problem(), wrapped, QUICK, points=50, verify=False).save(tmp_path / "wrapped.pt")
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
def test_a_truncated_file_is_named_and_left_as_it_is(saved, tmp_path, keep):
    path = tmp_path / "saved.pt"
    path.write_bytes(saved.read_bytes())
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
        (lambda path: write_archive(path, {}, {}), "lacks a part"),
    ],
    ids=["text", "pickle", "state dict", "tensor", "object", "later version", "no record", "empty record"],
)
def test_a_foreign_file_is_refused(tmp_path, write, words):
    path = tmp_path / "foreign.pt"
    write(path)
    assert_refused(path, words)


def assert_refused(path, words: str, **options) -> None:
    """A CheckpointError in these words, with what was expected, what came, and what to do."""
    with pytest.raises(CheckpointError, match=words) as refused:
        load(path, **options)
    assert all((refused.value.expected, refused.value.got, refused.value.cure))


def test_a_byte_that_was_flipped_anywhere_in_the_tensors_or_the_record_is_found(saved, tmp_path):
    content, path = saved.read_bytes(), tmp_path / "flipped.pt"
    whole = load(saved)
    start = whole.network.coef.numpy().tobytes()
    inside = {content.index(b'"domain"') + 3, content.index(b'"seconds"') + 12, content.index(start) + 5}
    for place in inside | set(range(0, len(content), len(content) // 60)):
        changed = bytearray(content)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        if place in inside:
            assert_refused(path, "damaged or changed|only part")
            continue
        try:
            again = load(path)
        except CheckpointError:
            continue
        assert torch.equal(again.network.coef, whole.network.coef)  # the byte lay between the parts of the file
        assert (again.settings, again.verdict) == (whole.settings, whole.verdict)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(record=content["record"].replace('"seed": 0', '"seed": 1')),
        lambda content: content["tensors"].update(coef=content["tensors"]["coef"] + 1e-12),
        lambda content: content["tensors"].update(coef=content["tensors"]["coef"].float()),
        lambda content: content["tensors"].update(extra=torch.zeros(1)),
        lambda content: content.update(record="{"),
    ],
    ids=["record", "tensor", "dtype", "another tensor", "no JSON"],
)
def test_what_was_changed_after_it_was_saved_is_refused(saved, tmp_path, change):
    content = torch.load(saved, weights_only=True)
    torch.save(content, tmp_path / "same.pt")
    load(tmp_path / "same.pt")
    change(content)
    torch.save(content, tmp_path / "changed.pt")
    assert_refused(tmp_path / "changed.pt", "damaged or changed")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(tensors=None),
        lambda content: content.update(tensors={"coef": 3}),
        lambda content: content.update(version="x"),
        lambda content: content.update(checksum=7),
        lambda content: content.pop("checksum"),
    ],
)
def test_parts_of_another_kind_are_refused(saved, tmp_path, change):
    content = torch.load(saved, weights_only=True)
    change(content)
    torch.save(content, tmp_path / "changed.pt")
    assert_refused(tmp_path / "changed.pt", "lacks a part")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"history"', '"hist"'),
        ('"ansatz"', '"ans"'),
        ('"kind"', '"kin"'),
        ('"kind": "features"', '"kind": ["features"]'),
        ('"count"', '"cnt"'),
        ('"count": 5', '"count": -5'),
        ('"bandwidth"', '"bw"'),
        ('"activation": "sine"', '"activation": "cosine"'),
        ("Interval", "Intervall"),
        ('"parameters": {}', '"pars": {}'),
        ('"parameters": {}', '"parameters": [1]'),
        ('"functions"', '"fns"'),
        ('"status": "', '"status": "zz'),
        ('"verdict": {', '"verdict": 3, "other": {'),
        ('"settings": {', '"settings": [], "other": {'),
    ],
)
def test_a_record_of_another_kind_is_refused_even_with_its_checksum_right(saved, tmp_path, old, new):
    content = torch.load(saved, weights_only=True)
    assert old in content["record"]
    write_archive(tmp_path / "other.pt", json.loads(content["record"].replace(old, new)), content["tensors"])
    assert_refused(tmp_path / "other.pt", "lacks a part")
    content["record"] = "[]"
    content["checksum"] = checksum(content["record"], content["tensors"])
    torch.save(content, tmp_path / "list.pt")
    assert_refused(tmp_path / "list.pt", "lacks a part")


def test_a_problem_on_another_domain_is_refused(tmp_path):
    def on(**axes) -> Problem:
        return Problem(domain=Box(**axes), fields=("u",), equations=(Equation(lambda u, x: u - x, name="x"), WALL))

    path = solve(on(x=(0, 1), y=(0, 1)), Features(5, bandwidth=2), QUICK, points=50).save(tmp_path / "saved.pt")
    for axes in ({"x": (0, 2), "y": (0, 1)}, {"x": (0, 1), "y": Periodic(0, 1)}, {"y": (0, 1), "x": (0, 1)}):
        assert_refused(path, "another problem", problem=on(**axes))
    same = load(path, problem=on(x=(0.0, 1.0), y=(0, np.float64(1))))
    np.testing.assert_array_equal(same(POINTS)["u"], load(path)(POINTS)["u"])


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert_refused(tmp_path / "nothing.pt", "no such checkpoint")


def test_a_run_is_read_back_from_its_folder(tmp_path, monkeypatch):
    solution = solve(poisson.problem(), Features(5, bandwidth=2), QUICK, points=50, out=tmp_path / "run")
    monkeypatch.setattr(os, "access", lambda *_: False)  # a folder that may be read alone
    for path in (tmp_path / "run", str(tmp_path / "run"), tmp_path / "run" / "checkpoint.pt"):
        np.testing.assert_array_equal(load(path)(POINTS)["u"], solution(POINTS)["u"])


def test_a_folder_that_holds_no_run_says_what_it_holds(tmp_path):
    assert_refused(tmp_path, "nothing in it")
    (tmp_path / "notes.txt").write_text("")
    assert_refused(tmp_path, "'.*' with notes.txt")
    solve(poisson.problem(), Features(5, bandwidth=2), QUICK, points=50, out=tmp_path / "run")
    assert_refused(tmp_path, f"load '{tmp_path}/run'")
    (tmp_path / "run" / "checkpoint.pt").unlink()
    assert_refused(tmp_path / "run", "no checkpoint of its run")


def test_a_save_that_fails_leaves_the_old_file(saved, tmp_path, monkeypatch):
    solution = load(saved)
    path = solution.save(tmp_path / "saved.pt")
    before = path.read_bytes()

    def broken(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk is full"):
        solution.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["saved.pt"]
