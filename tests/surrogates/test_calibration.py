"""Calibrated estimates hold as often as they say."""

import json

import numpy as np
import pytest

from pinnml.errors import SettingsError
from pinnml.surrogates.calibration import PLAIN, Calibration


def test_the_quotient_in_its_place():
    # ceil((19 + 1) 0.95) = 19, the largest; ceil(20 * 0.5) = 10, the tenth
    estimates, errors = np.ones(19), np.random.default_rng(0).permutation(np.arange(1.0, 20.0))
    assert Calibration.fitted(estimates, errors).factor == 19
    assert Calibration.fitted(2 * estimates, errors, 0.5) == Calibration(5.0, 0.5, 19)
    assert Calibration.fitted(estimates[:3], errors[:3]).factor == errors[:3].max()


def test_it_covers_new_pairs():
    held = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        errors, noise = random.lognormal(size=101), random.lognormal(sigma=0.5, size=101)
        calibration = Calibration.fitted(errors[:100] * noise[:100], errors[:100])
        held.append(errors[100] <= calibration(errors[100] * noise[100]))
    # 0.95 with a deviation of 0.015 over 200 trials
    assert np.mean(held) > 0.9


def test_estimates_as_they_are():
    assert PLAIN(0.03) == 0.03
    assert PLAIN.pairs == 0


def test_round_trip():
    calibration = Calibration.fitted([1.0, 2.0, 3.0], [1.1, 2.5, 2.0])
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_pairs_that_tell_nothing_are_left_out():
    found = Calibration.fitted([1.0, np.inf, np.nan, 1e-14], [1.5, 1.0, 1.0, 1e-16])
    assert found == Calibration(1.5, 0.95, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Calibration.fitted([], []), "above round-off"),
        (lambda: Calibration.fitted([1.0], [1.0, 2.0]), "as many errors"),
        (lambda: Calibration.fitted([1.0], [0.0]), "above round-off"),
        (lambda: Calibration(factor=-1.0), "factor"),
        (lambda: Calibration(quantile=1.5), "quantile"),
        (lambda: Calibration.from_json({"factor": float("nan"), "quantile": 0.9, "pairs": 3}), "factor"),
    ],
)
def test_refused(make, words):
    with pytest.raises(SettingsError, match=words):
        make()
