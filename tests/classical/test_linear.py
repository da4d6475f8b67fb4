"""Linear systems: multigrid beside direct factors, what neither can, and what does not fit."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, diags_array, eye_array, kron
from scipy.sparse.linalg import splu

from pinnml import Equation, Mesh, Problem, dot, grad, reference
from pinnml.classical import linear
from pinnml.classical.linear import LinearSolver, direct, multigrid
from pinnml.errors import ProblemError, SettingsError


def laplacian(n: int) -> csr_array:
    """The five-point matrix on n x n inner points."""
    line = diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    return csr_array(kron(line, eye_array(n)) + kron(eye_array(n), line))


def right_side(n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(n)


def square(n: int) -> Mesh:
    """The unit square in 2 n^2 triangles."""
    places = np.linspace(0, 1, n + 1)
    points = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)
    corner = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    right, both, up = corner + n + 1, corner + n + 2, corner + 1
    triangles = np.concatenate([np.stack([corner, right, both], 1), np.stack([corner, both, up], 1)])
    return Mesh(points, triangles, "triangle")


def poisson(wall: bool = True, wind: float = 0.0) -> Problem:
    def exact(x, y):
        return torch.sin(pi * x) * torch.sin(pi * y)

    def weak(u, v, x, y):
        source = 2 * pi**2 * exact(x, y) + wind * pi * torch.cos(pi * x) * torch.sin(pi * y)
        return dot(grad(u), grad(v)) + wind * u.d("x") * v - source * v

    def on_the_wall(u, normal):
        return u if wall else dot(grad(u), normal)

    equations = (Equation(on_the_wall, on="boundary"),)
    return Problem(domain=square(12), fields=("u",), weak=weak, equations=equations, exact=exact)


@pytest.fixture
def many(monkeypatch):
    """Every system counts as a large one."""
    monkeypatch.setattr(linear, "MANY", (0, 0))


def test_multigrid_finds_what_factors_find():
    matrix, r = laplacian(60), right_side(3600)
    solve = multigrid(matrix)
    assert solve is not None
    x = solve(r, "cg")
    assert x is not None
    assert np.linalg.norm(x - direct(matrix, 2)(r)) < 1e-10 * np.linalg.norm(x)


@pytest.mark.usefixtures("many")
def test_the_answer_is_the_same_by_multigrid(monkeypatch):
    by_cycles = reference(poisson()).verdict
    monkeypatch.setattr(linear, "MANY", (10**9, 10**9))
    assert by_cycles.error == pytest.approx(reference(poisson()).verdict.error, rel=1e-6)
    assert by_cycles.good


@pytest.mark.parametrize(
    "matrix",
    [laplacian(20) + 0.1 * diags_array([1.0], offsets=[1], shape=(400, 400)), laplacian(20) - 20 * eye_array(400)],
    ids=["lopsided", "negative"],
)
def test_what_multigrid_cannot_do_it_leaves(matrix):
    matrix, r = csr_array(matrix), right_side(400)
    assert multigrid(matrix) is None
    solver = LinearSolver(matrix, 2, 0.0)
    with pytest.raises(SettingsError, match="does not fit"):
        solver(r)
    assert np.linalg.norm(matrix @ LinearSolver(matrix, 2, 1e9)(r) - r) < 1e-9 * np.linalg.norm(r)


def indefinite(n: int, shift: float) -> csr_array:
    """A matrix of a positive diagonal and some negative eigenvalues, 73 of 10000 for (100, 0.1)."""
    return csr_array(laplacian(n) - shift * eye_array(n**2))


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("free", "method"), [(1e9, "factors"), (40e6, "minimal residuals")])
def test_a_matrix_that_is_indefinite_takes_another_method(free, method, monkeypatch):
    matrix, r, calls, work = indefinite(100, 0.1), right_side(10_000), [], linear.splu
    monkeypatch.setattr(linear, "splu", lambda *given, **named: (calls.append(1), work(*given, **named))[1])
    solver = LinearSolver(matrix, 2, free)
    with warnings.catch_warnings(record=True) as told:
        for _ in range(2):
            assert np.linalg.norm(matrix @ solver(r) - r) < 1e-9 * np.linalg.norm(r)
    assert not told
    assert len(calls) == (method == "factors")


def test_a_matrix_beyond_all_methods_is_named():
    matrix, r = indefinite(100, 0.5), right_side(10_000)  # 398 negative eigenvalues
    with pytest.raises(SettingsError, match="does not fit"):
        LinearSolver(matrix, 2, 40e6)(r)


@pytest.mark.usefixtures("many")
def test_wind_is_solved_and_a_missing_condition_is_named():
    assert reference(poisson(wind=5.0)).verdict.error < 1e-3
    with pytest.raises(ProblemError, match="not determine"):
        reference(poisson(wall=False))


def test_what_does_not_fit_is_solved_by_multigrid_or_named_with_its_size():
    matrix, r = laplacian(40), right_side(1600)
    x = LinearSolver(matrix, 2, 0.0)(r)
    assert np.linalg.norm(matrix @ x - r) < 1e-9 * np.linalg.norm(r)
    with pytest.raises(SettingsError, match="fit into memory") as raised:
        LinearSolver(csr_array(matrix + diags_array([0.5], offsets=[1], shape=matrix.shape)), 2, 1000.0)(r)
    assert "1600 unknowns" in raised.value.got
    assert "1000" not in raised.value.cure


@pytest.mark.parametrize("failure", [MemoryError(), RuntimeError("gstrf was called with invalid arguments")], ids=str)
def test_superlu_without_memory_is_named(failure, monkeypatch):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(linear, "splu", fail)
    with pytest.raises(SettingsError, match="fit into memory"):
        direct(laplacian(4), 2)


def test_factors_in_the_plane_take_no_longer_for_nodes_in_no_order():
    n = 70
    order = np.random.default_rng(0).permutation(n * n)
    matrix, r = csr_array(laplacian(n)[order][:, order]), right_side(n * n)
    options: Any = {"options": {"SymmetricMode": True}, "diag_pivot_thresh": 0.0, "permc_spec": "MMD_AT_PLUS_A"}
    # of a matrix that needs no pivots the symmetric mode is as fast as SuperLU is
    bound = 4 * least_seconds(lambda: splu(matrix.tocsc(), **options)) + 0.05
    assert least_seconds(lambda: direct(matrix, 2)) < bound < least_seconds(lambda: direct(matrix, 3), 1)
    x = direct(matrix, 2)(r)
    for other in (direct(matrix, 3)(r), splu(matrix.tocsc(), **options).solve(r)):
        np.testing.assert_allclose(other, x, atol=1e-11 * np.abs(x).max())


def least_seconds(do: Callable[[], object], times: int = 3) -> float:
    """Of several times, the least: what else runs on the machine only adds."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def test_of_a_linear_form_the_matrix_is_factorised_once(monkeypatch):
    calls, work = [], linear.splu

    def counted(*arguments, **options):
        calls.append(1)
        return work(*arguments, **options)

    monkeypatch.setattr(linear, "splu", counted)
    assert reference(poisson()).verdict.good
    assert len(calls) == 1
