"""The experiments of `kan_study`: problems, networks, and the steps of every level.

At the schedules of arXiv:2603.04827, longer and shorter ones, and from other starts: of Burgers' equation the paper
tells neither the initial values nor the ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from pinnml import KAN, LBFGS, MLP, Adam, Box, Equation, MultichannelMLP, Problem
from pinnml.networks.spline_network import SplineNetwork
from pinnml.solvers import Solver
from problems import allen_cahn, burgers, interface, regression

#: A start that suits gradient solvers.
SMOOTH = {"roughness": 0.03, "reach": 3, "spread": True}


@dataclass(frozen=True)
class Experiment:
    """A problem, the network at its coarsest level, and how many steps every level gets.

    schedules: name -> steps of levels, a level with none being left out. scale turns the solver's loss into the
    figure that is reported; fast is the rate at which "falling" and "fast" begin.
    """

    problem: Callable[[], Problem]
    network: Mapping[str, Any]
    schedules: Mapping[str, tuple[int, ...]]
    solver: Solver
    points: Any
    rule: str = "grid"
    bases: tuple[str, ...] = ("spline",)
    baseline: MLP | None = None
    baseline_steps: int = 0
    scale: float = 2.0
    fast: float = 1e-2
    dtype: torch.dtype = torch.float64


def balance_of_burgers(u):
    return u.d("t") + u * u.d("x") - 0.01 * u.d("xx")


def burgers_sine() -> Problem:
    """Burgers' equation with nu = 1e-2 from -sin(pi x), the start and the ends as equations of weight one."""

    def start(u, x):
        return u + torch.sin(torch.pi * x)

    def wall(u):
        return u

    return Problem(
        domain=Box(x=(-1, 1), t=(0, 1)),
        fields=("u",),
        equations=(
            Equation(balance_of_burgers),
            Equation(start, on="initial"),
            Equation(wall, on=("x=-1", "x=1")),
        ),
        reference=lambda points: burgers.cole_hopf(points, 0.01),
    )


def burgers_wave() -> Problem:
    """The same equation from a front between 1 and 0: u = (1 - tanh((x + 1/2 - t/2) / (4 nu))) / 2 travels on."""

    def wave(x, t):
        return (1 - torch.tanh((x + 0.5 - t / 2) / 0.04)) / 2

    def match(u, x, t):
        return u - wave(x, t)

    return Problem(
        domain=Box(x=(-1, 1), t=(0, 1)),
        fields=("u",),
        equations=(Equation(balance_of_burgers), Equation(match, on=("initial", "x=-1", "x=1"))),
        exact=wave,
    )


def longer(experiment: Experiment, factor: float) -> Experiment:
    """The same with so many times the steps on every level, in the basis of splines alone."""
    schedules = {name: tuple(int(factor * steps) for steps in each) for name, each in experiment.schedules.items()}
    return replace(experiment, schedules=schedules, bases=("spline",), baseline=None)


REGRESSION = Experiment(
    regression.problem,
    {"width": 5, "depth": 1, "order": 4, "intervals": 5, "first": "linear", "normalise": "range"},
    {
        "coarse": (128, 0, 0, 0),
        "fine": (0, 0, 0, 16),
        "multilevel": (32, 16, 8, 4),
        "stalling": (32, 16, 8, 4),
        "reset": (32, 16, 8, 4),
        "sampled": (32, 16, 8, 4),
    },
    LBFGS(inner=1, steps=10**6, patience=10**6),
    None,
    bases=("spline", "relu"),
    baseline=MLP(20, 2, "tanh"),
    baseline_steps=128,
)
KAN_OF_BURGERS = {"width": 20, "depth": 2, "order": 4, "intervals": 5, "first": "linear", "normalise": "tanh"}
BURGERS = Experiment(
    burgers_sine,
    {**KAN_OF_BURGERS, **SMOOTH},
    {
        "coarse": (3200, 0, 0),
        "fine": (0, 0, 800),
        "multilevel": (800, 400, 200),
        "falling": (800, 400, 200),
        "fast": (3200, 0, 0),
    },
    Adam(steps=10**6, rate=1e-3, patience=10**6),
    {"interior": 4096, "initial": 64, "x=-1": 64, "x=1": 64},
    baseline=MLP(56, 2, "tanh"),
    baseline_steps=3200,
    dtype=torch.float32,
)
WAVE = replace(
    BURGERS,
    problem=burgers_wave,
    network={**KAN_OF_BURGERS, "spread": True},
    schedules={
        "coarse": (3200, 0, 0),
        "fine": (0, 0, 800),
        "multilevel": (800, 400, 200),
        "equal": (800, 400, 400),
        "sampled": (800, 400, 400),
    },
    # the published cycles of twice the published rate
    solver=Adam(steps=10**6, rate=2e-3, cycle=100, decay=0.9995**1000, patience=10**6),
)
ALLEN_CAHN = Experiment(
    allen_cahn.problem,
    {"width": 5, "depth": 2, "order": 4, "intervals": 4, "normalise": "sigmoid"},
    {"coarse": (37500, 0, 0, 0), "fine": (0, 0, 0, 4687), "multilevel": (2500,) * 4, "falling": (2500,) * 4},
    Adam(steps=10**6, rate=1e-2, ramp=10, patience=10**6),
    {"interior": 20000, "initial": 501},
    rule="random",
    bases=("spline", "relu"),
)
EXPERIMENTS: dict[str, Experiment] = {
    "regression": REGRESSION,
    **{f"regression-{n}": longer(REGRESSION, n) for n in (2, 4, 8)},
    "burgers": BURGERS,
    "burgers-wave": WAVE,
    "burgers-wave-smooth": replace(WAVE, network={**WAVE.network, **SMOOTH}),
    "interface": Experiment(
        interface.problem,
        {"width": 5, "depth": 1, "order": 4, "intervals": 4, "inputs": interface.stretched},
        {
            "coarse": (18750, 0, 0, 0),
            "fine": (0, 0, 0, 2344),
            "multilevel": (1250, 1250, 1250, 1250),
            "falling": (1250, 1250, 1250, 1250),
        },
        Adam(steps=10**6, rate=1e-2, ramp=10, patience=10**6),
        {"interior": 2401, "boundary": 200},
        bases=("spline", "relu"),
        baseline=MLP(16, 2, "tanh", inputs=interface.stretched),
        baseline_steps=5000,
    ),
    "allen-cahn": ALLEN_CAHN,
    "allen-cahn-short": replace(longer(ALLEN_CAHN, 1 / 5), points={"interior": 5000, "initial": 251}),
}


def network_on(experiment: Experiment, basis: str, level: int) -> SplineNetwork:
    """The network as it is on a level, drawn there."""
    kind = KAN if basis == "spline" else MultichannelMLP
    coarse = kind(**experiment.network)
    assert isinstance(coarse.intervals, int)
    return replace(coarse, intervals=coarse.intervals * 2**level)


def solver_on(experiment: Experiment, schedule: str, level: int) -> Solver:
    """The solver of a level: with "falling" its rate is a quarter of that of the level before.

    "stalling" ends a level once its loss has not fallen by a tenth within ten steps.
    """
    if schedule == "stalling":
        assert isinstance(experiment.solver, LBFGS)
        return replace(experiment.solver, patience=10)
    if schedule not in ("falling", "fast"):
        return experiment.solver
    assert isinstance(experiment.solver, Adam)
    return replace(experiment.solver, rate=experiment.fast / 4**level)
