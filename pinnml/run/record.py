"""What was asked of a solve and settled in it, as plain values: the `settings` of a solution."""

from __future__ import annotations

from typing import Any

import torch

from pinnml.elements import elements_of
from pinnml.networks import Network
from pinnml.problem import WEAK_FORM
from pinnml.results import described
from pinnml.run.request import Request
from pinnml.system import System
from pinnml.system.weak import TestSpace


def record_of(request: Request, system: System) -> dict[str, Any]:
    """The request with what the system has made of it so far."""
    recipe = request.recipe
    return {
        "problem": request.problem.name,
        "network": _network(request, system.network),
        "solver": described(request.solver),
        "points": {block.region: len(block) for block in system.blocks if block.pairing is None},
        "tests": recipe.tests and _tests(recipe.tests, system),
        "weights": system.weights,
        "rule": recipe.rule,
        "seed": request.seed,
        "device": str(request.device),
        "dtype": str(request.dtype).removeprefix("torch."),
        "expect": recipe.expect,
        "threads": torch.get_num_threads(),
    } | ({} if request.command is None else {"command": dict(request.command)})


def _network(request: Request, network: Network) -> dict[str, Any]:
    """The settings with what the solver has settled since, and the names of what it has settled."""
    settings = described(request.network) if request.start is None else request.start.settings["network"]
    return settings | dict(network.basis.settled) | {"settled": list(network.basis.settled)}


def _tests(space: TestSpace, system: System) -> dict[str, Any]:
    """The test functions as plain values: their elements by field, their number, and the mesh if it is another."""
    elements = elements_of(system.problem, space.degree, space.elements)
    rows = [rows for name, rows in system.rows.items() if name.startswith(WEAK_FORM)]
    return {
        "elements": {name: [element.family, element.degree] for name, element in elements.items()},
        "functions": sum(each.stop - each.start for each in rows),
        "mesh": None if space.mesh is None else str(space.mesh),
    }
