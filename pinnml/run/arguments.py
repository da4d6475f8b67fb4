"""Checks of what `solve` and a recipe are given, before any work is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from pinnml.domains.rules import RULES
from pinnml.errors import ProblemError, SettingsError
from pinnml.networks import NETWORKS
from pinnml.problem import Problem
from pinnml.results import Solution
from pinnml.solvers import SOLVERS, Solver
from pinnml.system.weak import TestSpace
from pinnml.validation import choice, or_none, positive, whole_number

#: PyTorch takes seeds below 2^64, and streams of their own are counted on from the seed.
LARGEST_SEED = 2**62


def check_arguments(
    problem: Any,
    network: Any,
    solver: Any,
    *,
    seed: Any = 0,
    out: Any = None,
    callback: Any = None,
    start: Any = None,
    rule: Any = "chebyshev",
    expect: Any = None,
    tests: Any = None,
) -> None:
    """Raise ProblemError or SettingsError for an argument of `solve` that cannot be what its name says."""
    if not isinstance(problem, Problem):
        cure = "call the function, and hand on the Problem that it returns" if callable(problem) else "build a Problem"
        raise ProblemError("solve needs a problem", expected="a Problem", got=_kind(problem), cure=cure)
    check_recipe(network, solver, rule=rule, expect=expect, tests=tests)
    whole_number("seed", seed, 0, most=LARGEST_SEED)
    if out is not None:
        _is_a("out", out, (str, Path), "the name of a folder", 'out="runs/first"')
    if start is not None:
        _is_a("start", start, Solution, "a Solution", 'start=pinnml.load("runs/first/checkpoint.pt")')
    if callback is not None and not callable(callback):
        cure = "write a function: def watch(progress): ..."
        raise SettingsError("callback", expected="a function of a Progress", got=_kind(callback), cure=cure)


def check_recipe(network: Any, solver: Any, *, rule: Any, expect: Any, tests: Any) -> None:
    """Raise SettingsError for parts of a recipe that are of another kind; None stands for the default."""
    if network is not None and (isinstance(network, type) or not callable(getattr(network, "build", None))):
        raise SettingsError("network", expected=_settings(NETWORKS), got=_kind(network), cure=_cure(network, NETWORKS))
    if solver is not None and not isinstance(solver, Solver):
        raise SettingsError("solver", expected=_settings(SOLVERS), got=_kind(solver), cure=_cure(solver, SOLVERS))
    choice("sampling rule", rule, RULES)
    or_none(positive)("expect", expect)
    if tests is not None:
        _is_a("tests", tests, TestSpace, "a TestSpace", "tests=TestSpace(degree=1)")


def plain_points(points: Any) -> int | dict[str, int] | None:
    """Numbers of points, in all or by region, as Python's own; SettingsError for anything else."""
    if isinstance(points, Mapping):
        return {region: whole_number(f"points in '{region}'", n) for region, n in points.items()}
    return None if points is None else whole_number("points", points)


def _is_a(name: str, value: Any, kinds: Any, expected: str, example: str) -> None:
    if not isinstance(value, kinds):
        raise SettingsError(name, expected=expected, got=_kind(value), cure=f"write {example}, or leave it out")


def _settings(registry: Mapping[str, type]) -> str:
    return "settings such as " + ", ".join(f"{kind.__name__}()" for kind in registry.values())


def _cure(value: Any, registry: Mapping[str, type]) -> str:
    """What to write for a name, a class or a module in the place of settings."""
    if isinstance(value, nn.Module):
        return "wrap the module: network=Wrapped(module)"
    named = registry.get(value.lower()) if isinstance(value, str) else value
    kind = next((kind for kind in registry.values() if kind is named), next(iter(registry.values())))
    return f"write {kind.__name__}()"


def _kind(value: Any) -> str:
    return f"{value!r:.60}" if isinstance(value, (str, int, float, type)) else f"{type(value).__name__} {value!r:.60}"
