"""What a statement is, and fields that are known, for which equations are made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pinnml import Equation, Points, Problem
from pinnml.calculus import Vector
from pinnml.domains import Domain
from scripts.statements.drawing import Shape

#: Functions in a layer that suit so many axes.
FUNCTIONS = {1: 50, 2: 130, 3: 130}
#: Points on which the true error is measured.
POINTS = 4000


@dataclass(frozen=True)
class Posed:
    """A problem whose solution the solver is not told.

    truth: of coordinates, the fields by name, complex and with components as they are; None where there is no
    solution, or more than one. parameters: the true values of its unknown numbers. functions: how many suit it.
    """

    problem: Problem
    truth: Callable[..., Mapping[str, Any]] | None
    parameters: Mapping[str, float] = field(default_factory=dict)
    functions: int = 150


@dataclass(frozen=True)
class Statement:
    """One random statement: its number, of which all follows, its family, and whether that is a broken one."""

    number: int
    family: str
    broken: bool
    posed: Posed

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.number} {self.family}"

    def errors(self, solution: Callable[[np.ndarray], Mapping[str, np.ndarray]]) -> dict[str, float]:
        """By field, the relative L2 error at random points; infinite where there is no truth."""
        problem, truth = self.posed.problem, self.posed.truth
        if truth is None:
            return {each.name: float("inf") for each in problem.fields}
        generator = torch.Generator().manual_seed(self.number + 1)
        sample = problem.domain.sample("interior", POINTS, generator, "random")
        found, true = solution(sample.x.numpy()), truth(*sample.x.T)
        return {name: _relative(found[name], _array(true[name]), sample.weight.numpy()) for name in found}


def _array(value: Any) -> np.ndarray:
    """Values (n,) or (n, components) of a tensor, or of a tuple of these."""
    if isinstance(value, (tuple, Vector)):
        return np.stack([_array(part) for part in value], axis=1)
    return value.numpy()


def _relative(found: np.ndarray, true: np.ndarray, weight: np.ndarray) -> float:
    def norm(values: np.ndarray) -> float:
        squares = np.abs(values) ** 2
        return float(np.sqrt(weight @ (squares.sum(axis=1) if squares.ndim == 2 else squares)))

    return norm(found - true) / norm(true)


@dataclass(frozen=True)
class Known:
    """Fields on a domain that are known: functions of the coordinates, several for the components of a vector."""

    domain: Domain
    fields: Mapping[str, Callable[..., Any] | Sequence[Callable[..., Any]]]
    kinds: Any = None
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, *coordinates: Any) -> dict[str, Any]:
        """All fields at coordinates."""
        return {name: _at(each, coordinates) for name, each in self.fields.items()}

    def law(
        self, operator: Callable[..., Any], on: Any = "interior", name: str = "", integral: bool = False
    ) -> Equation:
        """operator(u) - operator(true u) = 0: the operator takes fields, axes, parameters and `normal` by name."""
        names, axes = list(inspect.signature(operator).parameters), self.domain.axes.names

        def residual(**given: Any) -> Any:
            coordinates = [given[axis] for axis in axes]
            asked = {each: given[each] for each in names}
            true = {each: _at(self.fields[each], coordinates) for each in names if each in self.fields}
            true |= {each: value for each, value in self.parameters.items() if each in names}
            return _difference(operator(**asked), operator(**(asked | true)))

        _sign(residual, [*names, *(axis for axis in axes if axis not in names)])
        return Equation(residual, on=on, name=name or operator.__name__, integral=integral)

    def posed(self, *equations: Equation, functions: int | None = None, **more: Any) -> Posed:
        """The statement that these equations determine the known fields."""
        problem = Problem(domain=self.domain, fields=self.kinds or tuple(self.fields), equations=equations, **more)
        count = functions or FUNCTIONS[len(self.domain.axes.names)]
        return Posed(problem, self, dict(self.parameters), count)

    def broken(self, *equations: Equation, **more: Any) -> Posed:
        """The statement of equations that the known fields may satisfy, as others do, or none."""
        posed = self.posed(*equations, **more)
        return Posed(posed.problem, None, {}, posed.functions)

    def measured(self, places: np.ndarray, name: str = "u", errors: Any = 0.0, noise: float | None = None) -> Points:
        """Values of a field at places (n, d) on the unit box, with errors."""
        low, high = np.asarray(self.domain.bounds).T
        x = low + places * (high - low)
        columns = torch.from_numpy(x).T
        values = _array(_at(self.fields[name], tuple(columns))) + errors
        return Points(dict(zip(self.domain.axes.names, x.T, strict=True)), {"value": values}, noise=noise)


def _at(functions: Any, coordinates: Sequence[Any]) -> Any:
    if callable(functions):
        return functions(*coordinates)
    return Vector(tuple(function(*coordinates) for function in functions))


def _difference(found: Any, true: Any) -> Any:
    if isinstance(found, (tuple, Vector)):
        return tuple(a - b for a, b in zip(found, true, strict=True))
    return found - true


def _sign(function: Callable[..., Any], names: Sequence[str]) -> None:
    """Tell the function's arguments, which it takes by name."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    arguments = [inspect.Parameter(name, kind) for name in names]
    function.__signature__ = inspect.Signature(arguments)  # pyright: ignore[reportFunctionMemberAccess]


def size(known: Known) -> float:
    """Of a scalar field u, about."""
    shape = known.fields["u"]
    return shape.size if isinstance(shape, Shape) else 1.0
