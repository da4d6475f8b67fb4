"""A solve gives the same digits whatever the caller has switched off, and whatever PyTorch's default type is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from pinnml import KAN, LSGD, MLP, Adam, Features, LevenbergMarquardt, Multilevel, TestSpace, load, reference, solve
from pinnml.domains.rules import sobol_points
from problems import heat, poisson_lshape
from tests.helpers.runs import numbers
from tests.helpers.solving import rod


@contextmanager
def default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


CONTEXTS: dict[str, Callable] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "float64": lambda: default(torch.float64),
    "float16": lambda: default(torch.float16),
}
SOLVES: dict[str, Callable] = {
    "lsgd": lambda: solve(rod(), Features(9), LSGD(steps=2), points=40),
    "lm": lambda: solve(heat.problem(), MLP(4, 2, "tanh"), LevenbergMarquardt(steps=2), points=40),
    "levels": lambda: solve(rod(), KAN(3, intervals=2), Multilevel(inner=Adam(), levels=2, schedule=(2, 2)), points=40),
    "tested": lambda: solve(
        poisson_lshape.problem(), Features(9, bandwidth=3), LSGD(hidden="fixed"), tests=TestSpace(degree=1), points=40
    ),
    "elements": lambda: reference(poisson_lshape.problem(), degree=1),
}


@pytest.mark.parametrize("name", SOLVES)
def test_the_digits_are_the_same_in_every_context(name):
    run = SOLVES[name]
    usual = run()
    for context in CONTEXTS.values():
        with context():
            found = run()
        assert torch.equal(numbers(found), numbers(usual))
        for what in ("relative_l2", "held_out", "estimate"):
            assert getattr(found.verdict, what) == getattr(usual.verdict, what)


def test_what_is_asked_of_a_solution_is_the_same_in_every_context(tmp_path):
    solution = SOLVES["lsgd"]()
    path, x = solution.save(tmp_path / "saved.pt"), np.linspace(0, 1, 5)[:, None]

    def asked() -> list:
        again = load(path, rod())
        values = [each.tolist() for each in again(x, "xx").values()]
        return [values, again.error(), again.integrate(lambda u: u), again.residual(x)["balance"].tolist()]

    usual = asked()
    for context in CONTEXTS.values():
        with context():
            assert asked() == usual


def test_sobol_points_are_those_of_pytorch():
    drawn = torch.quasirandom.SobolEngine(3, scramble=True, seed=5).draw(9, dtype=torch.float64)
    assert torch.equal(sobol_points(9, 3, 5), drawn)
