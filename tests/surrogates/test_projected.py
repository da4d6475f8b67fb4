"""Projected matrices of many draws at once against dense products, and the coarse answers made of them."""

import numpy as np
import pytest
import torch

from pinnml import dot, grad
from pinnml.problem import LogNormalField, Uniform
from pinnml.surrogates import projected
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.projected import ProjectedMatrices
from pinnml.surrogates.reduced_basis import ReducedBasis
from tests.helpers.random_families import bending, carried, darcy, elastic, scalar, walled
from tests.helpers.random_problems import square

FIELD, MESH = LogNormalField(0.3, 0.7), square(8)


def scaled(field, mesh):
    """A number in the place of the field, beside a part that nothing random is in."""
    return scalar(lambda u, v, k: (1 + k) * dot(grad(u), grad(v)) - v, mesh, k=Uniform(1, 5))


def drawn(family: Family, n: int):
    return {name: torch.from_numpy(each) for name, each in Draws(family.problem, MESH, seed=1)(range(n)).items()}


def basis_of(family: Family, m: int = 6) -> ReducedBasis:
    """On modes that no solution is in the span of."""
    return ReducedBasis(family, np.random.default_rng(0).normal(size=(family.size, m)))


@pytest.mark.parametrize("make", [darcy, carried, elastic, walled, scaled])
def test_projected_matrices_are_dense_products(make):
    family = Family.of(make(FIELD, MESH))
    modes, inputs = basis_of(family).free_modes, drawn(family, 3)
    found = ProjectedMatrices.of(family.affine[0], family.pattern, modes)
    assert found.symmetric == (make is not carried)
    for row, matrix in enumerate(found(inputs)):
        draw = {name: values[row] for name, values in inputs.items()}
        expected = modes.T @ family.matrix(torch.zeros(family.size, dtype=torch.float64), draw).toarray() @ modes
        # sums of a few hundred terms
        np.testing.assert_allclose(matrix, expected, atol=1e-13 * np.abs(expected).max())
    other = found({**inputs, "k": 1.001 * inputs["k"]})
    assert np.abs(other - found(inputs)).max() > 1e-5 * np.abs(other).max()


@pytest.mark.parametrize("make", [darcy, carried, elastic, walled, scaled, bending])
def test_answers_to_many_are_those_to_each(make):
    family = Family.of(make(FIELD, MESH))
    basis, inputs = basis_of(family), drawn(family, 35)
    many = basis(inputs)
    each = [basis({name: values[row : row + 1] for name, values in inputs.items()}) for row in range(35)]
    assert (basis.projected is None) == (make is bending)
    for name in ("u", "step"):
        found, expected = getattr(many, name), torch.cat([getattr(one, name) for one in each])
        # the projected equations of random modes are conditioned like 1e2
        np.testing.assert_allclose(found, expected, atol=1e-11 * float(expected.abs().max()))
        assert float((found - expected.roll(1, 0)).abs().max()) > 1e-4 * float(expected.abs().max())


def test_what_takes_too_much_memory_is_done_one_by_one(monkeypatch):
    family = Family.of(darcy(FIELD, MESH))
    inputs = drawn(family, 9)
    expected = basis_of(family)(inputs)
    monkeypatch.setattr(projected, "MOST", 1000)
    basis = basis_of(family)
    np.testing.assert_allclose(basis(inputs).u, expected.u, atol=1e-12)
    assert basis.projected is None
