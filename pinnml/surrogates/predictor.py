"""A trained surrogate in use: draws in, solutions with a verdict out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from pinnml.domains import Mesh
from pinnml.errors import CheckpointError
from pinnml.problem import Problem
from pinnml.results import Solution
from pinnml.results.checkpoint_file import read_archive
from pinnml.surrogates.calibration import PLAIN, Calibration
from pinnml.surrogates.data import Samples
from pinnml.surrogates.estimate import Estimator
from pinnml.surrogates.families import Draws
from pinnml.surrogates.prediction import prediction
from pinnml.surrogates.store import load_surrogate
from pinnml.surrogates.surrogate import Surrogate

#: Draws by which estimates are calibrated, at most.
CALIBRATED_BY = 100


@dataclass(frozen=True, eq=False)
class Predictor:
    """A surrogate and what its estimates are multiplied by; `Predictor.load("darcy.pt", problem)`."""

    surrogate: Surrogate
    calibration: Calibration = PLAIN

    @classmethod
    def load(cls, path: str | os.PathLike[str], problem: Problem, mesh: Mesh | None = None) -> Predictor:
        """That of a file which `train` wrote. Raises CheckpointError as `load_surrogate` does."""
        surrogate, about = load_surrogate(path, problem, mesh), read_archive(Path(path))[0]["about"]
        try:
            return cls(surrogate, Calibration.from_json(about["calibration"]) if "calibration" in about else PLAIN)
        except (KeyError, TypeError, ValueError) as error:
            cure = "train it again"
            message = f"the surrogate in '{path}' is not whole"
            raise CheckpointError(message, expected="a calibration", got=str(error), cure=cure) from error

    def __call__(
        self, inputs: Mapping[str, Any], *, tolerance: float | None = None, expect: float | None = None
    ) -> Iterator[Solution]:
        """The answers to draws, (b, p) at corners and (b,) by name, each a Solution with its own verdict.

        tolerance: what is estimated to be further off is mended by sweeps of the true operator, or solved. expect: the
        error at which an answer is good, by default 1e-2.
        """
        given = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in inputs.items()}
        began = time.perf_counter()
        u = self.surrogate.predict(given)
        each = (time.perf_counter() - began) / len(u)
        options: Any = {"tolerance": tolerance, "expect": expect, "calibration": self.calibration, "seconds": each}
        for row in range(len(u)):
            draw = {name: value[row].numpy() for name, value in given.items()}
            yield prediction(self.estimator, u[row], draw, surrogate=type(self.surrogate.settings).__name__, **options)

    def draw(self, number: int, *, seed: int = 0, **options: Any) -> Solution:
        """The answer to the draw of this number."""
        family = self.surrogate.family
        return next(iter(self(Draws(family.problem, family.mesh, seed)([number]), **options)))

    @cached_property
    def estimator(self) -> Estimator:
        """What tells how far off predictions are, set up once."""
        return Estimator.of(self.surrogate.family)


def calibrated(surrogate: Surrogate, samples: Samples) -> Calibration:
    """The factor by which estimates for some of the samples hold, which no network was trained on."""
    few = samples.of(samples.numbers[:CALIBRATED_BY].tolist())
    u, estimator = surrogate.predict(few.inputs), Estimator.of(surrogate.family)
    estimates = [estimator(u[row], few.draw(row)) for row in range(len(few))]
    true = [estimator.against(e.fields, u.numpy()) for e, u in zip(estimates, few.outputs, strict=True)]
    return Calibration.fitted([each.worst for each in estimates], [each.worst for each in true])
