"""Mended predictions are as right as was asked, and few of them take a solve."""

from collections import Counter

import numpy as np
import pytest

from pinnml.errors import SettingsError
from pinnml.problem import LogNormalField
from pinnml.solvers import Status
from pinnml.surrogates.calibration import Calibration
from pinnml.surrogates.estimate import Estimator
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.mending import PREDICTED, SOLVED, SWEPT, mended
from tests.helpers.random_families import bending, carried, darcy, elastic, glacier, walled, wrong
from tests.helpers.random_problems import square
from tests.surrogates.test_estimate import FAR, LOG, TWO, drawn

FAMILIES = {
    "two": lambda: darcy(TWO, square(30)),
    "far": lambda: darcy(FAR, square(24)),
    "bending": lambda: bending(LOG, square(24)),
    "carried": lambda: carried(LOG, square(24)),
    "carried fast": lambda: carried(LOG, square(24), speed=300.0),
    "elastic": lambda: elastic(LOG, square(16)),
    "walled": lambda: walled(LOG, square(24)),
    "glacier": lambda: glacier(LogNormalField(0.3, 0.5, mean=-1.6)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_left_is_below_the_tolerance(name):
    family = Family.of(FAMILIES[name]())
    estimator, ways = Estimator.of(family), Counter()
    norms = estimator.corrector.norms
    for number, draw in enumerate(drawn(family.problem, family.mesh, range(2))):
        u = family.solve(draw).u.numpy()
        for size in (5e-3, 3e-2, 0.1):
            for _, prediction in wrong(family, u, size, number):
                for tolerance in (1e-2, 1e-3, 1e-5):
                    found = mended(estimator, prediction, draw, tolerance)
                    error = (norms(found.fields - u) / norms(u)).max()
                    assert found.worst <= tolerance
                    assert error <= 3 * tolerance
                    assert error <= 3 * found.worst + 1e-8
                    ways[found.way] += 1
                    if found.way == PREDICTED:
                        assert found.status == Status.PREDICTED
                    else:
                        assert found.status.by_own_test
    assert ways[PREDICTED] > 5
    assert ways[SWEPT] > 20
    assert ways[SOLVED] <= 0.05 * ways.total()


def test_sweeps_of_a_mended_prediction_gain_a_factor_of_ten():
    family = Family.of(darcy(TWO, square(30)))
    estimator = Estimator.of(family)
    norms = estimator.corrector.norms
    for number, draw in enumerate(drawn(family.problem, family.mesh, range(3))):
        u = family.solve(draw).u.numpy()
        for _, prediction in wrong(family, u, 1e-2, number):
            estimate = estimator(prediction, draw)
            before = estimate.worst
            found = mended(estimator, prediction, draw, 0.1 * before)
            assert norms(found.fields - u) <= 0.1 * norms(estimate.fields - u)
            assert found.sweeps <= 3


def test_a_wrong_prediction_is_never_taken_as_it_is():
    family = Family.of(darcy(LOG, square(24)))
    estimator = Estimator.of(family)
    first, second = drawn(family.problem, family.mesh, range(2))
    found = mended(estimator, family.solve(first).u, second, 1e-2)
    assert found.way == SWEPT
    assert found.estimate.worst > 3e-2
    assert np.abs(found.fields - family.solve(second).u.numpy()).max() < 1e-2 * found.fields.max()


def test_what_is_not_finite_is_solved():
    family = Family.of(darcy(LOG, square(10)))
    estimator = Estimator.of(family)
    (draw,) = drawn(family.problem, family.mesh, [0])
    found = mended(estimator, np.full(family.size, np.nan), draw, 1e-3)
    assert (found.way, found.sweeps) == (SOLVED, 0)
    np.testing.assert_allclose(found.fields, family.solve(draw).u.numpy(), atol=1e-12)


def test_calibrated_estimates_count():
    family = Family.of(darcy(LOG, square(24)))
    estimator = Estimator.of(family)
    (draw,) = drawn(family.problem, family.mesh, [0])
    u = 1.008 * family.solve(draw).u
    assert mended(estimator, u, draw, 1e-2).way == PREDICTED
    cautious = mended(estimator, u, draw, 1e-2, Calibration(2.0, 0.95, 10))
    assert cautious.way == SWEPT
    assert mended(estimator, u, draw, 2e-2, Calibration(2.0, 0.95, 10)).worst == pytest.approx(0.016, rel=2e-2)


@pytest.mark.parametrize("tolerance", [0.0, -1e-3, float("nan")])
def test_refused(tolerance):
    family = Family.of(darcy(LOG, square(8)))
    with pytest.raises(SettingsError, match="tolerance"):
        mended(Estimator.of(family), np.zeros(family.size), {"k": 1.0}, tolerance)
