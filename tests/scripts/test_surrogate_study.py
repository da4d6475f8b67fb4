"""The study of predictions: what the table makes of outcomes, and the other distributions."""

from __future__ import annotations

import pytest

from scripts.surrogate_study import Outcome, figures, other, problem

ROWS = [
    Outcome(4e-3, 5e-3, "prediction", 4e-3, 2.0, 0.1, 0.2),
    Outcome(4e-3, 1.1e-2, "sweeps", 1e-3, 2.0, 0.1, 0.2),
    Outcome(4e-2, 9e-3, "prediction", 4e-2, 4.0, 0.1, 0.2),
    Outcome(4e-2, 6e-2, "solve", 1e-9, 2.0, 0.1, 0.2),
]


def test_figures_of_outcomes():
    found = figures(ROWS)
    assert found["within 3"] == "75.0%"
    assert found["false goods"] == "1"
    assert found["right, good"] == "1 of 2"
    assert found["called good"] == "50.0%"
    assert found["without solve"] == "75.0%"
    assert found["estimate"] == "0.050 of it"


@pytest.mark.parametrize("case", ["two-valued", "log-normal"])
def test_the_other_distribution_has_half_the_length_and_twice_the_amplitude(case):
    own, wide = (each.random["kappa"] for each in (problem(case), other(problem(case))))
    assert wide.length == own.length / 2
    if case == "log-normal":
        assert wide.deviation == 2 * own.deviation
    else:
        assert wide.high / wide.low == pytest.approx((own.high / own.low) ** 2)
        assert wide.high * wide.low == pytest.approx(own.high * own.low)
