"""Modes of problems with several parameters: one is looked for, the others keep their values."""

from __future__ import annotations

from math import pi

import pytest

from pinnml import Equation, Problem, dot, grad
from pinnml.classical import modes
from pinnml.errors import SettingsError, UnknownNameError
from tests.helpers.forms import uniform

STIFFNESS, DENSITY = 4.0, 0.5


def drum() -> Problem:
    """-stiffness laplacian(u) = k2 density u in the unit square, at rest along its rim."""

    def weak(u, v, stiffness, k2, density):
        return stiffness * dot(grad(u), grad(v)) - k2 * density * u * v

    rim = Equation(lambda u: u, on="boundary", name="rim")
    given = {"stiffness": STIFFNESS, "k2": 1.0, "density": DENSITY}
    return Problem(domain=uniform("quad", 6), fields="u", equations=(rim,), weak=weak, parameters=given)


def test_the_other_parameters_keep_their_values():
    found = modes(drum(), near=150.0, count=3, parameter="k2", degree=3)
    # cubic elements 1/6 wide have the first three to 1e-5
    expected = [STIFFNESS / DENSITY * pi**2 * sum_of_squares for sum_of_squares in (2, 5, 5)]
    assert [mode.parameters["k2"] for mode in found] == pytest.approx(expected, rel=1e-4)
    for mode in found:
        assert {**mode.parameters} == {"stiffness": STIFFNESS, "k2": mode.parameters["k2"], "density": DENSITY}
        assert mode.verdict.parameters_found == mode.parameters
        (left,) = mode.verdict.relative.values()
        assert 0 < left < 1e-10
        assert mode.verdict.good


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [(None, SettingsError, "modes"), ("k", UnknownNameError, "unknown parameter 'k'")],
)
def test_which_parameter_is_looked_for_has_to_be_said(name, kind, words: str):
    with pytest.raises(kind, match=words):
        modes(drum(), near=150.0, parameter=name)
