"""Sizes of fields, against integrals in closed form."""

import numpy as np
import pytest

from pinnml import Equation, Problem, dot
from pinnml.problem import LogNormalField
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.sweeps import FieldNorms
from tests.helpers.random_problems import square


@pytest.mark.parametrize("degree", [1, 2])
def test_sizes_of_fields(degree):
    family = Family.of(
        Problem(
            domain=square(8),
            fields={"p": 1, "w": 2},
            equations=(
                Equation(lambda p, w: p, name="p"),
                Equation(lambda p: p, on="boundary", name="wall p"),
                Equation(lambda w: w, on="boundary", name="wall w"),
            ),
            weak=lambda p, w, v_p, v_w, k: k * p * v_p + dot(w, v_w),
            random={"k": LogNormalField(0.3, 0.7)},
        ),
        degree=degree,
    )
    x, y = family.parts.spaces["p"].nodes.numpy().T
    norms = FieldNorms.of(family)
    # the integrals of (x + y)^2, and of x^2 + 4 y^2, over the unit square
    found = norms(np.concatenate([x + y, x, 2 * y])) ** 2
    np.testing.assert_allclose(found, [7 / 6, 5 / 3], rtol=1e-13)
