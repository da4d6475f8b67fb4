"""Slabs of time: one after the other, one solution over all, and a verdict that knows what errors have done since."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from math import pi

import numpy as np
import pytest
import torch

from pinnml import (
    LSGD,
    MLP,
    Adam,
    Box,
    Equation,
    Features,
    LevenbergMarquardt,
    Periodic,
    Problem,
    TestSpace,
    load,
    solve,
)
from pinnml.errors import CheckpointError, ProblemError, SettingsError
from pinnml.run import time_slabs
from pinnml.run.display import figures, time_left
from pinnml.solvers import Status
from tests.helpers.evolution import decay, inverse, lotka_volterra, transport, wave
from tests.run.test_display import progress

FIXED = LSGD(hidden="fixed")
#: Two slabs of a smallest problem, in a tenth of a second.
falling = partial(solve, decay(), Features(12, bandwidth=2), FIXED, points=60)
#: A wave over its period, in four slabs.
waving = partial(solve, wave(), Features(160, bandwidth=(6, 6)), FIXED, points=600, slabs=4)

# Against closed forms and SciPy


@pytest.mark.slow
def test_transport_at_speed_forty_over_a_period():
    solution = solve(transport(), Features(150, bandwidth=4), FIXED, slabs=12)
    assert solution.verdict.good
    assert solution.verdict.error < 1e-6
    assert solution.verdict.error / 5 < solution.verdict.estimate["u"] < 5 * solution.verdict.error


@pytest.mark.slow
def test_a_wave_needs_its_velocity_and_has_it():
    solution = waving()
    assert solution.verdict.good
    assert solution.verdict.error < 1e-6
    assert not solution.verdict.slabs


@pytest.mark.slow
def test_without_the_velocity_handed_on_the_wave_fails_and_is_not_good(monkeypatch):
    """A negative control: the second and later slabs would begin from anything."""
    honest = time_slabs.initial_values
    monkeypatch.setattr(
        time_slabs, "initial_values", lambda *given: {k: w for k, w in honest(*given).items() if k[1] == 0}
    )
    verdict = waving(verify=True).verdict
    assert verdict.error > 1e-2
    assert not verdict.good
    assert "u_tt asks for u_t at the first instant too" in str(verdict.complaints)
    assert "It went wrong in slab 2 of 4, 0.25 <= t <= 0.5." in verdict.complaints


@pytest.mark.slow
def test_predator_and_prey_against_scipy():
    solution = solve(lotka_volterra(), Features(30, bandwidth=3), FIXED, points=120, slabs=4)
    verdict = solution.verdict
    assert verdict.good
    assert max(verdict.relative_l2.values()) < 1e-7
    for name, error in verdict.relative_l2.items():
        assert error / 10 < verdict.estimate[name] < 10 * error


# One solution over all


def test_fields_and_the_derivatives_that_are_handed_on_agree_at_the_edges():
    solution, step = waving(verify=False), 1e-12
    x = np.linspace(0.1, 0.9, 9)
    for edge in (0.25, 0.5, 0.75):
        before = solution(np.stack([x, 0 * x + edge], axis=1), ("t", "xx", "tt"))
        after = solution(np.stack([x, 0 * x + edge + step], axis=1), ("t", "xx", "tt"))
        for name, scale in (("u", 1.0), ("u_t", 10.0), ("u_xx", 40.0), ("u_tt", 160.0)):
            # what is not handed on agrees as far as the equation holds
            assert np.abs(before[name] - after[name]).max() < 1e-5 * scale


def test_derivatives_across_edges_are_those_of_the_wave():
    solution = waving(verify=False)
    points = np.random.default_rng(0).random((200, 2))
    x, t = points.T
    found = solution(points, ("t", "x"))
    by_t = -2 * pi * np.sin(pi * x) * np.sin(2 * pi * t) - 2 * pi * np.sin(2 * pi * x) * np.sin(4 * pi * t)
    by_x = pi * np.cos(pi * x) * np.cos(2 * pi * t) + pi * np.cos(2 * pi * x) * np.cos(4 * pi * t)
    np.testing.assert_allclose(found["u_t"], by_t, atol=1e-4)
    np.testing.assert_allclose(found["u_x"], by_x, atol=1e-4)
    assert np.abs(solution.residual(points)["balance"]).max() < 1e-2
    # u^2 over space and time: a quarter and a sixteenth, as cos^2 is a half in the mean
    assert solution.integrate(lambda u: u * u) == pytest.approx(0.25 + 0.0625, rel=1e-5)


def test_one_slab_is_the_plain_solve_bit_for_bit():
    t = np.linspace(0, 2, 20)
    plain, one = falling(), falling(slabs=1)
    assert np.array_equal(plain(t)["u"], one(t)["u"])
    assert plain.verdict.estimate == one.verdict.estimate


def test_one_seed_makes_all_of_it_repeatable_and_another_makes_another():
    t = np.linspace(0, 2, 20)
    first, again, other = (falling(slabs=2, seed=seed)(t)["u"] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_every_solver_takes_slabs_and_conditions_have_names():
    solution = solve(wave(), Features(20, bandwidth=3), Adam(steps=2), points=50, slabs=2, verify=False)
    assert {"shape", "rest", "u handed on", "u_t handed on"} <= set(solution.verdict.held_out)


# What kinds of problems and networks go


@pytest.mark.parametrize("kind", [{"u": 2}, {"u": complex}], ids=["vector", "complex"])
def test_vectors_and_complex_fields_are_handed_on(kind):
    def turning(u):
        return (u[0].d("t") + 3 * u[1], u[1].d("t") - 3 * u[0]) if kind == {"u": 2} else u.d("t") - 3j * u

    def begin(u):
        return (u[0] - 1, u[1]) if kind == {"u": 2} else u - 1

    def exact(t):
        real, imaginary = torch.cos(3 * t), torch.sin(3 * t)
        return {"u": (real, imaginary)} if kind == {"u": 2} else real + 1j * imaginary

    equations = (Equation(turning), Equation(begin, on="initial"))
    problem = Problem(domain=Box(t=(0, 2)), fields=kind, equations=equations, exact=exact)
    verdict = solve(problem, Features(20, bandwidth=3), FIXED, points=80, slabs=3).verdict
    assert verdict.good
    assert verdict.error < 1e-6


def test_an_ansatz_holds_in_every_slab():
    problem = replace(
        wave(),
        ansatz=lambda u, x: 4 * x * (1 - x) * u,
        equations=tuple(e for e in wave().equations if e.name != "walls"),
    )
    solution = solve(problem, Features(160, bandwidth=(6, 6)), FIXED, points=600, slabs=4, verify=False)
    assert solution.verdict.error < 1e-5
    assert np.abs(solution(np.array([[0.0, 0.3], [1.0, 0.9]]))["u"]).max() == 0.0


def test_a_field_without_a_derivative_in_time_is_not_handed_on():
    """p follows u at every instant, so that nothing of it is needed to go on."""
    falls = Equation(lambda u, p: u.d("t") + p, name="falls")
    follows = Equation(lambda u, p: p - u, name="follows")
    begin = Equation(lambda u: u - 1, on="initial", name="begin")
    problem = Problem(domain=Box(t=(0, 2)), fields=("u", "p"), equations=(falls, follows, begin))
    verdict = solve(problem, Features(12, bandwidth=2), FIXED, points=60, slabs=2).verdict
    assert verdict.good
    assert [name for name in verdict.held_out if "handed" in name] == ["u handed on"]


@pytest.mark.slow
def test_a_trained_network_begins_each_slab_from_the_last_values():
    problem = replace(decay(), equations=(Equation(lambda u: u.d("t") + u * u, name="falls"), decay().equations[1]))
    problem = replace(problem, exact=lambda t: 1 / (1 + t))
    for network, solver in ((MLP(8, 1, "tanh"), LevenbergMarquardt()), (Features(15), LSGD())):
        solution = solve(problem, network, solver, points=60, slabs=3)
        assert solution.verdict.good
        assert solution.verdict.error < 1e-6


# The verdict


class Failing(LSGD):
    """LSGD that gives up in every slab that begins at one or later."""

    def step(self, system, theta, state):
        step = super().step(system, theta, state)
        late = system.problem.domain.bounds[-1, 0] >= 1.0
        return replace(step, theta=step.theta * torch.nan) if late else step


def test_a_slab_that_fails_ends_the_fields_and_is_named():
    solution = solve(decay(), Features(12, bandwidth=2), Failing(hidden="fixed"), points=60, slabs=4)
    verdict = solution.verdict
    assert verdict.status is Status.NOT_FINITE
    assert not verdict.good
    assert solution.domain.bounds.tolist() == [[0.0, 1.5]]
    assert "The fields end with slab 3 of 4, 1 <= t <= 1.5." in verdict.complaints


def test_a_callback_that_ends_one_slab_ends_all_and_hears_which_it_is():
    seen = []

    def callback(progress):
        seen.append((progress.notes["slab"], progress.notes["slabs"]))
        return progress.notes["slab"] == 2

    solution = solve(decay(), Features(12, bandwidth=2), FIXED, points=60, slabs=4, callback=callback)
    assert solution.verdict.status is Status.INTERRUPTED
    assert not solution.verdict.good
    assert set(seen) == {(1, 4), (2, 4)}
    assert solution.domain.bounds.tolist() == [[0.0, 1.0]]


def test_interrupting_the_check_of_a_slab_ends_the_solve(monkeypatch):
    monkeypatch.setattr("pinnml.run.judge.verify", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    solution = falling(slabs=4)
    assert solution.verdict.status is Status.INTERRUPTED
    assert solution.domain.bounds.tolist() == [[0.0, 0.5]]


def test_a_second_solve_that_fails_leaves_all_times_without_an_estimate(monkeypatch):
    monkeypatch.setattr("pinnml.run.judge.verify", lambda *_: (_ for _ in ()).throw(MemoryError("too much")))
    verdict = solve(replace(decay(), exact=None), Features(12, bandwidth=2), FIXED, points=60, slabs=3).verdict
    assert not verdict.estimate
    assert not verdict.good
    assert "too much" in str(verdict)


def test_what_is_promised_is_of_all_times():
    assert not falling(slabs=2, expect=1e-300).verdict.good
    assert falling(slabs=2, expect=1e-3).verdict.good


@pytest.mark.slow
def test_seconds_are_for_all_slabs_together():
    limited = LSGD(seconds=2.0, steps=100_000)
    solution = solve(wave(), Features(60), limited, points=300, slabs=4, verify=False)
    assert solution.verdict.seconds < 4.0  # no test needs a quiet machine


def test_progress_shows_the_slab():
    told = progress(notes={"slab": 3, "slabs": 10})
    assert figures(told).startswith("slab 3 of 10   step 10 of 100")
    assert time_left(told) is None  # of one slab it would say little


# Files


@pytest.mark.slow
def test_a_run_is_written_as_any_other_and_read_back(tmp_path):
    solution = falling(slabs=3, out=tmp_path / "run")
    assert solution.folder is not None
    back, t = load(tmp_path / "run"), np.linspace(0, 2, 21)
    assert np.array_equal(back(t, ("t",))["u_t"], solution(t, ("t",))["u_t"])
    assert back.verdict == solution.verdict
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert "slab" in rows[0]
    assert len(json.loads((tmp_path / "run" / "config.json").read_text())["slabs"]["edges"]) == 4


@pytest.mark.slow
def test_fields_over_space_are_one_series(tmp_path):
    solution = waving(verify=False, out=tmp_path / "run")
    assert (tmp_path / "run" / "fields.pvd").is_file()
    assert (tmp_path / "run" / "picture.png").is_file()
    x = np.random.default_rng(0).random((30, 2))
    assert np.array_equal(load(tmp_path / "run", wave())(x)["u"], solution(x)["u"])


def test_a_bandwidth_that_was_looked_for_is_read_back(tmp_path):
    solution = solve(decay(), Features(12), FIXED, points=60, slabs=2, verify=False)
    t = np.linspace(0, 2, 21)
    assert np.array_equal(load(solution.save(tmp_path / "a.pt"))(t)["u"], solution(t)["u"])
    own = [each["bandwidth"] for each in solution.settings["slabs"]["settled"]]
    assert own[0] == own[1]


def test_a_file_with_other_edges_is_refused(tmp_path):
    solution = falling(slabs=2, verify=False)
    settings = solution.settings | {"slabs": solution.settings["slabs"] | {"edges": [0.0, 1.0, 3.0]}}
    path = replace(solution, settings=settings).save(tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="lacks a part"):
        load(path)


# Bad input


@pytest.mark.parametrize("slabs", [0, -1, 2.5, "two", None, True])
def test_a_number_of_slabs_that_is_none_is_refused(slabs):
    with pytest.raises(SettingsError, match="slabs"):
        falling(slabs=slabs)


def test_options_without_meaning_are_refused(tmp_path):
    start = falling(verify=False)
    with pytest.raises(SettingsError, match="start with slabs"):
        solve(decay(), start=start, slabs=2)
    with pytest.raises(SettingsError, match="resume with slabs"):
        falling(slabs=2, resume=tmp_path)
    with pytest.raises(SettingsError, match="tests with slabs"):
        falling(slabs=2, tests=TestSpace(1))
    with pytest.raises(SettingsError, match="one network"):
        solve(decay(), start=falling(slabs=2, verify=False))


def test_what_does_not_go_in_slabs_is_refused_before_any_work():
    with pytest.raises(ProblemError, match="unknown parameters"):
        solve(inverse(), slabs=2)


def test_a_problem_that_no_equation_derives_by_time_is_refused():
    follows = Equation(lambda u, t: u - torch.sin(t), name="follows")
    problem = Problem(domain=Box(x=Periodic(0, 1), t=(0, 1)), fields=("u",), equations=(follows,))
    with pytest.raises(ProblemError, match="no equation has a derivative in time"):
        solve(problem, Features(10, bandwidth=2), slabs=2)


def test_an_error_in_a_function_says_in_which_slab():
    def falls(u, t):
        if bool((t.value > 1.2).any()):
            raise ValueError("too late")
        return u.d("t") + u

    problem = replace(decay(), equations=(Equation(falls), decay().equations[1]))
    with pytest.raises(ValueError, match="too late") as caught:
        solve(problem, Features(12, bandwidth=2), FIXED, points=60, slabs=4)
    assert "in slab 3 of 4" in caught.value.__notes__
