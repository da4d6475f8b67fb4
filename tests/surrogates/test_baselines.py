"""Baselines against scikit-free closed forms, and settings that are chosen without looking at the test."""

import numpy as np
import pytest
import torch

from pinnml.surrogates.baselines import Baselines, kernel, relative_errors
from pinnml.surrogates.data import Normaliser, Samples
from tests.helpers.families import solved


def fitted(n: int = 40) -> tuple[Baselines, Samples]:
    family, samples = solved(n + 10)
    training, validation, test = (samples.of(range(*ends)) for ends in ((0, n - 10), (n - 10, n), (n, n + 10)))
    normaliser = Normaliser.fitted([training.inputs], [training.outputs], {"u": 1})
    return Baselines(family, normaliser, training, validation), test


def test_each_is_better_than_the_one_before():
    baselines, test = fitted()
    errors = {name: baselines.error(f(test.inputs), test.outputs) for name, (f, _) in baselines.all().items()}
    assert errors["kernel ridge"] < errors["ridge"] < errors["mean"]
    assert errors["nearest draw"] < errors["mean"]
    assert errors["POD and kernel ridge"] < 1.05 * errors["kernel ridge"]


def test_errors_are_in_the_mass_matrix():
    family, samples = solved(3)
    e = np.random.default_rng(0).normal(size=(3, family.size))
    u, mass = samples.outputs.numpy(), family.mass.toarray()
    expected = [np.sqrt((a @ mass @ a) / (b @ mass @ b)) for a, b in zip(e, u, strict=True)]
    np.testing.assert_allclose(relative_errors(family, u + e, u), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["ridge", "kernel ridge"])
def test_regression_is_that_of_its_normal_equations(name):
    baselines, test = fitted(20)
    predict, settings = baselines.all()[name]
    x, u = baselines._seen
    width = settings.get("width")
    k = kernel(x, x, width)
    weights = np.linalg.lstsq(k + settings["ridge"] * np.trace(k) / len(k) * np.eye(len(k)), u - u.mean(0), rcond=None)[
        0
    ]
    expected = u.mean(axis=0) + kernel(baselines._rows(test.inputs), x, width) @ weights
    # normal equations of condition 1e12 at most
    np.testing.assert_allclose(predict(test.inputs).numpy(), expected, atol=1e-4 * np.abs(expected).max())


def test_a_kernel_and_distances():
    x = np.array([[0.0, 1.0], [2.0, 1.0]])
    np.testing.assert_allclose(kernel(x, x, 4.0), [[1, np.exp(-1)], [np.exp(-1), 1]])
    np.testing.assert_allclose(kernel(x, x, None), x @ x.T)


def test_the_nearest_draw_of_a_draw_that_was_seen_is_itself():
    baselines, _ = fitted(20)
    predict, _ = baselines.all()["nearest draw"]
    np.testing.assert_array_equal(predict(baselines.training.inputs), baselines.training.outputs)


def test_a_problem_affine_in_its_inputs_is_learnt_by_ridge_alone():
    # the negative control: u is linear in the load where k is the same, and a network has nothing to add
    family, samples = solved(30)
    k = samples.inputs["k"][:1].expand(30, -1)
    loads = samples.inputs["load"]
    one = family.solve({"k": k[0], "load": 1.0}).u
    linear = Samples(samples.mesh, samples.numbers, {"k": k, "load": loads}, loads[:, None] * one)
    training, validation, test = (linear.of(range(*ends)) for ends in ((0, 15), (15, 20), (20, 30)))
    normaliser = Normaliser.fitted([training.inputs], [training.outputs], {"u": 1})
    baselines = Baselines(family, normaliser, training, validation)
    predict, _ = baselines.all()["ridge"]
    assert baselines.error(predict(test.inputs), test.outputs) < 1e-9
    assert baselines.error(torch.zeros_like(test.outputs), test.outputs) == pytest.approx(1)
