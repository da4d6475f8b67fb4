"""A recipe: how a script would have its own problem solved, and what error it promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pinnml.elements import Element, check_elements
from pinnml.networks import NetworkSettings
from pinnml.problem import Problem
from pinnml.results import Solution
from pinnml.run.arguments import check_recipe, plain_points
from pinnml.run.solve import solve
from pinnml.solvers import Solver
from pinnml.system.weak import TestSpace


@dataclass(frozen=True)
class Recipe:
    """network, solver and points for a problem; `expect` is the relative L2 error that the script promises.

    points: the number in the interior, or a mapping region -> number; None leaves it to `solve`. rule: how they
    are drawn. elements: by field, for the classical solve and for test functions where Lagrange elements will not do,
    such as {"E": Element("N1curl")}. tests: the functions with which the weak form is tested, where a network is to be
    trained by that and not by equations at points. Every part can be replaced: `recipe.solve(problem, solver=Adam())`.
    """

    network: NetworkSettings | None = None
    solver: Solver | None = None
    points: int | Mapping[str, int] | None = None
    expect: float | None = None
    rule: str = "chebyshev"
    elements: Mapping[str, Element] | None = None
    tests: TestSpace | None = None

    def __post_init__(self) -> None:
        check_recipe(self.network, self.solver, rule=self.rule, expect=self.expect, tests=self.tests)
        check_elements(self.elements)
        object.__setattr__(self, "points", plain_points(self.points))
        if self.tests is not None and self.tests.elements is None:
            object.__setattr__(self, "tests", self.tests.of(self.elements))

    def solve(self, problem: Problem, **overrides: Any) -> Solution:
        """Solve a problem by this recipe; keyword arguments are those of `pinnml.solve`, and win.

        A solution to go on from, `start`, brings its own network in place of the recipe's.
        """
        own = {name: getattr(self, name) for name in ("network", "solver", "points", "expect", "rule", "tests")}
        given = {name: value for name, value in overrides.items() if value is not None}
        if isinstance(given.get("tests"), TestSpace) and given["tests"].elements is None:
            given["tests"] = given["tests"].of(self.elements)
        if "start" in given:
            del own["network"]
        return solve(problem, **{**own, **given})
