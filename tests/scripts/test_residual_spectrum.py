"""The spectrum of a residual: the mean square by wave number, and levels that begin where the last one ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pinnml import KAN, Adam, Box, Periodic
from problems import allen_cahn
from scripts import residual_spectrum
from scripts.residual_spectrum import ALONG_T, ALONG_X, levels_of, spectrum
from tests.helpers.solving import solve_once

POINTS = {"interior": 200, "initial": 40}
NETWORK = KAN(2, 1, intervals=4)


def test_a_wave_lies_at_its_number_with_its_mean_square():
    def residual(points: np.ndarray) -> dict[str, np.ndarray]:
        x, t = points.T
        return {"balance": 2.0 + 3 * t * np.cos(7 * np.pi * x + t) + np.cos(256 * np.pi * x)}

    stub: Any = SimpleNamespace(domain=Box(x=Periodic(-1, 1), t=(0, 1)), residual=residual)
    found = spectrum(stub)
    expected = np.zeros(ALONG_X // 2 + 1)
    middles = (np.arange(ALONG_T) + 0.5) / ALONG_T
    expected[[0, 7, 256]] = 4.0, 4.5 * (middles**2).mean(), 1.0
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.fixture
def few_points(monkeypatch) -> tuple[int, int]:
    """A grid of a sixteenth of the points: nothing that is told of a sum depends on how many they are."""
    counts = 128, 16
    for name, count in zip(("ALONG_X", "ALONG_T"), counts, strict=True):
        monkeypatch.setattr(residual_spectrum, name, count)
    return counts


def test_the_spectrum_adds_up_to_the_mean_square(few_points):
    many, times = few_points
    solution = solve_once(allen_cahn.problem(), NETWORK, Adam(steps=1), points=POINTS, seed=2)
    x = -1 + 2 * np.arange(many) / many
    t = (np.arange(times) + 0.5) / times
    points = np.array([(one, other) for other in t for one in x])
    (residual,) = solution.residual(points).values()
    assert spectrum(solution).sum() == pytest.approx((residual**2).mean(), rel=1e-12)


@pytest.mark.usefixtures("few_points")
def test_a_level_begins_where_the_last_one_ended():
    still = Adam(steps=1, rate=1e-15)
    first, second = levels_of(allen_cahn.problem(), NETWORK, [Adam(steps=3), still], POINTS, seed=2)
    assert (first.intervals, second.intervals) == (4, 8)
    np.testing.assert_allclose(second.spectrum, first.spectrum, rtol=0, atol=1e-10 * first.spectrum.max())
    assert second.error == pytest.approx(first.error, rel=1e-10)
