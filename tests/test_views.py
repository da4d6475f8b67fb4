"""What of a solution is shown, and when."""

from __future__ import annotations

import numpy as np
import pytest

from pinnml import LSGD, Box, Equation, Features, Parameter, Problem, Solution, solve
from pinnml.views import history, panels, snapshots
from problems import heat, maxwell, poisson


@pytest.fixture(scope="module")
def cavity() -> Solution:
    return solve(maxwell.problem("cavity"), Features(150, bandwidth=5), LSGD(hidden="fixed"), points=600)


def test_a_picture_of_waves_is_taken_when_no_field_vanishes(cavity):
    shown = panels(cavity)
    assert [panel.name for panel in shown] == ["Ez", "Hx", "Hy"]
    times = {panel.snapshot.time for panel in shown}
    (time,) = times
    period = cavity.domain.bounds[2, 1]
    assert time is not None
    assert abs(np.cos(2 * np.pi * time / period)) > 0.15
    assert abs(np.sin(2 * np.pi * time / period)) > 0.15
    assert time > 0.9 * period


def test_a_decaying_field_is_shown_over_space_and_time():
    solution = solve(heat.problem(), Features(60, bandwidth=5), LSGD(hidden="fixed"), points=300)
    (panel,) = panels(solution)
    assert tuple(panel.axis_labels[:2]) == ("x", "t")
    assert panel.snapshot.time is None


def test_a_series_covers_time_from_end_to_end(cavity):
    shots = snapshots(cavity)
    times = [shot.time for shot in shots]
    np.testing.assert_allclose(times, np.linspace(0, cavity.domain.bounds[2, 1], 21))
    for shot in (shots[0], shots[7]):
        assert set(shot.point_data) >= {"Ez", "Ez_exact", "Ez_error", "ampere_residual", "faraday_residual"}
        assert shot.points.shape == (121**2, 3)
        np.testing.assert_allclose(
            shot.point_data["Ez_error"], np.abs(shot.point_data["Ez"] - shot.point_data["Ez_exact"])
        )


def test_a_parameter_axis_is_held_in_the_middle():
    def balance(u, x, k):
        return u.d("x") - k

    problem = Problem(
        domain=Box(x=(0, 1), k=Parameter(2, 6)),
        fields=("u",),
        equations=(Equation(balance), Equation(lambda u: u, on="x=0", name="start")),
        exact=lambda x, k: k * x,
    )
    (shot,) = snapshots(solve(problem, Features(60, bandwidth=2), points=400))
    np.testing.assert_allclose(shot.point_data["u"], 4 * shot.points[:, 0], atol=1e-6)


def test_the_history_is_drawn_by_steps():
    solution = solve(poisson.problem(), Features(40, bandwidth=5), LSGD(steps=4), points=200)
    drawn = history(solution)
    assert list(drawn.steps) == [row["step"] for row in solution.history]
    assert drawn.error[-1] == solution.history[-1]["error"]
