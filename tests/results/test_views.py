"""What of a solution is shown, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import pyvista

from pinnml import LSGD, Box, Equation, Features, Parameter, Problem, Solution, solve
from pinnml.results import history, panels, snapshots, views
from problems import heat, maxwell, poisson


@pytest.fixture(scope="module")
def cavity() -> Solution:
    features = Features(150, bandwidth=5)
    return solve(maxwell.problem("cavity"), features, LSGD(hidden="fixed"), points=600, verify=False)


def test_a_picture_of_waves_is_taken_when_no_field_vanishes(cavity):
    shown = panels(cavity)
    assert [panel.name for panel in shown] == ["Ez", "Hx", "Hy"]
    assert {panel.snapshot.points.shape for panel in shown} == {(121**2, 3)}
    times = {panel.snapshot.time for panel in shown}
    (time,) = times
    period = cavity.domain.bounds[2, 1]
    assert time is not None
    assert abs(np.cos(2 * np.pi * time / period)) > 0.15
    assert abs(np.sin(2 * np.pi * time / period)) > 0.15
    assert time > 0.9 * period


def test_a_decaying_field_is_shown_over_space_and_time():
    solution = solve(heat.problem(), Features(60, bandwidth=5), LSGD(hidden="fixed"), points=300, verify=False)
    (panel,) = panels(solution)
    assert tuple(panel.axis_labels[:2]) == ("x", "t")
    assert panel.snapshot.time is None


def test_a_panel_tells_where_the_other_axes_are_held():
    law = Equation(lambda u, x, nu: u - nu * x, on=("interior", "boundary"), name="law")
    box = Box(x=(0, 1), y=(0, 1), t=(0, 2), nu=Parameter(1, 4))
    solution = solve(
        Problem(domain=box, fields="u", equations=law),
        Features(20, bandwidth=1),
        LSGD(hidden="fixed"),
        points=100,
        verify=False,
    )
    (panel,) = panels(solution)
    assert panel.held == {"nu": 2.5}
    assert panel.snapshot.time is not None


def test_a_series_covers_time_from_end_to_end(cavity, monkeypatch):
    monkeypatch.setattr(views, "RESOLUTION", {2: 31})
    shots = snapshots(cavity)
    times = [shot.time for shot in shots]
    np.testing.assert_allclose(times, np.linspace(0, cavity.domain.bounds[2, 1], 21))
    for shot in (shots[0], shots[7]):
        assert set(shot.point_data) >= {"Ez", "Ez_exact", "Ez_error", "ampere_residual", "faraday_residual"}
        assert shot.points.shape == (31**2, 3)
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
    (shot,) = snapshots(solve(problem, Features(60, bandwidth=2), points=400, verify=False))
    np.testing.assert_allclose(shot.point_data["u"], 4 * shot.points[:, 0], atol=1e-6)


def test_the_history_is_drawn_by_steps():
    solution = solve(poisson.problem(), Features(40, bandwidth=5), LSGD(steps=4), points=200, verify=False)
    drawn = history(solution)
    assert drawn is not None
    assert list(drawn.steps) == [row["step"] for row in solution.history]
    assert drawn.error[-1] == solution.history[-1]["error"]


def test_no_history_is_drawn_where_no_step_was_taken(cavity):
    assert history(cavity) is not None
    assert history(replace(cavity, history=())) is None


@pytest.mark.parametrize("axes", [("x", "y", "z", "w"), ("x", "y", "z", "w", "t")])
def test_of_four_axes_of_space_the_first_three_are_shown_and_the_last_held_in_the_middle(axes, tmp_path, monkeypatch):
    monkeypatch.setattr(views, "RESOLUTION", {3: 5})
    monkeypatch.setattr(views, "INSTANTS", 3)
    low_ends = "x=0", *(["initial"] if "t" in axes else [])

    def exact(x, z, w):
        return x + z * w

    problem = Problem(
        domain=Box(**dict.fromkeys(axes, (0, 2))),
        fields=("u",),
        equations=(
            Equation(lambda u: u.d("x") - 1, name="slope"),
            Equation(lambda u, x, z, w: u - exact(x, z, w), on=low_ends, name="start"),
        ),
        exact=exact,
    )
    features = Features(80, bandwidth=2)
    solution = solve(problem, features, LSGD(hidden="fixed"), points=200, verify=False, out=tmp_path)
    times = [0.0, 1.0, 2.0] if "t" in axes else [None]
    paths = sorted((tmp_path / "fields").glob("*.vtu")) if "t" in axes else [tmp_path / "fields.vtu"]
    assert len(paths) == len(times)
    assert (tmp_path / "picture.png").stat().st_size > 0
    for path, time in zip(paths, times, strict=True):
        mesh = pyvista.read(path)
        assert mesh.n_points == 5**3
        assert mesh.n_cells == 4**3
        x, _, z = mesh.points.T
        np.testing.assert_allclose(mesh.point_data["u_exact"], x + z * 1.0, atol=1e-12)
        place = {"w": 1.0, "t": time}
        there = np.column_stack([*mesh.points.T, *(np.full(len(x), place[name]) for name in axes[3:])])
        np.testing.assert_allclose(mesh.point_data["u"], solution(there)["u"], atol=1e-12)
        there[:, 3] = 0.5
        assert not np.allclose(mesh.point_data["u"], solution(there)["u"], atol=1e-3)  # not another place on w
