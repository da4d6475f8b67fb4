"""Series in time: a problem whose text is one step, taken again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnml.errors import SettingsError, unknown_name
from pinnml.problem import Problem
from pinnml.surrogates.families.family import Family
from pinnml.validation import finite


@dataclass(frozen=True)
class Series:
    """States u_1, u_2, ... of which each follows from the one before by the problem's equations.

    carry: random inputs that stand for the state before the step, and the scalar fields that they are in the next one:
    {"before": "u"} for (u - before) / dt - laplacian(u). What is drawn for them is the state at the beginning; whatever
    else is drawn stays as it is. times: at which the states are, as far as the text knows them: steps are all alike.
    """

    carry: Mapping[str, str]
    times: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", tuple(finite("a time of a series", each) for each in self.times))
        steps = np.diff(self.times)
        alike = len(steps) == 0 or (steps[0] > 0 and np.abs(steps - steps[0]).max() <= 1e-6 * steps[0])
        if not self.times or not alike or not isinstance(self.carry, Mapping) or not self.carry:
            cure = 'write Series(carry={"before": "u"}, times=(0.1, 0.2, 0.3))'
            got = f"carry={self.carry!r:.60}, times={self.times!r:.60}"
            raise SettingsError("a series", expected="fields to carry, and times a step apart", got=got, cure=cure)

    def check(self, problem: Problem, degree: int) -> None:
        """Raise SettingsError or UnknownNameError where a problem has no such state."""
        scalars = [each.name for each in problem.fields if each.columns == 1]
        inputs = [name for name, each in problem.random.items() if each.is_field]
        for name, field in self.carry.items():
            if name not in inputs:
                raise unknown_name("random field", name, inputs, where="carry")
            if field not in scalars:
                raise unknown_name("scalar field", field, scalars, where="carry")
        if degree != 1:
            expected, cure = "states at corners, of degree 1", "leave the degree out, and take a finer mesh"
            raise SettingsError("the degree of a series", expected=expected, got=degree, cure=cure)

    def carried(self, family: Family, u: np.ndarray) -> dict[str, np.ndarray]:
        """What is drawn for the state before a step that begins with the numbers u (N,), by name (p,)."""
        starts, p = family.parts.starts, family.parts.corners.size
        return {name: u[starts[field] : starts[field] + p] for name, field in self.carry.items()}

    def to_json(self) -> dict[str, Any]:
        """Both by name."""
        return {"carry": dict(self.carry), "times": list(self.times)}
