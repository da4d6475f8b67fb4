"""A recipe: how a script would have its own problem solved, and what error it promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from pinnml.domains.rules import RULES
from pinnml.elements import Element, check_elements
from pinnml.errors import SettingsError
from pinnml.networks import NETWORKS, NetworkSettings
from pinnml.results import Solution
from pinnml.solvers import SOLVERS, Solver
from pinnml.system.weak import TestSpace
from pinnml.validation import choice, of_kind, or_none, positive, shown, whole_number


@dataclass(frozen=True)
class Recipe:
    """network, solver and points for a problem; `expect` is the relative L2 error that the script promises.

    points: the number in the interior, or a mapping region -> number; None leaves it to `solve`. rule: how they
    are drawn. elements: by field, for the classical solve and for test functions where Lagrange elements will not do,
    such as {"E": Element("N1curl")}. tests: the functions with which the weak form is tested, where a network is to be
    trained by that and not by equations at points. slabs: windows in time, solved one after the other, each with such a
    network and so many points. Every part can be replaced: `recipe.solve(problem, solver=Adam())`. Raises SettingsError
    for parts of another kind.
    """

    network: NetworkSettings | None = None
    solver: Solver | None = None
    points: int | Mapping[str, int] | None = None
    expect: float | None = None
    rule: str = "chebyshev"
    elements: Mapping[str, Element] | None = None
    tests: TestSpace | None = None
    slabs: int = 1
    #: `recipe.solve(problem)`: set by `solve.py`.
    solve: ClassVar[Callable[..., Solution]]

    def __post_init__(self) -> None:
        if self.network is not None and (
            isinstance(self.network, type) or not callable(getattr(self.network, "build", None))
        ):
            raise _not_settings("network", self.network, NETWORKS)
        if self.solver is not None and not isinstance(self.solver, Solver):
            raise _not_settings("solver", self.solver, SOLVERS)
        choice("sampling rule", self.rule, RULES)
        or_none(positive)("expect", self.expect)
        or_none(of_kind)("tests", self.tests, TestSpace, "a TestSpace", "tests=TestSpace(degree=1)")
        check_elements(self.elements)
        whole_number("slabs", self.slabs)
        object.__setattr__(self, "points", _plain_points(self.points))
        if self.tests is not None and self.tests.elements is None:
            object.__setattr__(self, "tests", self.tests.of(self.elements))


def _plain_points(points: Any) -> int | dict[str, int] | None:
    """Numbers of points, in all or by region, as Python's own; SettingsError for anything else."""
    if isinstance(points, Mapping):
        return {region: whole_number(f"points in '{region}'", n) for region, n in points.items()}
    return or_none(whole_number)("points", points)


def _not_settings(name: str, value: Any, registry: Mapping[str, type]) -> SettingsError:
    """What to write for a name, a class or a module in the place of settings."""
    named = registry.get(value.lower()) if isinstance(value, str) else value
    kind = next((kind for kind in registry.values() if kind is named), next(iter(registry.values())))
    cure = "wrap the module: network=Wrapped(module)" if isinstance(value, nn.Module) else f"write {kind.__name__}()"
    expected = "settings such as " + ", ".join(f"{kind.__name__}()" for kind in registry.values())
    return SettingsError(name, expected=expected, got=shown(value), cure=cure)
