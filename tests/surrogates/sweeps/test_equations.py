"""The fast equations of a draw, and sizes of fields, against the forms themselves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import Equation, Problem, dot
from pinnml.elements import Form
from pinnml.problem import LogNormalField
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.sweeps import Equations, FieldNorms
from tests.helpers.random_families import bending, carried, darcy, elastic, walled
from tests.helpers.random_problems import square

FIELD, MESH = LogNormalField(0.3, 0.7), square(8)


@pytest.mark.parametrize("make", [darcy, carried, elastic, walled, bending])
def test_matrix_and_residual_are_those_of_the_form(make):
    family = Family.of(make(FIELD, MESH))
    equations = Equations.of(family)
    assert (equations.affine is None) == (make is bending)
    draw = {name: each[0] for name, each in Draws(family.problem, MESH, seed=1)([4]).items()}
    u = np.random.default_rng(0).normal(size=family.size)
    matrix, residual = equations.linearised(u, draw)
    expected = family.residual(torch.from_numpy(u), draw).numpy()
    # sums of some ten terms
    np.testing.assert_allclose(residual, expected, atol=1e-12 * np.abs(expected).max())
    whole = family.matrix(torch.from_numpy(u), draw)
    np.testing.assert_allclose(matrix.toarray(), whole.toarray(), atol=1e-13 * np.abs(whole.data).max())
    other, _ = equations.linearised(u, {**draw, "k": 1.001 * draw["k"]})
    assert np.abs(other.data - matrix.data).max() > 1e-5 * np.abs(matrix.data).max()


def test_what_does_not_hold_is_not_used(monkeypatch):
    # such as what was found of an integrand that looks at a variable which has another value by now
    family, found = Family.of(darcy(FIELD, MESH)), Form.affine

    def other(form, parameters, nodal):
        matrix, load = found(form, parameters, nodal)
        return matrix, replace(load, constant=load.constant * (1 + 1e-6))

    assert Equations.of(family).affine is not None
    monkeypatch.setattr(Form, "affine", other)
    assert Equations.of(family).affine is None


@pytest.mark.parametrize("degree", [1, 2])
def test_sizes_of_fields(degree):
    family = Family.of(
        Problem(
            domain=MESH,
            fields={"p": 1, "w": 2},
            equations=(
                Equation(lambda p, w: p, name="p"),
                Equation(lambda p: p, on="boundary", name="wall p"),
                Equation(lambda w: w, on="boundary", name="wall w"),
            ),
            weak=lambda p, w, v_p, v_w, k: k * p * v_p + dot(w, v_w),
            random={"k": FIELD},
        ),
        degree=degree,
    )
    x, y = family.parts.spaces["p"].nodes.numpy().T
    norms = FieldNorms.of(family)
    # the integrals of (x + y)^2, and of x^2 + 4 y^2, over the unit square
    found = norms(np.concatenate([x + y, x, 2 * y])) ** 2
    np.testing.assert_allclose(found, [7 / 6, 5 / 3], rtol=1e-13)
