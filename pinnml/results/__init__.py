"""What comes out of a solve: solutions with their verdicts, how they are kept, read back, shown and compared."""

from pinnml.results.comparison import Comparison, Run, compare
from pinnml.results.loading import load, network_settings
from pinnml.results.provenance import provenance
from pinnml.results.solution import (
    ERROR_POINTS,
    ERROR_SEED,
    Solution,
    errors,
    fields_at,
    known_solution,
    relative_l2,
    value_array,
)
from pinnml.results.verdict import Verdict
from pinnml.results.views import history, panels, snapshots

__all__ = [
    "ERROR_POINTS",
    "ERROR_SEED",
    "Comparison",
    "Run",
    "Solution",
    "Verdict",
    "compare",
    "errors",
    "fields_at",
    "history",
    "known_solution",
    "load",
    "network_settings",
    "panels",
    "provenance",
    "relative_l2",
    "snapshots",
    "value_array",
]
