"""What a second solve says of patches: the error, what is left open, and what cannot be made."""

from __future__ import annotations

import pytest
import torch

from pinnml import LSGD, Box, Equation, Patches, Problem, laplacian, solve

FIXED = LSGD(hidden="fixed")


def heat(wave: float, *, closed: bool = True) -> Problem:
    """-laplacian(u) = f; without `closed` the ends in y know slopes only, and the mean is open."""

    def exact(x, y):
        return torch.sin(wave * x + 0.3) * torch.cos(2 * y)

    def balance(u, x, y):
        return laplacian(u) + (wave**2 + 4) * exact(x, y)

    def value(u, x, y):
        return u - exact(x, y)

    def slope(u, normal, x, y):
        steep = (wave * torch.cos(wave * x + 0.3) * torch.cos(2 * y), -2 * torch.sin(wave * x + 0.3) * torch.sin(2 * y))
        return normal[0] * (u.d("x") - steep[0]) + normal[1] * (u.d("y") - steep[1])

    wall = Equation(value if closed else slope, on="boundary")
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=(Equation(balance), wall))


def exact_error(solution, wave: float) -> float:
    x = torch.rand((2000, 2), generator=torch.Generator().manual_seed(5)).double()
    exact = (torch.sin(wave * x[:, 0] + 0.3) * torch.cos(2 * x[:, 1])).numpy()
    found = solution(x.numpy())["u"]
    return float(((found - exact) ** 2).sum() / (exact**2).sum()) ** 0.5


@pytest.mark.parametrize(("wave", "count", "degree"), [(6.0, 2, 4), (6.0, 3, 6), (12.0, 3, 8), (20.0, 4, 5)])
def test_the_estimate_is_within_a_factor_of_three(wave, count, degree):
    solution = solve(heat(wave), Patches(count, degree=degree), FIXED, rule="sobol")
    assert 1 / 3 < solution.verdict.estimate["u"] / exact_error(solution, wave) < 3


def test_a_condition_that_is_missing_is_seen_from_the_factors():
    """Slopes all around leave the mean open: no solution is good, though its residual is small."""
    verdict = solve(heat(3.0, closed=False), Patches(2, degree=8), FIXED, rule="sobol").verdict
    assert verdict.null["u"] > 1e-3
    assert not verdict.good
    closed = solve(heat(3.0), Patches(2, degree=8), FIXED, rule="sobol").verdict
    assert closed.null["u"] < 1e-8
    assert closed.good, closed.complaints
