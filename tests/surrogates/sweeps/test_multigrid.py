"""Cycles of a matrix's own with interpolation from another: rates that hold whatever the coefficients are."""

from itertools import islice

import numpy as np
import pytest
import torch

from pinnml.problem import LogNormalField, TwoValuedField
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.sweeps import Congruence, Corrector, Hierarchy, conjugate_gradients, near_null_fields
from tests.helpers.random_families import darcy, elastic
from tests.helpers.random_problems import square

FIELDS = {
    "two": TwoValuedField(0.3, low=1, high=4),
    "sixteen": TwoValuedField(0.15, low=1, high=16),
    "log": LogNormalField(0.3, 0.5),
    "wide": LogNormalField(0.15, 1.5),
}


def matrices(problem, number: int = 0):
    """The middle's matrix of free numbers, a draw's, and what the middle's is made with."""
    family = Family.of(problem)
    held, zero = family.constraint(family.middle), torch.zeros(family.size, dtype=torch.float64)
    draw = {name: each[0] for name, each in Draws(problem, family.mesh, seed=1)([number]).items()}
    pattern = family.form.pattern
    reduction = Congruence.of(pattern.starts.numpy(), pattern.columns.numpy(), held.free, held.free)
    found = [reduction(family.matrix(zero, each).data) for each in (family.middle, draw)]
    return (*found, held.free.T @ near_null_fields(family))


@pytest.mark.parametrize("make", [darcy, elastic])
@pytest.mark.parametrize("name", FIELDS)
def test_errors_of_all_kinds_fall_fast(make, name):
    middle, own, near_null = matrices(make(FIELDS[name], square(40)))
    cycle = Hierarchy.of(middle, near_null, symmetric=True).cycle(own)
    x = near_null @ np.ones(near_null.shape[1])
    rough = np.random.default_rng(0).normal(size=len(x))
    for error in (x, rough, x * np.linspace(0, 1, len(x)), x + 3 * rough):
        left = error - sum(s.change for s in islice(conjugate_gradients(own, own @ error, cycle), 6))
        assert np.sqrt(left @ (own @ left)) < 1e-2 * np.sqrt(error @ (own @ error))


def test_a_cycle_is_symmetric_and_below_the_inverse():
    # I - M^-1 A of a symmetric V-cycle is positive in the energy: eigenvalues of M^-1 A are within 0 and 1
    middle, own, near_null = matrices(darcy(FIELDS["two"], square(20)))
    hierarchy = Hierarchy.of(middle, near_null, symmetric=True)
    assert len(hierarchy.levels) >= 1
    cycle = hierarchy.cycle(own)
    m = np.stack([cycle(each) for each in np.eye(own.shape[0])], axis=1)
    np.testing.assert_allclose(m, m.T, atol=1e-13 * np.abs(m).max())
    values = np.linalg.eigvals(m @ own.toarray()).real
    assert values.min() > 0.1
    assert values.max() < 1 + 1e-12


def test_the_same_every_time():
    middle, own, near_null = matrices(darcy(FIELDS["log"], square(20)))
    r = np.random.default_rng(0).normal(size=own.shape[0])
    first, second = (Hierarchy.of(middle, near_null, symmetric=True).cycle(own)(r) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_least_eigenvalue_is_not_above_the_true_one():
    for make in (darcy, elastic):
        family = Family.of(make(FIELDS["wide"], square(16)))
        corrector = Corrector.of(family)
        zero, held = np.zeros(family.size), corrector.held
        for number in range(3):
            draw = {name: each[0] for name, each in Draws(family.problem, family.mesh, seed=2)([number]).items()}
            matrix, _ = corrector.family.linearised(zero, draw)
            own = (held.free.T @ matrix @ held.free).tocsr()
            own.sort_indices()
            cycle = corrector.preconditioning.of_matrix(own)
            m = np.stack([cycle(each) for each in np.eye(own.shape[0])], axis=1)
            assert corrector.preconditioning.least <= np.linalg.eigvals(m @ own.toarray()).real.min()
