"""The fast equations of a draw against those that the form assembles."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import Equation, Problem, Weak, div, dot, grad
from pinnml.elements import Form
from pinnml.problem import GaussianField, LogNormalField, Uniform
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family
from tests.helpers.random_families import bending, carried, darcy, elastic, walled
from tests.helpers.random_problems import square

FIELD, MESH = LogNormalField(0.3, 0.7), square(8)


def exponential(field, mesh) -> Problem:
    """-div(exp(log k) grad u) = load: linear in u, and not affine in what is random."""
    return Problem(
        domain=mesh,
        fields=("u",),
        equations=(
            Equation(lambda u, k, load: -div(k.exp() * grad(u)) - load, name="balance"),
            Equation(lambda u: u, on="boundary", name="wall"),
        ),
        weak=Weak(lambda u, v, k, load: k.exp() * dot(grad(u), grad(v)) - load * v),
        random={"k": GaussianField(0.3), "load": Uniform(1, 5)},
    )


@pytest.mark.parametrize("make", [darcy, carried, elastic, walled, bending, exponential])
def test_matrix_and_residual_are_those_of_the_form(make):
    family = Family.of(make(FIELD, MESH))
    assert (family.affine is None) == (make in (bending, exponential))
    draw = {name: each[0] for name, each in Draws(family.problem, MESH, seed=1)([4]).items()}
    u = np.random.default_rng(0).normal(size=family.size)
    matrix, residual = family.linearised(u, draw)
    expected = family.residual(torch.from_numpy(u), draw).numpy()
    # sums of some ten terms
    np.testing.assert_allclose(residual, expected, atol=1e-12 * np.abs(expected).max())
    whole = family.matrix(torch.from_numpy(u), draw)
    np.testing.assert_allclose(matrix.toarray(), whole.toarray(), atol=1e-13 * np.abs(whole.data).max())
    other, _ = family.linearised(u, {**draw, "k": 1.001 * draw["k"]})
    assert np.abs(other.data - matrix.data).max() > 1e-5 * np.abs(matrix.data).max()


def test_what_does_not_hold_is_not_used(monkeypatch):
    # such as what was found of an integrand that looks at a variable which has another value by now
    problem, found = darcy(FIELD, MESH), Form.affine

    def other(form, parameters, nodal):
        matrix, load = found(form, parameters, nodal)
        return matrix, replace(load, constant=load.constant * (1 + 1e-6))

    assert Family.of(problem).affine is not None
    monkeypatch.setattr(Form, "affine", other)
    assert Family.of(problem).affine is None
