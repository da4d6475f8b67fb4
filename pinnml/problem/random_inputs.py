"""What is random in a problem: numbers and fields by name, as declared. Plain records, checked when built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from pinnml.errors import ProblemError
from pinnml.validation import choice, finite, positive

#: How Gaussian fields are drawn.
METHODS = ("spde", "covariance")


@dataclass(frozen=True)
class Uniform:
    """A number between low and high, all alike likely."""

    low: float
    high: float
    is_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            finite(f"Uniform: {name}", getattr(self, name), error=ProblemError)
        if not self.low < self.high:
            got, cure = f"{self.low:g} and {self.high:g}", "write Uniform(1, 5)"
            raise ProblemError("Uniform", expected="two numbers, the lower one first", got=got, cure=cure)

    @property
    def middle(self) -> float:
        """The mean."""
        return (self.low + self.high) / 2

    @property
    def aside(self) -> float:
        """A value beside the mean."""
        return (self.low + 3 * self.high) / 4

    def drawn(self, random: np.random.Generator) -> float:
        """One draw."""
        return float(random.uniform(self.low, self.high))


@dataclass(frozen=True)
class Normal:
    """A number with a normal distribution."""

    mean: float = 0.0
    deviation: float = 1.0
    is_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        finite("Normal: mean", self.mean, error=ProblemError)
        positive("Normal: deviation", self.deviation)

    @property
    def middle(self) -> float:
        """The mean."""
        return self.mean

    @property
    def aside(self) -> float:
        """A value beside the mean."""
        return self.mean + self.deviation

    def drawn(self, random: np.random.Generator) -> float:
        """One draw."""
        return float(random.normal(self.mean, self.deviation))


@dataclass(frozen=True)
class GaussianField:
    """A Gaussian field g over space with Matern covariance: nu = 2 - d / 2 in d dimensions.

    It solves (1 / length^2 - laplacian) g = white noise, scaled so that far from walls its standard deviation is
    `deviation`; length: correlations fall off as r / length K_1(r / length) in the plane, to 0.12 at 3 lengths.
    method: "spde" solves this with linear elements, with zero slope at the boundary, which makes the field larger
    there (Lindgren, Rue and Lindstrom, J. R. Stat. Soc. B 73, 2011); "covariance" factorises the exact covariance of
    all nodes, on meshes of a few thousand.
    """

    length: float
    deviation: float = 1.0
    mean: float = 0.0
    _: KW_ONLY
    method: str = "spde"
    is_field: ClassVar[bool] = True

    def __post_init__(self) -> None:
        kind = type(self).__name__
        positive(f"{kind}: length", self.length)
        positive(f"{kind}: deviation", self.deviation)
        finite(f"{kind}: mean", self.mean, error=ProblemError)
        choice(f"{kind}: method", self.method, METHODS)

    @property
    def middle(self) -> float:
        """The value at the mean of the Gaussian field."""
        return float(self.values(np.array(self.mean)))

    @property
    def aside(self) -> float:
        """The value beside the mean of the Gaussian field."""
        return float(self.values(np.array(self.mean + self.deviation)))

    def values(self, gaussian: np.ndarray) -> np.ndarray:
        """The field where the Gaussian field has these values."""
        return gaussian


@dataclass(frozen=True)
class LogNormalField(GaussianField):
    """exp(g) of a Gaussian field g: positive everywhere, as conductivities and friction are."""

    def values(self, gaussian: np.ndarray) -> np.ndarray:
        """exp(g)."""
        return np.exp(gaussian)


@dataclass(frozen=True)
class TwoValuedField(GaussianField):
    """`high` where a Gaussian field g is above 0, `low` elsewhere: two materials."""

    _: KW_ONLY
    low: float = 1.0
    high: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            finite(f"TwoValuedField: {name}", getattr(self, name), error=ProblemError)

    @property
    def middle(self) -> float:
        """The mean of the two values."""
        return (self.low + self.high) / 2

    def values(self, gaussian: np.ndarray) -> np.ndarray:
        """One of the two values."""
        return np.where(gaussian > 0, float(self.high), float(self.low))


Random: TypeAlias = Uniform | Normal | GaussianField


def checked_random(given: Any) -> dict[str, Random]:
    """What is random by name. Raises ProblemError for anything that is no distribution."""
    if not isinstance(given, Mapping):
        cure = 'random={"kappa": LogNormalField(length=0.2), "load": Uniform(1, 5)}'
        raise ProblemError("random", expected="a mapping from names to distributions", got=repr(given), cure=cure)
    for name, distribution in given.items():
        if not isinstance(distribution, Uniform | Normal | GaussianField):
            kinds = "Uniform, Normal, GaussianField, LogNormalField or TwoValuedField"
            cure = f"random={{{name!r}: Uniform(1, 5)}}"
            raise ProblemError(f"random '{name}'", expected=kinds, got=repr(distribution), cure=cure)
    return dict(given)


def check_random(problem: Any) -> None:
    """Raise ProblemError for a problem in which nothing is random."""
    if not problem.random:
        cure = 'declare it: Problem(..., random={"kappa": LogNormalField(length=0.2)})'
        raise ProblemError("nothing in the problem is random", expected="random inputs", got="none", cure=cure)


def in_the_middle(problem: Any) -> Any:
    """The problem with the middle of each distribution in the place of what is random."""
    if not problem.random:
        return problem
    return problem.with_values({name: distribution.middle for name, distribution in problem.random.items()})


def check_nothing_random(problem: Any) -> None:
    """Raise ProblemError for a problem that is a family: nothing but a surrogate solves all of it at once."""
    if problem.random:
        names = ", ".join(problem.random)
        cure = (
            f"put a draw in: problem.with_values({{{next(iter(problem.random))!r}: ...}}), pinnml solve --draw 7; "
            "or make data of many: pinnml data"
        )
        raise ProblemError("the problem is random", expected="a problem of known inputs", got=names, cure=cure)
