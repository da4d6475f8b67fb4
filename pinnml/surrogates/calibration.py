"""What estimates are multiplied by so that they hold: fitted where predictions and solutions are both known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pinnml.errors import SettingsError
from pinnml.validation import positive

#: Errors below this are round-off, and tell nothing of estimates.
ROUND_OFF = 1e-10


@dataclass(frozen=True)
class Calibration:
    """The error is at most `factor` times the estimate in a part `quantile` of predictions, by so many pairs of both.

    Without pairs estimates are taken as they are.
    """

    factor: float = 1.0
    quantile: float = 0.95
    pairs: int = 0

    def __post_init__(self) -> None:
        positive("Calibration: factor", self.factor)
        if not 0 < self.quantile <= 1:
            raise SettingsError("Calibration: quantile", expected="above 0, at most 1", got=self.quantile, cure="0.95")

    @classmethod
    def fitted(cls, estimates: Sequence[float], errors: Sequence[float], quantile: float = 0.95) -> Calibration:
        """From pairs (n,) of predictions that no surrogate was trained on, such as the validation part.

        The factor is the quotient error / estimate with number ceil((n + 1) quantile) in order, the largest where there
        is none: for a further prediction of the kind it holds with that probability (split conformal prediction,
        Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005). Raises SettingsError for no pairs.
        """
        found, true = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
        if found.shape != true.shape or found.ndim != 1:
            got, cure = f"{found.shape} and {true.shape}", "give one error for each estimate"
            raise SettingsError("a calibration", expected="as many errors as estimates", got=got, cure=cure)
        told = np.isfinite(found) & np.isfinite(true) & (found > ROUND_OFF)
        quotients = np.sort(true[told] / found[told])
        if not len(quotients) or not quotients[-1] > 0:
            cure = "give estimates and errors of the validation part"
            raise SettingsError("a calibration", expected="errors above round-off", got="none", cure=cure)
        place = min(math.ceil((len(quotients) + 1) * quantile), len(quotients)) - 1
        return cls(float(quotients[place]), quantile, len(quotients))

    def __call__(self, estimate: float) -> float:
        """What the error is at most, with the probability `quantile`."""
        return self.factor * estimate

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Calibration:
        """The calibration of a `to_json` record."""
        return cls(**{name: record[name] for name in ("factor", "quantile", "pairs")})


#: Estimates as they are.
PLAIN = Calibration()
