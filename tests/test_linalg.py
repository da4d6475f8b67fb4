"""Least squares and damped steps against dense formulas in NumPy and SciPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from pinnml import linalg
from pinnml.linalg import LeastSquares, RankRevealed, damped_steps, triangle

EPS = float(np.finfo(float).eps)


@pytest.fixture(params=["svd", "pivoted qr"])
def branch(request, monkeypatch):
    """Both ways to decide the rank, whatever the number of unknowns."""
    monkeypatch.setattr(linalg, "SVD_UNKNOWNS", 10_000 if request.param == "svd" else 0)
    return request.param


def matrix(rows: int, columns: int, *, condition: float = 10.0, rank: int | None = None, seed: int = 0) -> Tensor:
    """A random matrix with singular values from 1 down to 1 / condition, and then zeros."""
    generator = np.random.default_rng(seed)
    kept = rank or min(rows, columns)
    left, right = (np.linalg.qr(generator.standard_normal((size, kept)))[0] for size in (rows, columns))
    return torch.from_numpy(left * np.logspace(0, -np.log10(condition), kept) @ right.T)


def vector(size: int, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(size))


def norm(x: Tensor | np.ndarray) -> float:
    return float(np.linalg.norm(np.asarray(x)))


def assert_near(found: Tensor, truth: Tensor | np.ndarray, tolerance: float) -> None:
    error = norm(found.double().numpy() - np.asarray(truth)) / norm(truth)
    assert error <= tolerance, error


# The triangle


@pytest.mark.parametrize("shape", [(30, 8), (8, 8), (5, 8), (1, 8), (9, 8)])
@pytest.mark.parametrize("scaled", [True, False])
def test_the_triangle_has_the_same_normal_equations_as_the_system(shape, scaled):
    a, b = matrix(*shape), vector(shape[0])
    part = triangle(a, b, scaled=scaled)
    assert part.r.shape == (8, 8)
    assert torch.equal(part.r, part.r.triu())
    assert_near(part.r.mT @ part.r * torch.outer(part.scale, part.scale), a.mT @ a, 20 * EPS)
    assert_near((part.r.mT @ part.d) * part.scale, a.mT @ b, 20 * EPS)
    assert float(part.d @ part.d) + part.misfit**2 == pytest.approx(float(b @ b), rel=20 * EPS)
    lengths = torch.linalg.vector_norm(part.r, dim=0)
    assert torch.allclose(lengths, torch.ones(8, dtype=torch.float64), rtol=20 * EPS) == scaled


def test_the_misfit_is_the_residual_that_no_solution_reaches():
    a, b = matrix(40, 6), vector(40)
    x = np.linalg.lstsq(a.numpy(), b.numpy(), rcond=None)[0]
    assert triangle(a, b).misfit == pytest.approx(norm(b.numpy() - a.numpy() @ x), rel=1e-13)
    assert triangle(a[:6], b[:6]).misfit < 1e-13


# Rank-revealed solutions


def least_squares(a: Tensor, b: Tensor) -> LeastSquares:
    return RankRevealed(triangle(a, b)).solve()


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e7])
@pytest.mark.parametrize("shape", [(60, 12), (12, 12)])
def test_well_posed_systems_agree_with_lapack(branch, condition, shape):
    a, b = matrix(*shape, condition=condition), vector(shape[0])
    found = least_squares(a, b)
    assert found.rank == 12
    # The error of any backward stable method: eps times the condition, times it again where there is a residual.
    bound = 50 * EPS * condition * (1 if shape[0] == 12 else condition)
    assert_near(found.x, np.linalg.lstsq(a.numpy(), b.numpy(), rcond=None)[0], bound)
    assert_near(found.x, scipy.linalg.lstsq(a.numpy(), b.numpy(), lapack_driver="gelsy")[0], bound)


@pytest.mark.parametrize("shape", [(60, 12), (12, 12), (9, 12)])
def test_a_rank_deficient_system_has_the_least_residual_and_a_bounded_solution(branch, shape):
    a, b = matrix(*shape, rank=7), vector(shape[0])
    found, best = least_squares(a, b), np.linalg.lstsq(a.numpy(), b.numpy(), rcond=1e-10)[0]
    assert found.rank == 7
    assert norm(a @ found.x - b) == pytest.approx(norm(a.numpy() @ best - b.numpy()), rel=1e-12, abs=1e-13)
    assert norm(found.x) < 20 * norm(best)
    wrong = found.x + 1e-3 * a.mT @ (a @ found.x + b)  # a nearby point that is not a minimum
    assert norm(a @ wrong - b) > norm(a @ found.x - b) * (1 + 1e-9)


def test_the_svd_gives_the_shortest_solution_in_scaled_unknowns():
    a, b = matrix(30, 12, rank=7), vector(30)
    scale = torch.linalg.vector_norm(a, dim=0)
    shortest = scipy.linalg.pinv((a / scale).numpy(), rtol=1e-10) @ b.numpy()
    assert_near(least_squares(a, b).x * scale, shortest, 1e-12)


def test_badly_scaled_columns_cost_no_digits(branch):
    a, b = matrix(60, 12, condition=50), vector(60)
    powers = torch.from_numpy(np.logspace(-14, 12, 12)[np.random.default_rng(3).permutation(12)])
    found, plain = least_squares(a * powers, b), least_squares(a, b)
    assert found.rank == 12
    assert_near(found.x * powers, np.linalg.lstsq(a.numpy(), b.numpy(), rcond=None)[0], 1e-11)
    assert found.condition == pytest.approx(plain.condition, rel=1e-9)
    unscaled = RankRevealed(triangle(a * powers, b, scaled=False)).solve()  # what the scaling is for
    assert unscaled.rank < 12


def test_a_graded_spectrum_is_cut_where_it_is_told(branch):
    a, b = matrix(80, 20, condition=1e18), vector(80)
    revealed = RankRevealed(triangle(a, b))
    ranks = [revealed.solve(cutoff).rank for cutoff in (1e-3, 1e-6, 1e-9, 1e-12)]
    residuals = [norm(a @ revealed.solve(cutoff).x - b) for cutoff in (1e-3, 1e-6, 1e-9, 1e-12)]
    assert ranks == sorted(ranks)
    assert ranks[0] < ranks[-1] < 20
    assert all(after <= before * (1 + 1e-9) for before, after in pairwise(residuals))
    for cutoff in (1e-3, 1e-9):
        assert revealed.solve(cutoff).condition <= 1 / cutoff


def test_nothing_to_solve_gives_zeros(branch):
    found = least_squares(torch.zeros((5, 3), dtype=torch.float64), vector(5))
    assert (found.rank, found.condition) == (0, float("inf"))
    assert not found.x.any()


def test_a_column_of_zeros_gets_a_zero(branch):
    a = matrix(20, 5)
    a[:, 2] = 0
    found = least_squares(a, vector(20))
    assert found.rank == 4
    assert abs(float(found.x[2])) < 1e-14
    others = [0, 1, 3, 4]
    assert_near(found.x[others], np.linalg.lstsq(a[:, others].numpy(), vector(20).numpy(), rcond=None)[0], 1e-13)


def test_single_precision_is_kept_and_its_own_round_off_decides_the_rank(branch):
    a, b = matrix(60, 12).float(), vector(60).float()
    found = least_squares(a, b)
    assert found.x.dtype == torch.float32
    assert_near(found.x, np.linalg.lstsq(a.double().numpy(), b.double().numpy(), rcond=None)[0], 1e-4)
    close = matrix(60, 12, condition=1e10)
    assert least_squares(close.float(), b).rank < least_squares(close, b.double()).rank == 12


def test_the_arguments_are_left_as_they_were(branch):
    a, b = matrix(20, 5), vector(20)
    kept = a.clone(), b.clone()
    least_squares(a, b)
    damped_steps(a, b).step(0.1)
    assert torch.equal(a, kept[0])
    assert torch.equal(b, kept[1])


# Damped steps

SHAPES = [(50, 12), (12, 12), (12, 50)]
DAMPINGS = [1e-6, 1e-4, 1e-2, 1.0, 1e3]


def dense_step(j: Tensor, r: Tensor, damping: float) -> np.ndarray:
    """-(J^T J + mu I)^-1 J^T r, by way of the stacked least-squares system."""
    unknowns = j.shape[1]
    stacked = np.vstack([j.numpy(), damping**0.5 * np.eye(unknowns)])
    return np.linalg.lstsq(stacked, np.append(-r.numpy(), np.zeros(unknowns)), rcond=None)[0]


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_factorisation_gives_the_steps_of_every_damping(shape, gram):
    j, r = matrix(*shape, condition=100), vector(shape[0])
    steps = damped_steps(j, r, gram=gram)
    for damping in DAMPINGS:
        truth = dense_step(j, r, damping)
        tolerance = 1e-9 if gram else 1e-12  # the Gram matrix squares the condition
        assert_near(steps.step(damping), truth, tolerance)
        assert steps.length(damping) == pytest.approx(norm(truth), rel=tolerance)
        model = 0.5 * (norm(r) ** 2 - norm(r.numpy() + j.numpy() @ truth) ** 2)
        assert steps.predicted(damping) == pytest.approx(model, rel=tolerance)
        assert_near(steps.answer(2 * r, damping), 2 * truth, tolerance)
        with pytest.raises(AssertionError):
            assert_near(steps.step(1.01 * damping), truth, 1e-6)


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_normal_equations_say_the_same(shape, gram):
    j, r = matrix(*shape), vector(shape[0])
    steps = damped_steps(j, r, gram=gram)
    for damping in (1e-2, 1.0):
        hessian = j.mT @ j + damping * torch.eye(shape[1], dtype=torch.float64)
        assert_near(steps.step(damping), -torch.linalg.solve(hessian, j.mT @ r), 1e-12)


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_against_other_rows_are_those_of_a_new_factorisation(shape, gram):
    j, other = matrix(*shape), vector(shape[0], seed=5)
    steps = damped_steps(j, vector(shape[0]), gram=gram)
    assert_near(steps.answer(other, 0.1), damped_steps(j, other).step(0.1), 1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_damping_the_step_is_that_of_gauss_and_newton(shape):
    j, r = matrix(*shape), vector(shape[0])
    steps = damped_steps(j, r)
    assert_near(steps.step(0.0), -np.linalg.lstsq(j.numpy(), r.numpy(), rcond=None)[0], 1e-12)
    left = r.numpy() + j.numpy() @ steps.step(0.0).numpy()
    assert steps.predicted(0.0) == pytest.approx(0.5 * (norm(r) ** 2 - norm(left) ** 2), rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rank", [1, 5])
def test_null_directions_are_left_out(shape, rank):
    j, r = matrix(*shape, rank=rank), vector(shape[0])
    steps = damped_steps(j, r)
    assert len(steps.s) == rank
    assert_near(steps.step(0.0), -scipy.linalg.pinv(j.numpy(), rtol=1e-10) @ r.numpy(), 1e-12)
    gram = damped_steps(j, r, gram=True)
    for damping in (1e-8, 1e-4, 1.0):  # what the Gram matrix has for zeros must not make the step seem longer
        truth = dense_step(j, r, damping)
        tolerance = 1e-14 / damping + 1e-11
        assert_near(gram.step(damping), truth, tolerance)
        assert gram.length(damping) == pytest.approx(norm(truth), rel=tolerance)
        assert gram.predicted(damping) == pytest.approx(steps.predicted(damping), rel=tolerance)


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_grow_shorter_and_promise_less_as_the_damping_grows(shape, gram):
    j, r = matrix(*shape, condition=1e4), vector(shape[0])
    steps = damped_steps(j, r, gram=gram)
    dampings = np.logspace(-10, 4, 60)
    for quantity in (steps.length, steps.predicted):
        values = np.array([quantity(damping) for damping in dampings])
        assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_damping_for_a_radius_gives_a_step_of_that_length(shape, gram):
    j, r = matrix(*shape, condition=100), vector(shape[0])
    steps = damped_steps(j, r, gram=gram)
    longest = steps.length(steps.floor)
    for share in (0.9, 0.1, 1e-3, 1e-6):
        damping = steps.damping_for(share * longest)
        assert damping > steps.floor
        assert steps.length(damping) == pytest.approx(share * longest, rel=1e-9)
    assert steps.damping_for(1.1 * longest) == steps.floor


def test_only_the_gram_form_has_a_floor_under_the_damping():
    j, r = matrix(50, 12), vector(50)
    assert damped_steps(j, r).floor == 0.0
    assert damped_steps(j, r, gram=True).floor == pytest.approx(EPS, rel=1e-9)  # the largest singular value is one


def test_a_scaled_residual_needs_its_damping_scaled_by_the_square():
    j, r = matrix(50, 12), vector(50)
    assert_near(damped_steps(3 * j, 3 * r).step(9 * 0.2), damped_steps(j, r).step(0.2).numpy(), 1e-13)


def test_small_singular_values_are_kept_by_the_svd_and_lost_by_the_gram_matrix():
    j, r = matrix(50, 12, condition=1e11), vector(50)
    truth = dense_step(j, r, 1e-22)
    assert_near(damped_steps(j, r).step(1e-22), truth, 1e-3)
    with pytest.raises(AssertionError):
        assert_near(damped_steps(j, r, gram=True).step(1e-22), truth, 0.1)


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_single_precision_steps_stay_in_single_precision(shape, gram):
    j, r = matrix(*shape).float(), vector(shape[0]).float()
    steps = damped_steps(j, r, gram=gram)
    assert steps.step(0.1).dtype == torch.float32
    assert_near(steps.step(0.1), dense_step(j.double(), r.double(), 0.1), 1e-5)
    if gram:
        assert steps.floor == pytest.approx(torch.finfo(torch.float32).eps, rel=1e-3)
