"""The quadrature of the unit cube: exactness, convergence, and weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pinnml.domains.rules import RULES, unit_points
from pinnml.errors import DomainError, UnknownNameError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points_of(rule: str, n: int, d: int, periodic: tuple[bool, ...] | None = None, seed: int = 0):
    return unit_points(rule, n, d, seeded(seed), periodic or (False,) * d)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_points_lie_in_the_cube_and_weights_sum_to_one(rule, d):
    for n in (1, 2, 7, 64, 243):
        x, weight = points_of(rule, n, d, (True, False, True, False, False)[:d])
        assert x.shape == (len(weight), d)
        assert x.dtype == weight.dtype == torch.float64
        assert float(x.min()) >= 0
        assert float(x.max()) <= 1
        assert float(weight.sum()) == pytest.approx(1, abs=1e-14)
        assert float(weight.min()) > 0


@pytest.mark.parametrize("rule", ["random", "sobol", "chebyshev"])
def test_scattered_rules_give_as_many_points_as_were_asked_for(rule):
    for n in (1, 10, 33):
        assert len(points_of(rule, n, 3)[0]) == n


@pytest.mark.parametrize("rule", ["grid", "gauss"])
def test_tensor_rules_give_the_nearest_power(rule):
    counts = [len(points_of(rule, n, d)[0]) for n, d in ((10, 2), (27, 3), (5, 1), (1, 3), (100, 2))]
    assert counts == [9, 27, 5, 1, 100]


@pytest.mark.parametrize("per_axis", [1, 2, 5, 12])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_gauss_points_integrate_polynomials_of_twice_their_number_less_one_exactly(per_axis, d):
    x, weight = points_of("gauss", per_axis**d, d)
    degrees = (2 * per_axis - 1, per_axis, 2 * per_axis - 2)[:d]
    found = float((weight * torch.prod(x ** torch.tensor(degrees), dim=1)).sum())
    assert found == pytest.approx(math.prod(1 / (p + 1) for p in degrees), rel=1e-13)
    beyond = float((weight * x[:, 0] ** (2 * per_axis)).sum())  # one degree more is not exact
    known_error = math.factorial(per_axis) ** 4 / ((2 * per_axis + 1) * math.factorial(2 * per_axis) ** 2)
    assert 1 / (2 * per_axis + 1) - beyond == pytest.approx(known_error, rel=1e-3, abs=1e-15)


@pytest.mark.parametrize("per_axis", [3, 8])
def test_equal_steps_integrate_trigonometric_polynomials_on_periodic_axes_exactly(per_axis):
    x, weight = points_of("gauss", per_axis**2, 2, (True, False))
    angle, y = 2 * math.pi * x[:, 0], x[:, 1]
    for k in range(1, per_axis):
        for wave in (torch.cos(k * angle), torch.sin(k * angle)):
            assert abs(float((weight * wave * y).sum())) < 1e-14
    total = float((weight * (1 + torch.sin(angle) ** 2) * y ** (2 * per_axis - 1)).sum())
    assert total == pytest.approx(1.5 / (2 * per_axis), rel=1e-13)
    aliased = float((weight * torch.cos(per_axis * angle)).sum())  # the first wave that the points cannot tell from one
    assert aliased == pytest.approx(1, rel=1e-13)


def test_grid_points_are_the_centres_of_equal_cubes():
    x, weight = points_of("grid", 9, 2)
    assert np.allclose(np.unique(x.numpy()), [1 / 6, 1 / 2, 5 / 6], rtol=1e-15)
    assert torch.equal(weight, torch.full((9,), 1 / 9, dtype=torch.float64))


def error(rule: str, n: int, seed: int) -> float:
    """The error of the integral of a smooth function of three variables, (e - 1) sin(1) / 2."""
    x, weight = points_of(rule, n, 3, seed=seed)
    f = torch.exp(x[:, 0]) * torch.cos(x[:, 1]) * x[:, 2]
    return float((weight * f).sum()) - (math.e - 1) * math.sin(1) / 2


def spread(rule: str, n: int) -> float:
    return float(np.sqrt(np.mean([error(rule, n, seed) ** 2 for seed in range(16)])))


@pytest.mark.parametrize(
    ("rule", "least", "most"), [("random", 0.3, 0.7), ("sobol", 0.9, 2.0), ("chebyshev", 0.75, 2.0)]
)
def test_scattered_rules_converge_at_their_rates(rule, least, most):
    """Independent points: 1/2. Sobol points: nearly 1 at least, 3/2 where scrambled and the function smooth."""
    order = math.log(spread(rule, 64) / spread(rule, 4096)) / math.log(64)
    assert least < order < most


def test_sobol_points_are_better_than_random_ones():
    assert spread("sobol", 1024) < 0.05 * spread("random", 1024)


def test_chebyshev_points_gather_at_the_faces_and_their_weights_make_up_for_it():
    x, weight = points_of("chebyshev", 4096, 2, (False, True))
    near = (x < 0.05) | (x > 0.95)
    share = 2 * math.acos(0.9) / math.pi  # of the arc sine distribution within 0.05 of either end
    assert float(near[:, 0].double().mean()) == pytest.approx(share, rel=0.02)
    assert float(near[:, 1].double().mean()) == pytest.approx(0.1, rel=0.02)
    for p in range(6):
        assert float((weight * x[:, 0] ** p).sum()) == pytest.approx(1 / (p + 1), rel=1e-3)
        unweighted = float((x[:, 0] ** p).mean())
        assert p < 2 or abs(unweighted - 1 / (p + 1)) > 1e-2


@pytest.mark.parametrize("rule", RULES)
def test_the_same_seed_gives_the_same_points_and_another_seed_others(rule):
    a, b, c = (points_of(rule, 20, 2, seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert torch.equal(a, c) == (rule in ("grid", "gauss"))


@pytest.mark.parametrize("rule", ["random", "sobol", "chebyshev"])
def test_a_generator_goes_on_to_other_points(rule):
    generator = seeded()
    first, second = (unit_points(rule, 20, 2, generator, (False, False))[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_in_no_dimension_there_is_one_point():
    x, weight = points_of("sobol", 9, 0)
    assert x.shape == (1, 0)
    assert weight.tolist() == [1.0]


@pytest.mark.parametrize("n", [0, -3])
def test_no_points_are_refused(n):
    with pytest.raises(DomainError, match="at least 1"):
        points_of("sobol", n, 2)


def test_an_unknown_rule_is_listed_with_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"chebyshev, gauss, grid, random, sobol(?s:.)*did you mean 'sobol'"):
        points_of("sobel", 8, 2)
