"""What becomes of a statement: solved one way, and what its verdict says beside the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pinnml import KAN, LSGD, MLP, Features, LevenbergMarquardt, solve
from pinnml.errors import PinnmlError
from pinnml.networks import NetworkSettings
from pinnml.results import Verdict
from pinnml.solvers import Solver
from scripts.statements.statement import Statement

#: A good solution is right to this, and to so many times its estimate; errors below the least are rounding.
WRONG, TIMES, LEAST = 1e-2, 10.0, 1e-12
#: A solution that is right to this is to be called good.
RIGHT = 1e-6


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one solve may take.

    functions: as a multiple of what suits the statement; bandwidth: None to look for one. full: the default recipe as
    it stands, without limits.
    """

    functions: float = 1.0
    bandwidth: float | None = None
    steps: int = 8
    seconds: float = 10.0
    full: bool = False


Settings = tuple[NetworkSettings | None, Solver | None]


def _default(functions: int, limits: Limits) -> Settings:
    if limits.full:
        return None, None
    return Features(functions, bandwidth=limits.bandwidth), LSGD(steps=limits.steps, seconds=limits.seconds)


def _fixed(functions: int, limits: Limits) -> Settings:
    return Features(400 if limits.full else functions, bandwidth=limits.bandwidth), LSGD(
        hidden="fixed", seconds=limits.seconds
    )


def _lm(functions: int, limits: Limits) -> Settings:
    return MLP(12, depth=2, activation="tanh"), LevenbergMarquardt(seconds=limits.seconds)


def _kan(functions: int, limits: Limits) -> Settings:
    return KAN(5, depth=1, order=6, intervals=5), LevenbergMarquardt(seconds=limits.seconds)


WAYS: Mapping[str, Callable[[int, Limits], Settings]] = {
    "default": _default,
    "fixed": _fixed,
    "lm": _lm,
    "kan": _kan,
}


@dataclass(frozen=True)
class Outcome:
    """One row of the study.

    error: the true one of the worst field, infinite where there is no solution or more than one; ratio, least_ratio:
    the largest and the smallest of the errors of fields over their estimates, the largest of parameters' too; refused:
    the error that was raised in place of a verdict.
    """

    number: int
    way: str
    family: str
    broken: bool
    good: bool = False
    error: float = math.inf
    estimate: float = math.nan
    ratio: float = math.nan
    least_ratio: float = math.nan
    parameter_error: float = 0.0
    status: str = ""
    residual: float = math.nan
    beside_zero: float = math.nan
    gain: float = math.nan
    null: float = math.nan
    reach: float = math.nan
    seconds: float = 0.0
    seconds_verify: float = 0.0
    parameters: int = 0
    complaints: str = ""
    refused: str = ""

    @property
    def right(self) -> bool:
        """Whether the solution is right to a millionth."""
        return self.error <= RIGHT and self.parameter_error <= RIGHT

    @property
    def falsely_good(self) -> bool:
        """Whether it is called good and is wrong, or far further off than its estimate."""
        return self.good and not (self.error <= WRONG and not self.ratio > TIMES)

    @property
    def is_estimated(self) -> bool:
        """Whether there is a solution, and an estimate of its error."""
        return math.isfinite(self.error) and math.isfinite(self.ratio)

    @property
    def falls_short(self) -> bool:
        """Whether the estimate is more than ten times off, either way."""
        return self.is_estimated and not (self.least_ratio >= 1 / TIMES and self.ratio <= TIMES)

    def row(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> Outcome:
        """From the texts of a row."""
        read = {"bool": lambda text: text == "True", "int": int, "float": float, "str": str}
        return cls(**{each.name: read[str(each.type)](row[each.name]) for each in fields(cls)})


def outcome(statement: Statement, way: str, limits: Limits) -> Outcome:
    """Solve a statement one way; what the library refuses by name is an outcome too."""
    posed = statement.posed
    who = (statement.number, way, statement.family, statement.broken)
    hidden = way == "fixed" and bool(posed.problem.parameters)
    network, solver = WAYS["default" if hidden else way](max(10, round(limits.functions * posed.functions)), limits)
    try:
        solution = solve(posed.problem, network, solver, seed=statement.number)
    except PinnmlError as error:
        return Outcome(*who, refused=" ".join(str(error).split()))
    verdict, errors = solution.verdict, statement.errors(solution)
    true = {name: posed.parameters[name] for name in solution.parameters if name in posed.parameters}
    parameter_errors = {name: abs(solution.parameters[name] - value) for name, value in true.items()}
    ratios = [_beside(errors[name], estimate) for name, estimate in verdict.estimate.items()]
    return Outcome(
        *who,
        good=verdict.good,
        error=max(errors.values()),
        estimate=math.nan if verdict.worst_estimate is None else verdict.worst_estimate,
        ratio=max(ratios + _of_parameters(verdict, parameter_errors), default=math.nan),
        least_ratio=min(ratios, default=math.nan),
        parameter_error=max((each / abs(true[name]) for name, each in parameter_errors.items()), default=0.0),
        status=verdict.status.name,
        residual=verdict.worst,
        beside_zero=_number(verdict.beside_zero),
        gain=_number(verdict.gain),
        null=max(verdict.null.values(), default=math.nan),
        reach=max(verdict.reach.values(), default=math.nan),
        seconds=verdict.seconds,
        seconds_verify=verdict.seconds_verify,
        parameters=verdict.parameters,
        complaints=" ".join(verdict.complaints),
    )


def _of_parameters(verdict: Verdict, errors: Mapping[str, float]) -> list[float]:
    """Errors of parameters over their estimates, or over twice their standard errors where these are larger."""
    found = []
    for name, error in errors.items():
        told = max(verdict.parameter_estimates.get(name, math.nan), 2 * verdict.standard_errors.get(name, 0.0))
        size = abs(verdict.parameters_found[name])
        found.append(_beside(error / size, told / size))
    return found


def _beside(error: float, estimate: float) -> float:
    """An error over its estimate, where both are rounding 1."""
    return max(error, LEAST) / max(estimate, LEAST)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
