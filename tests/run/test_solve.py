"""solve(): one loop for all solvers, which ends with a reason and never loses the last good state."""

from __future__ import annotations

import time
from math import pi

import numpy as np
import pytest
import torch
from torch import nn

from pinnml import (
    LBFGS,
    LSGD,
    MLP,
    Adam,
    Box,
    Equation,
    Features,
    Graded,
    LevenbergMarquardt,
    Points,
    Problem,
    Wrapped,
    laplacian,
    solve,
)
from pinnml.errors import DeviceError, SettingsError, UnknownNameError
from pinnml.solvers import Solver, Status
from problems import heat, poisson
from tests.helpers.solving import SMALL, Scripted, rod, two_fields

# Nothing but a problem is needed, and every solver takes it


def test_a_problem_alone_is_solved_to_ten_digits():
    solution = solve(poisson.problem())
    assert solution.verdict.good
    assert solution.verdict.error < 1e-10
    x = np.random.default_rng(0).random((50, 2))
    np.testing.assert_allclose(solution(x)["u"], np.sin(pi * x[:, 0]) * np.sin(pi * x[:, 1]), atol=1e-9)


@pytest.mark.parametrize(
    ("solver", "error"),
    [(LSGD(), 1e-5), (LevenbergMarquardt(), 1e-6), (LBFGS(steps=30), 1e-2), (Adam(steps=700, rate=1e-2), 3e-2)],
    ids=lambda value: type(value).__name__ if isinstance(value, Solver) else "",
)
def test_every_solver_takes_the_same_problem_and_network(solver, error):
    verdict = solve(rod(), MLP(16, 1, "tanh"), solver, points=60, verify=False).verdict
    assert verdict.relative_l2["u"] < error
    assert (
        verdict.solver
        == {"LSGD": "lsgd", "LevenbergMarquardt": "lm", "LBFGS": "lbfgs", "Adam": "adam"}[type(solver).__name__]
    )


def test_the_ends_of_the_rod_are_two_points():
    solution = solve(rod(), Features(20, bandwidth=4), points=50)
    assert solution.settings["points"] == {"interior": 50, "boundary": 2}


# Repeatable


def test_one_seed_gives_one_result_and_another_gives_another():
    first, again, other = (solve(rod(), **SMALL, seed=seed) for seed in (3, 3, 4))
    x = np.linspace(0, 1, 7)[:, None]
    np.testing.assert_array_equal(first(x)["u"], again(x)["u"])
    assert (first(x)["u"] != other(x)["u"]).any()


def test_a_solve_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    solve(rod(), **SMALL, seed=9)
    assert torch.equal(torch.get_rng_state(), before)


def test_settings_are_not_changed_by_a_solve():
    module = nn.Sequential(nn.Linear(1, 8), nn.Tanh())
    before = [p.clone() for p in module.parameters()]
    solve(rod(), Wrapped(module), LevenbergMarquardt(steps=3), points=40)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


# Points and held-out points


def test_points_may_be_given_by_region_in_any_spelling():
    solution = solve(heat.problem(), Features(40, bandwidth=4), points={"interior": 200, "t=0": 30, "x = 1": 11})
    assert solution.settings["points"] == {"interior": 200, "t=min": 30, "x=min": 19, "x=max": 11}


@pytest.mark.parametrize("points", [0, -3, {"interior": 0}, {"interior": 2.5}])
def test_points_that_are_no_number_are_refused(points):
    with pytest.raises(SettingsError, match="whole number"):
        solve(rod(), points=points)


def test_points_on_an_unknown_region_are_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'boundary'"):
        solve(rod(), points={"boundry": 4})


def test_too_few_points_are_found_out_by_the_held_out_residual():
    verdict = solve(poisson.problem(), Features(120, bandwidth=8), points=60, verify=False).verdict
    assert not verdict.good
    assert any("held out" in complaint for complaint in verdict.complaints)


def test_a_second_solve_tells_what_too_few_points_cost():
    verdict = solve(poisson.problem(), Features(120, bandwidth=8), points=60).verdict
    assert verdict.estimate["u"] == pytest.approx(verdict.error, rel=0.1)


# Reasons to stop


def test_not_a_number_ends_the_solve_with_the_best_state():
    solution = solve(rod(), Features(5, bandwidth=2), Scripted(losses=(2.0, 1.0, float("nan"))), points=20)
    assert solution.verdict.status is Status.NOT_FINITE
    assert solution.verdict.steps == 2
    assert torch.isfinite(solution.network.coef).all()
    torch.testing.assert_close(solution.network.coef, torch.full_like(solution.network.coef, 2.0))


def test_divergence_ends_the_solve_with_the_best_state():
    solution = solve(rod(), Features(5, bandwidth=2), Scripted(losses=(2.0, 1.0, 1e9)), points=20)
    assert solution.verdict.status is Status.DIVERGED
    assert solution.verdict.steps == 2
    assert not solution.verdict.good


def test_a_first_step_that_explodes_is_divergence_too():
    verdict = solve(rod(), Features(5, bandwidth=2), Scripted(losses=(1e12,)), points=20).verdict
    assert (verdict.status, verdict.steps) == (Status.DIVERGED, 0)


def test_after_divergence_the_best_state_is_kept_not_the_last():
    solution = solve(rod(), Features(5, bandwidth=2), Scripted(losses=(1.0, 1e3, 1e9)), points=20)
    torch.testing.assert_close(solution.network.coef, torch.full_like(solution.network.coef, 1.0))


def test_a_step_size_that_is_far_too_long_is_called_divergence_or_not_finite():
    verdict = solve(rod(), Features(20, bandwidth=4), LevenbergMarquardt(damping=1e-8, rate=30.0), points=60).verdict
    assert verdict.status in (Status.DIVERGED, Status.NOT_FINITE)


def test_the_limits_of_steps_and_of_seconds_are_named():
    assert solve(rod(), solver=Scripted(losses=(1.0,), steps=7), **SMALL).verdict.status is Status.STEPS
    timed = solve(rod(), solver=Scripted(losses=(1.0,), steps=10**9, seconds=0.2), **SMALL).verdict
    assert timed.status is Status.SECONDS
    assert timed.seconds < 2.0


def test_a_callback_sees_progress_and_may_end_the_solve():
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.step == 3

    verdict = solve(rod(), solver=Scripted(losses=(4.0, 3.0, 2.0, 1.0)), callback=callback, **SMALL).verdict
    assert [progress.loss for progress in seen] == [4.0, 3.0, 2.0]
    assert verdict.status is Status.INTERRUPTED
    assert verdict.steps == 3


# Kinds of problems that the scripts leave out


def test_a_reference_in_numpy_measures_the_error_of_every_field():
    verdict = solve(two_fields(), **SMALL).verdict
    assert set(verdict.relative_l2) == {"u", "w"}
    assert max(verdict.relative_l2.values()) < 1e-11


def test_a_conductivity_is_found_from_measured_temperatures():
    truth, rng = 0.37, np.random.default_rng(1)
    x, t = rng.random(40), rng.random(40)
    values = np.exp(-truth * pi**2 * t) * np.sin(pi * x)

    def balance(u, kappa):
        return u.d("t") - kappa * u.d("xx")

    def start(u, x):
        return u - torch.sin(pi * x)

    def ends(u):
        return u

    def measured(u, value):
        return u - value

    problem = Problem(
        domain=Box(x=(0, 1), t=(0, 1)),
        fields=("u",),
        equations=(
            Equation(balance),
            Equation(start, on="initial"),
            Equation(ends, on="boundary"),
            Equation(measured, on="thermometers"),
        ),
        parameters={"kappa": 1.0},
        data={"thermometers": Points({"x": x, "t": t}, {"value": values})},
    )
    solution = solve(problem, MLP(20, 1, bandwidth=4), LevenbergMarquardt(steps=150), points=300)
    assert solution.parameters["kappa"] == pytest.approx(truth, rel=1e-4)
    assert solution.verdict.parameters_found == solution.parameters


def test_an_integral_condition_fixes_what_the_equations_leave_open():
    def flux(u, x):
        return u.d("x") - torch.cos(x)

    def mean(u):
        return u - 2.0

    problem = Problem(
        domain=Box(x=(0, 3)),
        fields=("u",),
        equations=(
            Equation(flux),
            Equation(mean, integral=True),
            Equation(lambda u: 0 * u, on="boundary", name="free"),
        ),
        exact=lambda x: 2.0 + torch.sin(x) - (1 - np.cos(3.0)) / 3,
    )
    solution = solve(problem, Features(40, bandwidth=4), points=200, rule="gauss")
    assert solution.verdict.error < 1e-10
    assert solution.integrate(lambda u: u) == pytest.approx(6.0, rel=1e-10)


def test_points_gather_in_a_layer_that_a_graded_axis_names():
    def balance(u):
        return -1e-3 * u.d("xx") + u.d("x") - 1

    def ends(u):
        return u

    problem = Problem(
        domain=Box(x=Graded(0, 1, at=1, width=1e-3)),
        fields=("u",),
        equations=(Equation(balance), Equation(ends, on="boundary")),
        exact=lambda x: x - torch.exp((x - 1) / 1e-3),
    )
    network = Features(60, bandwidth=4, inputs=lambda x: (x, torch.exp((x - 1) / 1e-3)))
    assert solve(problem, network, points=400, rule="gauss").verdict.error < 1e-10


# Precision and devices


def test_single_precision_reaches_its_own_limit():
    verdict = solve(rod(), MLP(16, 1, "tanh"), LevenbergMarquardt(), points=60, dtype=torch.float32).verdict
    assert verdict.dtype == "float32"
    assert verdict.error < 1e-3


def test_other_dtypes_are_refused():
    with pytest.raises(SettingsError, match="expected: torch"):
        solve(rod(), dtype=torch.float16)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_cuda_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(DeviceError, match="no CUDA device"):
        solve(rod(), device="cuda", out=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_an_unknown_device_is_refused():
    with pytest.raises(DeviceError, match="unknown device"):
        solve(rod(), device="abacus")


@pytest.mark.gpu
@pytest.mark.parametrize("solver", [LSGD(), LevenbergMarquardt(), LBFGS(steps=50), Adam(steps=50)])
def test_a_gpu_gives_what_the_cpu_gives(solver):
    errors = [solve(rod(), MLP(16, 1, "tanh"), solver, points=60, device=d).verdict.error for d in ("cpu", "cuda")]
    assert errors[1] < 10 * errors[0] + 1e-9


def test_the_time_of_the_solve_and_of_judging_it_are_told_apart():
    began = time.perf_counter()
    verdict = solve(poisson.problem(), Features(100, bandwidth=6), points=500).verdict
    elapsed = time.perf_counter() - began
    assert 0 < verdict.seconds < elapsed
    assert verdict.seconds + verdict.seconds_verify <= elapsed


def test_solving_without_an_exact_solution_reports_no_error():
    problem = rod()
    unknown = Problem(domain=problem.domain, fields=problem.fields, equations=problem.equations)
    verdict = solve(unknown, **SMALL).verdict
    assert verdict.relative_l2 == {"u": None}
    assert verdict.error is None
    assert verdict.worst < 1e-8


def test_laplacian_leaves_time_alone():
    def balance(u):
        return u.d("t") - 0.1 * laplacian(u)

    problem = heat.problem()
    other = Problem(
        domain=problem.domain, fields=("u",), equations=(Equation(balance), *problem.equations[1:]), exact=problem.exact
    )
    assert solve(other, Features(200, bandwidth=6), points=900).verdict.error < 1e-8
