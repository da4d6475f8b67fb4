"""Data sets as objects and in files: what fits together, and what is told where it does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import Equation, Mesh
from pinnml.errors import DataSetError, NonFiniteError
from pinnml.problem import LogNormalField
from pinnml.surrogates import DataSet, generate
from pinnml.surrogates.data import Samples, Split, digest_of, mesh_arrays, mesh_of
from pinnml.surrogates.data.file import read_file, write_file
from tests.helpers.made_meshes import KIND_NAMES, facet_corners, unit_box
from tests.helpers.places import MESHES
from tests.helpers.random_problems import conduction, square


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> DataSet:
    return generate(conduction(), samples=20, out=tmp_path_factory.mktemp("data") / "made.h5", seed=5)


@pytest.mark.parametrize("path", sorted(MESHES.glob("*.msh")), ids=lambda path: path.stem)
def test_meshes_come_back_with_all_their_regions(path):
    mesh = Mesh.read(path)
    again = mesh_of(*mesh_arrays(mesh))
    assert again.to_json() == mesh.to_json()
    assert again.regions == mesh.regions
    for region in mesh.regions:
        assert again.measure(region) == mesh.measure(region)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_meshes_of_every_kind_come_back(kind):
    points, cells = unit_box(kind)
    ends = {name: facet_corners(kind, points, cells, 0, at) for name, at in (("a", 0.0), ("b/c", 1.0), ("inside", 0.5))}
    mesh = Mesh(points, cells, kind, parts={"first": [0, 1]}, faces=ends)
    assert mesh_of(*mesh_arrays(mesh)).to_json() == mesh.to_json()


def test_another_mesh_is_told_by_its_digest(made):
    made.check_mesh(square())
    with pytest.raises(DataSetError, match="another mesh") as raised:
        made.check_mesh(square(7))
    assert digest_of(square())[:12] in str(raised.value)
    assert digest_of(square(7))[:12] in str(raised.value)
    record, arrays = mesh_arrays(square())
    arrays["points"] = arrays["points"] + 1e-9
    with pytest.raises(DataSetError, match="not what it was"):
        mesh_of(record, arrays)


def test_parts_are_of_draws(made):
    assert "20 draws of k, load on 1 mesh; 16 training, 2 validation, 2 test" in repr(made)
    (training,), (test,) = made.part("training"), made.part("test")
    assert tuple(training.numbers.tolist()) == made.split.training
    assert not {*training.numbers.tolist()} & {*test.numbers.tolist()}
    row = made.samples[0].numbers.tolist().index(int(test.numbers[1]))
    torch.testing.assert_close(test.outputs[1], made.outputs[row], rtol=0, atol=0)
    torch.testing.assert_close(test.draw(1)["k"], made.inputs["k"][row], rtol=0, atol=0)


def test_scales_know_the_training_part_alone(made):
    whole = made.samples[0]
    rows = np.isin(whole.numbers.numpy(), made.split.test)
    for changes, same in ((rows, True), (~rows, False)):
        outputs = whole.outputs + 7 * torch.from_numpy(changes)[:, None]
        parts = {name: getattr(made, name) for name in ("split", "fields", "problem", "random", "degree", "seed")}
        other = DataSet.fitted(samples=(replace(whole, outputs=outputs),), **parts)
        assert (other.normaliser == made.normaliser) == same


def test_files_hold_all_of_it(made, tmp_path):
    again = DataSet.read(made.write(tmp_path / "again.h5"))
    for name in ("problem", "fields", "random", "degree", "seed", "split", "normaliser", "series", "origin", "hashes"):
        assert getattr(again, name) == getattr(made, name)
    assert again.mesh.to_json() == made.mesh.to_json()
    torch.testing.assert_close(again.outputs, made.outputs, rtol=0, atol=0)
    assert all(len(each) == 64 for each in made.hashes.values())


def changed(record, arrays):
    """What a file could hold that no writer of ours makes, by name."""
    arrays = {name: array.copy() for name, array in arrays.items()}
    split = {name: list(numbers) for name, numbers in record["split"].items()}
    nan, backwards, far = (
        arrays["samples0.outputs"].copy(),
        arrays["samples0.numbers"][::-1],
        arrays["mesh0.cells"] + 99,
    )
    nan[3, 4] = np.nan
    yield "a draw in two parts", {"split": {**split, "test": split["training"][:2]}}, {}
    yield "no split", {"split": None}, {}
    yield "no degree", {"degree": None}, {}
    yield "other fields", {"fields": {"u": 3}}, {}
    yield "other inputs", {"random": {"k": "LogNormalField"}}, {}
    yield "fields of nothing", {"fields": {"u": 0}}, {}
    yield "a series", {"series": {"carry": {"k": "u"}, "times": [1.0]}}, {}
    yield "no series", {"series": 3}, {}
    yield "no text", {"problem": 3}, {}
    yield "no scales", {"normaliser": {}}, {}
    yield "another mesh", {"meshes": [{**record["meshes"][0], "digest": "0" * 64}]}, {}
    yield "no mesh", {"meshes": [{"kind": "triangle"}]}, {}
    yield "an unknown kind of cells", {"meshes": [{**record["meshes"][0], "kind": "polygon"}]}, {}
    yield "NaN", {}, {"samples0.outputs": nan}
    yield "numbers out of order", {}, {"samples0.numbers": backwards}
    yield "cells of nothing", {}, {"mesh0.cells": far}
    yield "fewer outputs", {}, {"samples0.outputs": arrays["samples0.outputs"][:-1]}
    yield "nodes that are not there", {}, {"samples0.inputs.k": arrays["samples0.inputs.k"][:, :-1]}


def test_what_does_not_fit_together_is_refused(made, tmp_path):
    path = made.write(tmp_path / "made.h5")
    record, arrays = read_file(path)
    record.pop("arrays")
    for what, words, numbers in changed(record, arrays):
        write_file(path, {**record, **words}, {**arrays, **numbers})
        assert refused(path), what
    write_file(path, record, {name: a for name, a in arrays.items() if name != "samples0.outputs"})
    assert refused(path)


@pytest.mark.parametrize("seed", range(60))
def test_records_changed_at_random_are_refused_or_harmless(made, tmp_path, seed):
    path, random = made.write(tmp_path / "made.h5"), np.random.default_rng(seed)
    record, arrays = read_file(path)
    record.pop("arrays")
    place, key = record, random.choice(list(record))
    while isinstance(place[key], dict | list) and len(place[key]) and random.random() < 0.7:
        place = place[key]
        key = random.choice(list(place)) if isinstance(place, dict) else int(random.integers(len(place)))
    values = (None, -1, 0, 10**30, 1e300, "", "x", [], {}, [[]], {"a": 1}, True)
    place[key] = values[random.integers(len(values))]
    if seed % 3 == 0:
        name = random.choice(list(arrays))
        odd = (np.zeros(0), np.zeros((2, 2)), np.zeros((0, 3), dtype=int), arrays[name][:1], arrays[name][..., None])
        arrays[name] = odd[random.integers(len(odd))]
    write_file(path, record, arrays)
    assert refused(path) or len(DataSet.read(path)) == 20


def refused(path) -> bool:
    """Whether a file is told to be no data set."""
    try:
        DataSet.read(path)
    except DataSetError as error:
        return "not a data set" in str(error)
    return False


def test_samples_that_are_not_finite_are_named_by_their_draw(made):
    whole = made.samples[0]
    for which in ("outputs", "k"):
        values = (whole.outputs if which == "outputs" else whole.inputs["k"]).clone()
        values[4, 3], values[9, 0] = torch.nan, torch.inf
        other = {"outputs": values} if which == "outputs" else {"inputs": {**whole.inputs, "k": values}}
        with pytest.raises(NonFiniteError, match=f"draw {int(whole.numbers[4])}: ") as raised:
            replace(whole, **other)
        assert raised.value.got == "NaN or infinity in 2 draws"


def test_a_problem_is_known_by_the_equations_that_the_data_solve(made):
    made.check_problem(conduction())
    # the same name, fields and distributions, and a source that is a ten-thousandth larger
    with pytest.raises(DataSetError, match="draw 0 of the data does not solve these equations"):
        made.check_problem(conduction(source=1.0001))
    warm = conduction().equations[0], Equation(lambda u: u - 0.001, on="boundary", name="wall")
    with pytest.raises(DataSetError, match="does not solve"):
        made.check_problem(replace(conduction(), equations=warm))
    with pytest.raises(DataSetError, match="differ in the random inputs"):
        made.check_problem(replace(conduction(), random={**conduction().random, "k": LogNormalField(0.3, 0.8)}))


def test_a_set_on_several_meshes_says_so(made):
    half = made.samples[0].of(range(0, 20, 2)), made.samples[0].of(range(1, 20, 2))
    both = replace(made, samples=half)
    assert len(both) == 20
    for name in ("mesh", "inputs", "outputs"):
        with pytest.raises(DataSetError, match="several meshes"):
            getattr(both, name)


def test_draws_belong_to_one_part_each(made):
    for split in (Split((0, 1), (2,), (3,)), Split((), (*range(10),), (*range(10, 20),))):
        with pytest.raises(DataSetError, match="not split"):
            replace(made, split=split)
    one: Samples = made.samples[0]
    with pytest.raises(DataSetError, match="do not fit their mesh"):
        replace(one, outputs=one.outputs.float())
