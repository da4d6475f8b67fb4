"""Small random problems, and samples of them."""

from functools import cache

import torch

from pinnml import Equation, Mesh, Problem, Weak, div, dot, grad
from pinnml.problem import LogNormalField, TwoValuedField, Uniform
from pinnml.surrogates.data import Samples
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.networks import MessagePassing
from pinnml.surrogates.surrogate import Surrogate
from pinnml.surrogates.training import Batches, Trainer, Training
from tests.helpers.places import MESHES

CPU = torch.device("cpu")
MESH = Mesh.read(MESHES / "two_materials.msh")


def darcy(power: float = 0.0, two_valued: bool = False) -> Problem:
    """-div(k (1 + power u^2) grad u) = load on the unit square of 200 nodes, u = 0 around."""
    field = TwoValuedField(0.3, low=3.0, high=12.0) if two_valued else LogNormalField(0.3, 0.5)
    return Problem(
        domain=MESH,
        fields=("u",),
        equations=(
            Equation(lambda u, k, load: -div(k * (1 + power * u**2) * grad(u)) - load, name="balance"),
            Equation(lambda u: u, on="boundary", name="wall"),
        ),
        weak=Weak(lambda u, v, k, load: k * (1 + power * u**2) * dot(grad(u), grad(v)) - load * v),
        random={"k": field, "load": Uniform(1, 5)},
    )


@cache
def solved(n: int, power: float = 0.0, degree: int = 1, first: int = 0) -> tuple[Family, Samples]:
    """A family and n solutions of draws of it."""
    family = Family.of(darcy(power), degree=degree)
    draws = Draws(family.problem, MESH)(range(first, first + n))
    inputs = {name: torch.from_numpy(values) for name, values in draws.items()}
    u = torch.stack([family.solve({name: values[i] for name, values in inputs.items()}).u for i in range(n)])
    return family, Samples(MESH, torch.arange(first, first + n), inputs, u)


def trainer(
    settings=None, modes: int = 4, n: int = 24, seed: int = 0, degree: int = 1, dtype=torch.float32, **training
) -> Trainer:
    """Of two thirds of n samples, the rest held back."""
    family, samples = solved(n, degree=degree)
    seen, held = samples.of(range(2 * n // 3)), samples.of(range(2 * n // 3, n))
    surrogate, inputs = Surrogate.fresh(family, seen, settings or MessagePassing(8, 3), modes, seed, CPU, dtype)
    asked = Training(**{"epochs": 4, "batch": 4, **training})
    data = Batches.from_samples(inputs, seen)
    return Trainer(surrogate, asked, data, Batches.from_samples(surrogate.inputs(held.inputs), held), seed)
