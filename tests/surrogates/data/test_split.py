"""Draws dealt out to training, validation and test."""

import pytest

from pinnml.errors import SettingsError
from pinnml.surrogates.data import Split


@pytest.mark.parametrize(
    ("samples", "shares", "sizes"),
    [
        (1000, (8, 1, 1), (800, 100, 100)),
        (1300, (1000, 100, 200), (1000, 100, 200)),
        (11, (0.8, 0.1, 0.1), (9, 1, 1)),
        (7, (1, 0, 1), (4, 0, 3)),
        (3, (1, 1, 1), (1, 1, 1)),
        (1, (1, 0, 0), (1, 0, 0)),
    ],
)
def test_every_draw_is_in_one_part_in_proportion(samples, shares, sizes):
    split = Split.of(samples, shares, seed=3)
    parts = (split.training, split.validation, split.test)
    assert tuple(map(len, parts)) == sizes
    assert sorted(number for part in parts for number in part) == [*range(samples)]
    assert all(list(part) == sorted(part) for part in parts)
    assert split == Split.of(samples, shares, seed=3)


def test_parts_are_dealt_out_at_random():
    found = {Split.of(1000, (8, 1, 1), seed).test for seed in range(5)}
    assert len(found) == 5
    for test in found:  # no block of draws in a row: the mean of 100 of 1000 numbers is 500 to within five deviations
        assert abs(sum(test) / 100 - 499.5) < 5 * 1000 / (12 * 100) ** 0.5


@pytest.mark.parametrize(
    ("samples", "shares", "words"),
    [
        (5, (8, 1, 1), "no sample for"),
        (100, (8, 1), "shares of a data set"),
        (100, (0, 1, 1), "shares of a data set"),
        (100, (8, -1, 1), "shares of a data set"),
        (100, (8, "1", 1), "the share of validation"),
        (100, (8, float("nan"), 1), "the share of validation"),
    ],
)
def test_refused(samples, shares, words):
    with pytest.raises(SettingsError, match=words):
        Split.of(samples, shares, seed=0)
