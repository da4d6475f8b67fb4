"""A recipe: how a script would have its own problem solved, and what error it promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pinnml.errors import SettingsError
from pinnml.networks import NetworkSettings
from pinnml.problem import Problem
from pinnml.solution import Solution
from pinnml.solve import solve
from pinnml.solvers import Solver


@dataclass(frozen=True)
class Recipe:
    """network, solver and points for a problem; `expect` is the relative L2 error that the script promises.

    points: the number in the interior, or a mapping region -> number; None leaves it to `solve`. rule: how they
    are drawn. Every part can be replaced: `recipe.solve(problem, solver=Adam())`.
    """

    network: NetworkSettings | None = None
    solver: Solver | None = None
    points: int | Mapping[str, int] | None = None
    expect: float | None = None
    rule: str = "chebyshev"

    def __post_init__(self) -> None:
        if self.expect is not None and not self.expect > 0:
            raise SettingsError("expect", expected="an error above 0, or None", got=repr(self.expect))

    def solve(self, problem: Problem, **overrides: Any) -> Solution:
        """Solve a problem by this recipe; keyword arguments are those of `pinnml.solve`, and win."""
        own = {name: getattr(self, name) for name in ("network", "solver", "points", "expect", "rule")}
        return solve(problem, **{**own, **{name: value for name, value in overrides.items() if value is not None}})
