"""Training: errors fall below those of the coarse answer, the same for the same seed, with the best weights kept."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml.errors import PinnmlError
from pinnml.surrogates.losses import Loss
from pinnml.surrogates.networks import MessagePassing, Slices
from pinnml.surrogates.surrogate import Surrogate
from pinnml.surrogates.training import Batches, Epoch, Training
from tests.helpers.families import solved, trainer


def relative(surrogate: Surrogate, samples) -> float:
    """The mean relative L2 error."""
    e, u = (surrogate.predict(samples.inputs) - samples.outputs).numpy(), samples.outputs.numpy()
    mass = surrogate.family.mass
    return float(np.sqrt(((e @ mass) * e).sum(axis=1) / ((u @ mass) * u).sum(axis=1)).mean())


@pytest.mark.slow
def test_the_network_is_better_than_the_coarse_answer_that_it_corrects():
    found = trainer(MessagePassing(16, 4), modes=8, n=96, epochs=6)
    _, samples = solved(96)
    held = samples.of(range(64, 96))
    coarse = found.surrogate.coarse(held.inputs).u
    found.run()
    alone = float((coarse - held.outputs).norm() / held.outputs.norm())
    assert relative(found.surrogate, held) < 0.75 * alone


@pytest.mark.parametrize("settings", [MessagePassing(8, 3), MessagePassing(8, 2, edge_states=True), Slices(8, 2, 2, 4)])
@pytest.mark.parametrize("degree", [1, 2])
def test_errors_fall_without_a_coarse_answer(settings, degree):
    history = trainer(settings, modes=0, epochs=20, degree=degree, n=12).run()
    assert history[-1].loss < 0.5 * history[0].loss


def test_one_seed_is_one_result():
    first, again, other = (trainer(seed=seed).run() for seed in (1, 1, 2))
    assert [each.loss for each in first] == [each.loss for each in again]
    assert [each.loss for each in first] != [each.loss for each in other]


def test_the_weights_of_the_best_epoch_are_kept():
    found = trainer(epochs=1)
    found.run()
    best = found.error(found.validation)
    with torch.no_grad():
        for weight in found.surrogate.network.parameters():
            weight.add_(1.0)
    found.training = replace(found.training, epochs=2, learning_rate=1e-9)
    history = found.run()
    assert history[1].validation > history[0].validation
    assert found.error(found.validation) == pytest.approx(best, rel=1e-5)


def test_predictions_meet_conditions_exactly_and_do_not_depend_on_company():
    found = trainer()
    _, samples = solved(24)
    family, many = found.surrogate.family, found.surrogate.predict(samples.inputs)
    held = family.constraint({})
    outside = np.abs(held.free.T).sum(axis=0) == 0
    assert outside.any()
    np.testing.assert_array_equal(many.numpy()[:, outside], 0)
    one = found.surrogate.predict({name: values[5:6] for name, values in samples.inputs.items()})
    np.testing.assert_allclose(one[0], many[5], atol=1e-6 * float(many.abs().max()))  # single precision


def test_training_by_the_equations_alone():
    found = trainer(modes=0, epochs=12, n=12, loss=Loss(l2=0.0, residual=1.0))
    found.data = Batches(found.data.inputs, torch.full_like(found.data.target, math.nan), found.data.draws)
    before = found.error(found.validation)
    history = found.run()
    assert history[-1].loss < 0.5 * history[0].loss
    assert min(each.validation for each in history) < 0.9 * before


def test_the_learning_rate_rises_and_falls():
    rates = [Training().rate(part) for part in np.linspace(0, 1, 101)]
    assert rates.index(max(rates)) == 5
    assert max(rates) == 1
    assert rates[-1] == pytest.approx(1e-3)
    assert all(np.diff(rates[5:]) < 0)


def test_seconds_end_the_training():
    found = trainer(epochs=10_000, seconds=1.0)
    history = found.run()
    assert len(history) < 10_000
    assert isinstance(history[-1], Epoch)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch": 0}, {"learning_rate": 0}, {"optimiser": "sgd"}, {"loss": "l2"}, {"seconds": -1}]
)
def test_training_is_checked(wrong):
    with pytest.raises(PinnmlError):
        Training(**wrong)
