"""The baseline that refines by least squares on samples: the same function there, another one elsewhere."""

from __future__ import annotations

import pytest
import torch

from pinnml import KAN, Adam, Box, Equation, Multilevel, Parameter, Problem
from pinnml.calculus import total_order
from pinnml.system import System
from scripts.grid_extension import GridExtension, fitted
from tests.helpers.solving import solve_once

PROBLEM = Problem(
    domain=Box(x=Parameter(0, 1), y=Parameter(0, 1)),
    fields="u",
    equations=(Equation(lambda u, x, y: u - torch.sin(5 * x) * y, name="fit"),),
    exact=lambda x, y: torch.sin(5 * x) * y,
)


def system_on(intervals: int, share: float) -> System:
    """A system on random samples of the part x < share of the square."""
    generator = torch.Generator().manual_seed(3)
    settings = KAN(3, 1, intervals=intervals, normalise="tanh", roughness=1.0)
    network = settings.build(PROBLEM.domain, 1, generator, torch.float64, torch.device("cpu"))
    sample = PROBLEM.domain.sample("interior", 400, generator)
    return System.build(PROBLEM, network, {"interior": sample[torch.nonzero(sample.x[:, 0] < share).flatten()]})


def values(system: System, theta: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    network = system.network_at(theta)
    return network(network.inputs(x, total_order(PROBLEM.domain.axes, 0))).value


@pytest.mark.parametrize(("share", "kept"), [(1.0, True), (0.4, False)])
def test_a_fit_keeps_the_function_where_there_are_samples(share, kept):
    """The fits are exact on the samples, to the condition of the splines (a thousand) times rounding."""
    coarse = system_on(4, share)
    fine, theta, _ = coarse.refine(coarse.initial())
    found = fitted(fine, theta)
    x = coarse.blocks[0].sample.x
    torch.testing.assert_close(values(fine, found, x), values(fine, theta, x), rtol=0, atol=1e-11)
    elsewhere = torch.tensor([[0.95, 0.5], [0.8, 0.3]], dtype=torch.float64)
    lost = float((values(fine, found, elsewhere) - values(fine, theta, elsewhere)).abs().max())
    assert (lost < 1e-9) == kept
    assert kept or lost > 0.01


def test_every_solver_begins_anew_from_the_function_on_the_samples():
    """So the first step on the finer level is that of exact refinement with fresh moments."""
    common = {"inner": Adam(steps=20, rate=1e-2), "levels": 2, "schedule": (20, 1)}
    network = KAN(2, 1, intervals=3, normalise="tanh")
    sampled, exact, carried = (
        solve_once(PROBLEM, network, solver, points=900, seed=1).history[-1]["loss"]
        for solver in (GridExtension(**common), Multilevel(**common, transfer=False), Multilevel(**common))
    )
    assert sampled == pytest.approx(exact, rel=1e-8)
    assert carried != pytest.approx(exact, rel=1e-3)
