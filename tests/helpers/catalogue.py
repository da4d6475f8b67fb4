"""All problems and networks that truths are tested over: the scripts of `problems/`, and what they leave out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import pi

import numpy as np
import torch
from torch import nn

from pinnml import (
    KAN,
    MLP,
    Box,
    Equation,
    Features,
    MultichannelMLP,
    Parts,
    Periodic,
    Points,
    Problem,
    Wrapped,
    curl,
    div,
    grad,
    normal_derivative,
)
from pinnml.networks import NetworkSettings
from pinnml.problem import drawn
from pinnml.system import System
from problems import advection, burgers, heat, maxwell, poisson


def conduction() -> Problem:
    """A nonlinear flux, a trainable parameter, measured values, a periodic axis and an integral condition."""
    inside = np.random.default_rng(3).random((7, 2))

    def balance(u, kappa, x):
        return div(torch.exp(kappa * u) * grad(u)) - torch.sin(x) * u**2

    def wall(u, normal, y):
        return u.d("y") * normal[1] - y

    def measured(u, value):
        return u - value

    def mean(u):
        return u - 0.3

    return Problem(
        domain=Box(x=Periodic(0, 2 * pi), y=(0, 1)),
        fields=("u",),
        equations=(
            Equation(balance),
            Equation(wall, on="boundary", weight=3.0),
            Equation(measured, on="sensors"),
            Equation(mean, integral=True),
        ),
        parameters={"kappa": 0.7},
        data={"sensors": Points({"x": 2 * pi * inside[:, 0], "y": inside[:, 1]}, columns={"value": inside[:, 0]})},
    )


def wave_vector() -> Problem:
    """A complex vector field, two residual components that are complex, and an ansatz on a scalar."""

    def curls(E):
        return curl(curl(E)) - (4 + 1j) * E

    def coupled(p, E):
        return p.d("xx") + p**3 - (E[0] * E[1].conj()).real

    def conductor(E, normal):
        return normal[0] * E[1] - normal[1] * E[0]

    def ansatz(E, p, x):
        return {"E": E, "p": 1 + x * (1 - x) * p}

    return Problem(
        domain=Box(x=(0, 1), y=(0, 1)),
        fields={"E": (2, complex), "p": float},
        equations=(Equation(curls), Equation(coupled), Equation(conductor, on="boundary")),
        ansatz=ansatz,
    )


def contact() -> Problem:
    """Two materials in nonlinear contact: values, fluxes and a trainable number on the two sides of an interface."""

    def conductivity(x):
        return torch.where(x < 0.25, 1 + x, 3 + 0 * x)

    def balance(u, x, y):
        return div(conductivity(x) * grad(u)) - y * u**2

    def resistance(u, x, normal, jump, ratio):
        flux = conductivity(x) * normal_derivative(u, normal)
        return jump(u) - ratio * flux * torch.exp(u), jump(flux) - x

    return Problem(
        domain=Box(x=Parts(-1, 0.25, 1), y=(0, 1)),
        fields=("u",),
        equations=(
            Equation(balance),
            Equation(resistance, on="interface", weight=2.0),
            Equation(lambda u, jump, x: jump(u * x) + u, on="x=0.25", integral=True, name="mean"),
            Equation(lambda u, x: u - x, on="boundary", name="wall"),
        ),
        parameters={"ratio": 0.4},
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    **{f"poisson {case}": lambda case=case: poisson.problem(case) for case in ("sine", "expcos", "cube", "mixed")},
    **{f"advection {case}": lambda case=case: advection.problem(case) for case in ("periodic", "layer", "layer2d")},
    **{f"maxwell {case}": lambda case=case: maxwell.problem(case) for case in ("cavity", "guide", "cube")},
    "heat": heat.problem,
    "burgers": burgers.problem,
    "conduction": conduction,
    "wave vector": wave_vector,
    "contact": contact,
}


def inputs_of(problem: Problem) -> int:
    """The number of network inputs: one an axis, two where it is periodic."""
    return Features(1).build(problem.domain, 1, torch.Generator(), torch.float64, torch.device("cpu")).inputs.size


NETWORKS: dict[str, Callable[[Problem], NetworkSettings]] = {
    "features": lambda problem: Features(12, bandwidth=3.0),
    "one tanh layer": lambda problem: MLP(9, 1, "tanh", init="box"),
    "sine mlp": lambda problem: MLP(7, 2, "sine"),
    "residual gaussian mlp": lambda problem: MLP(6, 3, "gaussian", init="box", residual=True),
    "stretched inputs": lambda problem: MLP(6, 2, "tanh", inputs=stretched(problem)),
    "kan": lambda problem: KAN(3, 2, order=5, intervals=3),
    "kan with free knots": lambda problem: KAN(2, 2, order=5, intervals=3, first="linear", bias=True, knots="input"),
    "kan with knots on edges": lambda problem: KAN(2, 2, order=5, intervals=3, knots="edge", bias=True),
    "kan in range": lambda problem: KAN(3, 1, order=5, intervals=3, first="linear", normalise="range"),
    "power-relu kan": lambda problem: MultichannelMLP(2, 1, order=4, intervals=3, first="linear", normalise="sigmoid"),
    "wrapped": lambda problem: Wrapped(
        nn.Sequential(nn.Linear(inputs_of(problem), 8), nn.Tanh(), nn.Linear(8, problem.columns + 2))
    ),
}


def stretched(problem: Problem) -> Callable:
    """An `inputs` function of the problem's first axis alone and its own square root of one plus square."""
    names = problem.domain.axes.names
    source = f"lambda {', '.join(names)}: (torch.asinh({names[0]} / 0.3), {', '.join(names)})"
    return eval(source, {"torch": torch})


@cache
def built(problem: str, network: str, points: int = 40) -> System:
    """The small system of a problem and a network of the catalogue, made once: tests leave it as it is."""
    made = PROBLEMS[problem]()
    return system(made, NETWORKS[network](made), points)


def system(
    problem: Problem, network: NetworkSettings, points: int = 40, seed: int = 0, dtype: torch.dtype = torch.float64
) -> System:
    """A small system with theta away from zero, on the CPU."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    built = network.build(problem.domain, problem.columns, generator, dtype, torch.device("cpu"))
    with torch.no_grad():
        built.coef += 0.3 * torch.randn(built.coef.shape, generator=generator, dtype=dtype)
    regions = dict.fromkeys(term.region for term in problem.terms)
    samples = {region: drawn(problem, region, points, generator, "sobol") for region in regions}
    return System.build(problem, built, samples)
