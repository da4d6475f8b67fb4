"""Krylov methods step by step, against dense matrices."""

from itertools import islice

import numpy as np
import pytest
from scipy.sparse import csr_array

from pinnml.surrogates.sweeps import conjugate_gradients, conjugate_residuals, least_eigenvalue


def positive(n: int = 30, condition: float = 100.0) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))
    return (q * np.geomspace(1, condition, n)) @ q.T


def test_conjugate_gradients_tell_the_energy_of_the_error():
    a = positive()
    random = np.random.default_rng(1)
    m = positive(30, 5.0)  # any preconditioner that is symmetric and positive
    e = random.normal(size=30)
    r, x = a @ e, np.zeros(30)
    energies, fallen, left = [e @ a @ e], [], []
    for sweep in islice(conjugate_gradients(csr_array(a), r, lambda r: m @ r), 28):
        left.append((a @ (e - x)) @ m @ (a @ (e - x)))
        assert sweep.left == pytest.approx(left[-1], rel=1e-6)
        x = x + sweep.change
        energies.append((e - x) @ a @ (e - x))
        fallen.append(sweep.fallen)
    # conjugacy is lost to rounding by some digits
    np.testing.assert_allclose(fallen, -np.diff(energies), rtol=1e-6, atol=1e-10 * energies[0])
    assert energies[-1] < 1e-6 * energies[0]


def test_energies_lie_between_what_preconditioned_residuals_say():
    # eigenvalues of M^-1 A within least and 1: r . M^-1 r <= |e|_A^2 <= r . M^-1 r / least
    a = positive()
    values, vectors = np.linalg.eigh(a)
    m = vectors @ np.diag(np.random.default_rng(2).uniform(0.3, 1.0, 30) / values) @ vectors.T
    e = np.random.default_rng(1).normal(size=30)
    first = next(conjugate_gradients(csr_array(a), a @ e, lambda r: m @ r))
    assert first.left <= e @ a @ e <= first.left / 0.3


def test_the_least_eigenvalue():
    a = positive(30, 10.0)
    sweeps = list(islice(conjugate_gradients(csr_array(a), a @ np.ones(30), lambda r: r / 2), 29))
    assert least_eigenvalue(sweeps) == pytest.approx(0.5, rel=1e-3)
    few = least_eigenvalue(sweeps[:6])
    assert 0.5 < few < 1  # from above


def test_conjugate_residuals_are_least_in_every_krylov_space():
    random = np.random.default_rng(3)
    a, m, r = (
        np.eye(20) + 0.3 * random.normal(size=(20, 20)),
        np.diag(random.uniform(0.5, 2, 20)),
        random.normal(size=20),
    )
    x, basis = np.zeros(20), []
    for sweep in islice(conjugate_residuals(csr_array(a), r, lambda r: m @ r), 12):
        x = x + sweep.change
        basis.append(m @ r if not basis else m @ a @ basis[-1])
        basis[-1] = basis[-1] / np.linalg.norm(basis[-1])
        space = np.linalg.qr(np.stack(basis, axis=1))[0]
        best = space @ np.linalg.lstsq(a @ space, r, rcond=None)[0]
        np.testing.assert_allclose(np.linalg.norm(r - a @ x), np.linalg.norm(r - a @ best), rtol=1e-7)
    assert np.isnan(sweep.fallen)


def test_what_is_not_positive_ends_conjugate_gradients():
    a = csr_array(np.diag([1.0, -1.0, 2.0]))
    sweeps = list(islice(conjugate_gradients(a, np.array([1.0, 3.0, 1.0]), lambda r: r), 10))
    assert len(sweeps) < 3
    assert list(conjugate_gradients(a, np.full(3, np.nan), lambda r: r)) == []
    assert list(conjugate_residuals(a, np.full(3, np.nan), lambda r: r)) == []
    x = sum(sweep.change for sweep in islice(conjugate_residuals(a, np.array([1.0, 3.0, 1.0]), lambda r: r), 3))
    np.testing.assert_allclose(x, [1, -3, 0.5], atol=1e-12)
