"""Sources and coefficients between the collocation points do not go by unseen."""

from __future__ import annotations

from math import pi

import pytest
import torch

from pinnml import LSGD, Box, Equation, Features, Problem, laplacian, solve


def peaked(width: float) -> Problem:
    def balance(u, x, y):
        peak = torch.exp(-((x - 0.371) ** 2 + (y - 0.642) ** 2) / (2 * width**2)) / width**2
        return -laplacian(u) - peak - 2 * pi**2 * torch.sin(pi * x) * torch.sin(pi * y)

    laws = (Equation(balance), Equation(lambda u: u, on="boundary", name="wall"))
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=laws)


@pytest.mark.parametrize("expect", [None, 1e-3])
def test_a_source_that_no_point_sees_is_named_with_its_place(expect):
    verdict = solve(peaked(3e-3), Features(80, bandwidth=5), LSGD(hidden="fixed"), points=400, expect=expect).verdict
    assert not verdict.good
    (complaint,) = verdict.unseen
    assert "'balance' has something narrow" in complaint
    place = {name: float(value) for name, value in (each.split(" = ") for each in _after_near(complaint).split(", "))}
    assert place == {"x": pytest.approx(0.371, abs=0.01), "y": pytest.approx(0.642, abs=0.01)}


def test_a_source_that_the_points_see_is_none():
    verdict = solve(peaked(0.3), Features(80, bandwidth=5), LSGD(hidden="fixed"), points=400).verdict
    assert verdict.unseen == ()


def test_a_coefficient_that_no_point_sees_is_named():
    def balance(u, x):
        return -u.d("xx") + 1e6 * torch.exp(-(((x - 0.3217) / 1e-4) ** 2)) * u - 1

    laws = (Equation(balance), Equation(lambda u: u, on="boundary", name="ends"))
    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), equations=laws)
    verdict = solve(problem, Features(40, bandwidth=5), LSGD(hidden="fixed"), points=100).verdict
    assert not verdict.good
    assert "near x = 0.32" in verdict.unseen[0]


def _after_near(sentence: str) -> str:
    return sentence.partition("near ")[2].partition(", that")[0]
