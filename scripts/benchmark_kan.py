"""One gradient step of a physics-informed KAN [2, 64, 64, 64, 1] on 4096 points: seconds, in turns.

Forward, second derivatives and the gradient of 1/2 |laplacian(u) + f|^2 by all parameters, cubic splines, float64, one
thread unless said otherwise. Beside it the formulation of efficient-kan: Cox and de Boor's recursion for all
functions at all arguments, one matrix product, derivatives by nested automatic differentiation; pykan, if it is
installed (`pip install pykan scikit-learn pandas tqdm pyyaml seaborn matplotlib`, as it does not name what it needs);
and a tanh network of the same widths.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise

import torch
from torch import Tensor, nn

from pinnml import KAN, MLP, Box, Equation, Problem, laplacian
from pinnml.networks import NetworkSettings
from pinnml.system import System

WIDTH, DEPTH, POINTS, DEGREE = 64, 3, 4096, 3
Step = Callable[[], Tensor]


def poisson() -> Problem:
    def balance(u, x, y):
        return laplacian(u) + torch.sin(x) * torch.sin(y)

    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=(Equation(balance),), ansatz=lambda u: u)


def ours(settings: NetworkSettings, device: torch.device, points: int = POINTS) -> Step:
    """Loss and gradient as every gradient solver asks for them."""
    problem, generator = poisson(), torch.Generator().manual_seed(0)
    network = settings.build(problem.domain, 1, generator, torch.float64, device)
    system = System.build(problem, network, {"interior": problem.domain.sample("interior", points, generator)})
    theta = system.initial()
    return lambda: system.loss_and_gradient(theta)[1]


class RecursiveKAN(nn.Module):
    """The splines of all layers by Cox and de Boor's recursion, then one product a layer."""

    def __init__(self, intervals: int):
        super().__init__()
        self.grid = torch.arange(-DEGREE, intervals + DEGREE + 1) * (2.0 / intervals) - 1.0
        sizes = [2] + [WIDTH] * DEPTH + [1]
        shapes = [(b, a * (intervals + DEGREE)) for a, b in pairwise(sizes)]
        self.weights = nn.ParameterList([nn.Parameter(0.1 * torch.randn(shape)) for shape in shapes])

    def forward(self, x: Tensor) -> Tensor:
        t = self.grid
        for weight in self.weights:
            x = x.unsqueeze(-1)
            values = ((x >= t[:-1]) & (x < t[1:])).to(x)
            for k in range(1, DEGREE + 1):
                left = (x - t[: -(k + 1)]) / (t[k:-1] - t[: -(k + 1)])
                right = (t[k + 1 :] - x) / (t[k + 1 :] - t[1:-k])
                values = left * values[..., :-1] + right * values[..., 1:]
            x = nn.functional.linear(values.flatten(start_dim=1), weight)
        return x


def nested(module: nn.Module, device: torch.device, points: int) -> Step:
    """The same loss with derivatives by automatic differentiation, nested."""
    x = (2 * torch.rand((points, 2), dtype=torch.float64) - 1).to(device).requires_grad_()
    parameters = [p for p in module.double().to(device).parameters() if p.requires_grad]

    def step() -> Tensor:
        u = module(x)
        slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        second = sum(torch.autograd.grad(slope[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(2))
        loss = 0.5 * (second + torch.sin(x).prod(dim=1)).square().sum()
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        return torch.cat([g.flatten() for g in gradients if g is not None])

    return step


def recursive(intervals: int, device: torch.device) -> Step:
    module = RecursiveKAN(intervals)
    module.grid = module.grid.to(device, torch.float64)
    return nested(module, device, POINTS)


def pykan(intervals: int, device: torch.device) -> Step:
    sizes = [2] + [WIDTH] * DEPTH + [1]
    module = import_module("kan").KAN(width=sizes, grid=intervals, k=DEGREE, auto_save=False, device=str(device))
    return nested(module.speed(), device, POINTS)


def seconds(step: Step) -> float:
    began = time.perf_counter()
    float(step().sum())  # waits for a GPU
    return time.perf_counter() - began


def measure(repeats: int, device: torch.device) -> dict[str, float | None]:
    """Medians, all candidates in turns."""
    candidates = {
        "20 intervals": ours(KAN(WIDTH, DEPTH, intervals=20), device),
        "160 intervals": ours(KAN(WIDTH, DEPTH, intervals=160), device),
        "5 intervals": ours(KAN(WIDTH, DEPTH, intervals=5), device),
        "tanh network": ours(MLP(WIDTH, DEPTH, "tanh"), device),
        "recursion, 20 intervals": recursive(20, device),
    }
    if find_spec("kan") is not None:
        candidates["pykan, 20 intervals"] = pykan(20, device)
    for step in candidates.values():
        step()
    rounds = [{name: seconds(step) for name, step in candidates.items()} for _ in range(repeats)]
    result: dict[str, float | None] = {n: statistics.median(r[n] for r in rounds) for n in candidates}

    def ratio(a: str, b: str) -> float | None:
        return statistics.median(r[a] / r[b] for r in rounds) if a in candidates else None

    return result | {
        "recursion / ours": ratio("recursion, 20 intervals", "20 intervals"),
        "pykan / ours": ratio("pykan, 20 intervals", "20 intervals"),
        "ours, 160 / 20": ratio("160 intervals", "20 intervals"),
        "ours / tanh network": ratio("20 intervals", "tanh network"),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(json.dumps(measure(arguments.repeats, torch.device(arguments.device)), indent=2))
