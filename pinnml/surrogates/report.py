"""What a surrogate is worth: its errors on test draws beside those of simple predictors, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pinnml.output.files import replacing
from pinnml.output.notebook import as_table


@dataclass(frozen=True)
class Row:
    """Relative L2 errors of a predictor over test draws, its seconds a draw, and the settings chosen for it."""

    name: str
    mean: float
    median: float
    worst: float
    seconds: float
    settings: Mapping[str, float]

    @classmethod
    def of(cls, name: str, errors: np.ndarray, seconds: float, settings: Mapping[str, float]) -> Row:
        """From the error of each draw."""
        return cls(name, float(errors.mean()), float(np.median(errors)), float(errors.max()), seconds, dict(settings))


@dataclass(frozen=True)
class Report:
    """rows: a predictor each, the surrogate last. seconds: of training; solve_seconds: of one finite-element solve."""

    rows: tuple[Row, ...]
    training_draws: int
    test_draws: int
    seconds: float
    solve_seconds: float

    @property
    def surrogate(self) -> Row:
        """That of the surrogate."""
        return self.rows[-1]

    @property
    def best_baseline(self) -> Row:
        """The predictor without a network that has the least mean error."""
        return min(self.rows[:-1], key=lambda row: row.mean)

    @property
    def summary(self) -> str:
        """In one line: the error, that of the best baseline, the speed beside a solve."""
        own, best = self.surrogate, self.best_baseline
        faster = self.solve_seconds / own.seconds
        speed = (
            f"{faster:.3g} times as fast as a solve" if faster > 1 else f"{1 / faster:.3g} times SLOWER than a solve"
        )
        word = "below" if own.mean < best.mean else "NOT below"
        return (
            f"relative L2 error {own.mean:.2e} (worst {own.worst:.1e}) over {self.test_draws} test draws, {word} "
            f"{best.mean:.2e} of the best baseline ({best.name}); {speed}"
        )

    def __str__(self) -> str:
        lines = [f"{row.name:24} {row.mean:9.2e} {row.worst:9.2e} {1e3 * row.seconds:9.2f} ms" for row in self.rows]
        head = f"{'predictor':24} {'error':>9} {'worst':>9} {'a draw':>12}"
        return "\n".join([head, *lines, self.summary])

    def _repr_html_(self) -> str:
        rows = [
            (row.name, f"error {row.mean:.2e}, worst {row.worst:.2e}, {1e3 * row.seconds:.2f} ms") for row in self.rows
        ]
        return as_table(self.summary, rows)

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)

    def write(self, path: Path) -> Path:
        """Write it as JSON."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=2) + "\n")
        return path
