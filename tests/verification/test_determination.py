"""Statements that do not determine their solution are not good; those that do in an unusual way are."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

import numpy as np
import pytest
import torch

from pinnml import LSGD, Box, Equation, Features, Points, Problem, laplacian, normal_derivative, solve

BASIS = Features(60, bandwidth=5)


def line(*laws: Equation) -> Problem:
    return Problem(domain=Box(x=(0, 1)), fields=("u",), equations=laws)


def square(*laws: Equation) -> Problem:
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=laws)


LOAD = Equation(lambda u: -u.d("xx") - 1, name="balance")
LEFT = Equation(lambda u: u, on="x=0", name="left")
RIGHT = Equation(lambda u, x: u - x, on="x=1", name="right")
BEAM = Equation(lambda u: u.d("xxxx") - 1, name="beam")
SOURCE = Equation(lambda u: -laplacian(u) - 1, name="balance")
SHUT = Equation(lambda u, normal: normal_derivative(u, normal), on="boundary", name="shut")
MEAN = Equation(lambda u: u, integral=True, name="mean")


def tilted(x, y):
    return torch.sin(3 * x + 2 * y)


SLOPES = (
    Equation(lambda u, x, y: laplacian(u - tilted(x, y)), name="poisson"),
    Equation(lambda u, x, y, normal: normal_derivative(u - tilted(x, y), normal), on="boundary", name="slopes"),
)


def wave(*conditions: Equation, length: float = 1.0) -> Problem:
    law = Equation(lambda u: u.d("tt") - u.d("xx"), name="wave")
    ends = Equation(lambda u: u, on="boundary", name="ends")
    start = Equation(lambda u, x: u - torch.sin(pi * x), on="initial", name="start")
    return Problem(domain=Box(x=(0, 1), t=(0, length)), fields=("u",), equations=(law, ends, start, *conditions))


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (line(LOAD, LEFT), "2 conditions at the ends of x: 1 found"),
        (square(*SLOPES), "constant is free"),
        (wave(), "u_t at the first instant"),
        (
            line(Equation(lambda u: u.d("xxxx") - 1, name="beam"), Equation(lambda u: u, on="boundary", name="ends")),
            "4 conditions",
        ),
        (
            line(Equation(lambda u, x: u.d("xx") + pi**2 * (u - x), name="resonance"), LEFT, RIGHT),
            "do not determine 'u'",
        ),
    ],
    ids=["an end", "a mean", "a velocity", "a beam's slopes", "resonance"],
)
@pytest.mark.parametrize("expect", [None, 1e-2])
def test_a_missing_condition_is_not_good(problem, words, expect):
    verdict = solve(problem, BASIS, LSGD(hidden="fixed"), points=400, expect=expect).verdict
    assert not verdict.good
    assert words in " ".join(verdict.complaints)


@pytest.mark.parametrize(
    "problem",
    [
        line(LOAD, LEFT, Equation(lambda u: u.d("x"), on="x=1", name="free")),
        line(LOAD, LEFT, Equation(lambda u: u.d("x") - 1, on="x=0", name="slope")),
        line(LOAD, LEFT, Equation(lambda u: u - 1, integral=True, name="mean")),
        square(*SLOPES, MEAN),
        wave(Equation(lambda u: u.d("t"), on="initial", name="rest")),
        wave(Equation(lambda u, x: u - cos(0.7 * pi) * torch.sin(pi * x), on="t=max", name="end"), length=0.7),
    ],
    ids=["a free end", "shooting", "a mean for an end", "slopes and a mean", "a wave at rest", "a wave's two instants"],
)
def test_what_is_determined_is_good_whatever_is_counted(problem):
    verdict = solve(problem, Features(150, bandwidth=6), LSGD(hidden="fixed"), points=700).verdict
    assert verdict.good, verdict.complaints


@pytest.mark.parametrize("expect", [None, 1e-2])
@pytest.mark.parametrize(
    "problem",
    [
        square(SOURCE, SHUT),
        square(SOURCE, SHUT, MEAN),
        line(LOAD, LEFT, Equation(lambda u: u - 1, on="x=0", name="again"), RIGHT),
    ],
    ids=["slopes that do not balance", "and a mean", "two values at one end"],
)
def test_contradictions_are_not_good(problem, expect):
    verdict = solve(problem, BASIS, LSGD(hidden="fixed"), points=400, expect=expect).verdict
    assert not verdict.good


def test_the_contradiction_is_named_with_its_place():
    twice = (Equation(lambda u: u, on="x=0", name="left"), Equation(lambda u: u - 1, on="x=0", name="again"))
    problem = line(LOAD, *twice, Equation(lambda u: u, on="x=1", name="right"))
    verdict = solve(problem, BASIS, LSGD(hidden="fixed"), points=400).verdict
    found = " ".join(verdict.complaints)
    assert "contradict" in found
    assert "at x = 0" in found


@pytest.mark.parametrize("guess", [{"a": 0.5, "b": 2.0}, {"a": 5.0, "b": 5.0}])
def test_parameters_of_which_only_the_difference_is_known_are_named(guess):
    verdict = solve(growth(lambda u, a, b: u.d("t") - (a - b) * u, guess), Features(40, bandwidth=4)).verdict
    assert not verdict.good
    complaint = next(each for each in verdict.complaints if "determine" in each)
    assert "a and b" in complaint
    shares = verdict.together
    assert shares["a"] == pytest.approx(shares["b"], rel=1e-6)  # along (1, 1) nothing changes


def test_parameters_that_are_known_are_good_and_right():
    verdict = solve(growth(lambda u, a: u.d("t") - a * u, {"a": 0.5}), Features(40, bandwidth=4)).verdict
    assert verdict.good, verdict.complaints
    assert verdict.parameters_found["a"] == pytest.approx(1, abs=1e-8)


def growth(law: Callable, guess: dict[str, float]) -> Problem:
    t = np.linspace(0, 1, 30)
    return Problem(
        domain=Box(t=(0, 1)),
        fields=("u",),
        parameters=guess,
        data={"measured": Points({"t": t}, {"value": np.exp(t)})},
        equations=(
            Equation(law, name="growth"),
            Equation(lambda u, value: u - value, on="measured", name="fit"),
        ),
    )


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_what_is_open_does_not_depend_on_units(scale):
    laws = (Equation(lambda u: scale * u.d("xx") - 1, name="balance"), Equation(lambda u: u, on="x=0", name="left"))
    half, whole = (
        solve(line(*laws, *more), BASIS, LSGD(hidden="fixed"), points=300).verdict
        for more in ((), (Equation(lambda u: u, on="x=1", name="right"),))
    )
    assert half.null["u"] > 1e-3
    assert whole.null["u"] < 1e-9
    assert not half.good
    assert whole.good


@pytest.mark.parametrize("seed", range(3))
def test_what_a_solve_puts_into_a_free_constant_is_no_size_of_the_field(seed):
    """A bend that the functions do not reach: a constant of 1e12 lowers the residual a little, and is put in."""

    def bent(x):
        return torch.sqrt((x - 0.4) ** 2 + 0.01)

    problem = line(
        Equation(lambda u, x: (u - bent(x)).d("xx"), name="balance"),
        Equation(lambda u, x: (u - bent(x)).d("x"), on="boundary", name="slopes"),
    )
    solution = solve(problem, Features(100, bandwidth=7), LSGD(hidden="fixed"), points=300, seed=seed)
    assert abs(float(solution([[0.5]])["u"][0])) > 1e6  # beside slopes of 1
    assert solution.verdict.undetermined == ("u",)


def three_sides(rough: float, waves: float) -> Problem:
    """Poisson's equation without a condition at y = 1; a fine part of this size."""

    def true(x, y):
        return tilted(x, y) + rough * torch.sin(waves * x) * torch.cos(waves * y + 1)

    return square(
        Equation(lambda u, x, y: laplacian(u - true(x, y)), name="balance"),
        Equation(lambda u, x, y: u - true(x, y), on=("x=min", "x=max", "y=min"), name="sides"),
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_open_is_smooth_where_what_is_left_is_fine(seed):
    """A trained layer leaves fine waves alone: fine functions fit them best, and cannot make what is open."""
    problem = three_sides(rough=1e-6, waves=100)
    verdict = solve(problem, Features(80, bandwidth=4), LSGD(steps=2), points=600, seed=seed).verdict
    assert verdict.undetermined == ("u",)


@pytest.mark.parametrize("seed", [0, 1])
def test_equations_that_hardly_determine_the_fields_are_not_good(seed):
    """Few functions: what is open is not made to rounding, but to a part of what is left."""
    verdict = solve(
        three_sides(0.0, 1.0), Features(50, bandwidth=5), LSGD(hidden="fixed"), points=300, seed=seed
    ).verdict
    assert verdict.undetermined == ()
    assert verdict.worst_estimate < 1e-2
    assert not verdict.good
    assert "hardly determine" in verdict.complaints[0]
