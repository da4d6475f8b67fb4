"""What does not fit into memory is refused before anything is done, with the figure, its cause and a cure."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch

from pinnml import KAN, LBFGS, LSGD, MLP, Adam, Box, Features, LevenbergMarquardt, MultichannelMLP, Recipe, solve
from pinnml.errors import SettingsError
from pinnml.networks import Network
from pinnml.run import memory, prepared
from pinnml.run.memory import footprint, free_bytes
from tests.helpers.solving import rod, two_fields

SETTINGS = {
    "features": Features(30),
    "mlp": MLP(7, 3),
    "one layer": MLP(9, 1, bandwidth=2.0),
    "kan": KAN(4, 2, order=5, intervals=6),
    "linear first": KAN(4, 2, order=3, intervals=(5, 7), first="linear"),
    "power-relu": MultichannelMLP(3, 1, order=4, intervals=3),
}


def built(settings) -> Network:
    domain = Box(x=(0, 1), y=(0, 1))
    return settings.build(domain, 2, torch.Generator(), torch.float64, torch.device("cpu"))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_size_of_a_network_is_known_before_it_is_built(name):
    network = built(SETTINGS[name])
    assert SETTINGS[name].least_numbers(2, 2) == sum(parameter.numel() for parameter in network.parameters())


def test_trained_knots_come_on_top():
    settings = KAN(4, 2, intervals=6, knots="edge", bias=True)
    assert settings.least_numbers(2, 2) < sum(parameter.numel() for parameter in built(settings).parameters())


@pytest.fixture
def little(monkeypatch):
    """A machine with 100 MB left."""
    monkeypatch.setattr(memory, "_machine", lambda: 1e8)


@pytest.mark.parametrize(
    ("network", "solver", "points", "named"),
    [
        (Features(20000, bandwidth=8), LSGD(), 60000, "60002 residuals and"),
        (Features(100), LSGD(), 10**7, "10000002 points"),
        (MLP(3000, 3), Adam(), 100, "a network of"),
        (MLP(20, 2, "tanh"), LevenbergMarquardt(), 10**6, "1000002 residuals and 481 parameters"),
        (MLP(1000, 2, "tanh"), LBFGS(), 100, "parameters"),
        (KAN(500, 3, intervals=100), Adam(), 100, "a network of"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, (Features, MLP, KAN)) else "",
)
@pytest.mark.usefixtures("little")
def test_what_cannot_fit_is_refused_at_once_with_its_cause(network, solver, points, named):
    began = time.perf_counter()
    with pytest.raises(SettingsError, match="does not fit into memory") as raised:
        solve(rod(), network, solver, points=points)
    assert time.perf_counter() - began < 5
    assert raised.value.expected == "at most 100 MB, which are free"
    assert named in raised.value.got
    assert raised.value.cure


@pytest.mark.usefixtures("little")
def test_what_fits_is_solved():
    assert solve(rod(), Features(40, bandwidth=3), points=100).verdict.good


@pytest.mark.parametrize("solver", [LSGD(), LevenbergMarquardt()], ids=["lsgd", "lm"])
@pytest.mark.parametrize("problem", [rod(), two_fields()], ids=["one field", "two fields"])
def test_the_jacobian_is_most_of_a_large_footprint(problem, solver):
    system = prepared(problem, Recipe(MLP(10, 2, "tanh"), points=1000))
    points = {block.region: 1000 * len(block) for block in system.blocks}
    few = [block.few(5) for block in system.blocks]
    columns = system.n_params if isinstance(solver, LevenbergMarquardt) else system.network.coef.numel()
    rows = 1000 * system.n_residuals
    total = footprint(system.network, solver, few, points).total
    assert 3 * 8 * rows * columns < total < 3 * 8 * rows * columns + 2e9
    assert total == footprint(system.network, solver, system.blocks, points).total


def test_a_limit_of_addresses_counts():
    script = (
        "import resource; from pinnml import *; from tests.helpers.solving import rod\n"
        "resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))\n"
        "try: solve(rod(), Features(300), points=10**7)\n"
        "except errors.SettingsError as error: print(str(error).splitlines()[0])\n"
    )
    script = "import pinnml.errors as errors\n" + script
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "this does not fit into memory"


def test_free_memory_is_a_sensible_number():
    assert 1e7 < free_bytes(torch.device("cpu")) < 1e14


def test_an_order_without_digits_is_refused():
    with pytest.raises(SettingsError, match="order"):
        KAN(order=1000)
