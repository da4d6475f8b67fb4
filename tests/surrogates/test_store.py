"""Surrogates and trainings in files: what comes back is what was saved, and nothing else is taken."""

import pytest
import torch

from pinnml import Mesh
from pinnml.errors import CheckpointError
from pinnml.results.checkpoint_file import read_archive, write_archive
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.keeping import keep, take_up
from pinnml.surrogates.networks import MessagePassing, Slices
from pinnml.surrogates.store import load_surrogate, save_surrogate
from tests.helpers.families import darcy, solved, trainer
from tests.helpers.places import MESHES


@pytest.mark.parametrize(("settings", "modes"), [(MessagePassing(8, 2), 4), (Slices(8, 2, 2, 4), 0)])
@pytest.mark.parametrize("degree", [1, 2])
def test_a_surrogate_comes_back_as_it_was(tmp_path, settings, modes, degree):
    found = trainer(settings, modes, n=12, epochs=2, degree=degree)
    found.run()
    path = save_surrogate(found.surrogate, tmp_path / "model.pt", {"epochs": 2})
    again = load_surrogate(path, darcy())
    _, samples = solved(12, degree=degree)
    assert again.settings == settings
    assert torch.equal(again.predict(samples.inputs), found.surrogate.predict(samples.inputs))
    assert read_archive(path)[0]["about"] == {"epochs": 2}


def test_other_problems_and_meshes_are_refused(tmp_path):
    path = save_surrogate(trainer(n=12).surrogate, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="another random inputs"):
        load_surrogate(path, darcy(two_valued=True))
    with pytest.raises(CheckpointError, match="another mesh"):
        load_surrogate(path, darcy(), Mesh.read(MESHES / "square_quads.msh"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda record, tensors: record.update(kind="solution"), "no surrogate"),
        (lambda record, tensors: record["network"].update(kind="Perceptron"), "not whole"),
        (lambda record, tensors: record["network"].update(width=9), "not whole"),
        (lambda record, tensors: record["network"].update(depth=9), "not whole"),
        (lambda record, tensors: record["features"].update(corrections=None), "not whole"),
        (lambda record, tensors: record.update(degree="two"), "not whole"),
        (lambda record, tensors: tensors.pop("network.decoder.0.weight"), "not whole"),
        (lambda record, tensors: record.pop("identity"), "not whole"),
    ],
)
def test_what_is_no_surrogate_is_refused(tmp_path, damage, words):
    path = save_surrogate(trainer(n=12).surrogate, tmp_path / "model.pt")
    record, tensors = read_archive(path)
    damage(record, tensors)
    write_archive(path, record, tensors)
    with pytest.raises(CheckpointError, match=words):
        load_surrogate(path, darcy())


@pytest.mark.parametrize("optimiser", ["adamw", "adam"])
def test_a_training_goes_on_bit_for_bit(tmp_path, optimiser):
    whole = trainer(n=12, epochs=4, optimiser=optimiser)
    expected = [(each.loss, each.validation) for each in whole.run()]
    first = trainer(n=12, epochs=4, optimiser=optimiser)
    first.round()
    first.round()
    path = keep(first, {"epochs": 4}, tmp_path / "unfinished.pt")
    again = trainer(n=12, epochs=4, optimiser=optimiser)
    take_up(again, {"epochs": 4}, path)
    assert [(each.loss, each.validation) for each in again.run()] == expected
    for one, other in zip(again.surrogate.network.parameters(), whole.surrogate.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_training_that_was_asked_for_something_else_is_not_gone_on_with(tmp_path):
    path = keep(trainer(n=12), {"epochs": 4}, tmp_path / "unfinished.pt")
    with pytest.raises(CheckpointError, match="another epochs"):
        take_up(trainer(n=12), {"epochs": 5}, path)
    with pytest.raises(CheckpointError, match="not whole"):
        take_up(trainer(MessagePassing(9, 3), n=12), {"epochs": 4}, path)
    with pytest.raises(CheckpointError, match="no unfinished training"):
        take_up(trainer(n=12), {}, save_surrogate(trainer(n=12).surrogate, tmp_path / "model.pt"))


def test_the_family_of_a_surrogate_is_that_of_its_problem(tmp_path):
    path = save_surrogate(trainer(n=12, degree=2).surrogate, tmp_path / "model.pt")
    assert isinstance(load_surrogate(path, darcy()).family, Family)
    assert load_surrogate(path, darcy()).family.degree == 2
