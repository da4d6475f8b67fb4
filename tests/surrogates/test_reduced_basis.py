"""The equations on the modes of solutions: best of their span, exact where it holds the solution."""

import numpy as np
import pytest
import torch

from pinnml.errors import SettingsError
from pinnml.surrogates.reduced_basis import ReducedBasis, out_of_fold
from tests.helpers.families import solved


def first(samples, n: int):
    return {name: values[:n] for name, values in samples.inputs.items()}, samples.outputs[:n]


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_samples_in_the_span_are_found_again(power):
    family, samples = solved(8, power)
    basis = ReducedBasis.of(family, *first(samples, 5), 5)
    np.testing.assert_allclose(basis(first(samples, 5)[0]).u, samples.outputs[:5], atol=1e-8)
    assert float((basis(samples.inputs).u - samples.outputs)[5:].abs().max()) > 1e-4


def test_modes_are_orthonormal_and_the_answer_is_best_in_the_energy_norm():
    family, samples = solved(8)
    basis = ReducedBasis.of(family, *first(samples, 5), 3)
    np.testing.assert_allclose(basis.modes.T @ family.mass @ basis.modes, np.eye(3), atol=1e-12)
    draw, u = samples.draw(7), samples.outputs[7].numpy()
    free = family.constraint(draw).free
    matrix = free.T @ family.matrix(samples.outputs[7], draw) @ free
    root = np.linalg.cholesky(matrix.toarray()).T
    best = np.linalg.lstsq(root @ (free.T @ basis.modes), root @ (free.T @ u), rcond=None)[0]
    np.testing.assert_allclose(basis(draw_alone(samples, 7)).u[0], basis.modes @ best, atol=1e-12)


def draw_alone(samples, row: int):
    return {name: values[row : row + 1] for name, values in samples.inputs.items()}


def test_the_step_is_jacobis():
    family, samples = solved(8)
    basis = ReducedBasis.of(family, *first(samples, 5), 3)
    found, draw = basis(draw_alone(samples, 6)), samples.draw(6)
    free = family.constraint(draw).free
    matrix = (free.T @ family.matrix(found.u[0], draw) @ free).toarray()
    r = free.T @ family.residual(found.u[0], draw).numpy()
    expected = -r / matrix.diagonal()
    # sums in another order: round-off of the terms that cancel, not of what is left
    np.testing.assert_allclose(free.T @ found.step[0].numpy(), expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_modes_of_the_largest_come_first():
    family, samples = solved(8)
    few, all_ = (ReducedBasis.of(family, samples.inputs, samples.outputs, m).modes for m in (2, 8))
    np.testing.assert_allclose(np.abs((few.T @ family.mass @ all_)[:, :2]), np.eye(2), atol=1e-9)
    energy = ((samples.outputs.numpy() @ family.mass @ all_) ** 2).sum(axis=0)
    assert (np.diff(energy) <= 0).all()


def test_out_of_fold_no_sample_is_answered_by_itself():
    family, samples = solved(8)
    before = out_of_fold(family, samples.inputs, samples.outputs, 3, folds=4)
    changed = samples.outputs.clone()
    changed[2] += 1.0
    after = out_of_fold(family, samples.inputs, changed, 3, folds=4)
    own_fold = torch.arange(8) % 4 == 2
    np.testing.assert_allclose(before.u[own_fold], after.u[own_fold], atol=1e-13)
    assert (before.u - after.u)[~own_fold].abs().amax(dim=1).min() > 1e-6


def test_more_modes_than_samples_are_refused():
    family, samples = solved(8)
    with pytest.raises(SettingsError, match="fewer modes"):
        ReducedBasis.of(family, samples.inputs, samples.outputs, 9)
