"""A verdict without complaints, to be spoilt."""

from __future__ import annotations

from pinnml.results import Verdict
from pinnml.solvers import Status

GOOD = Verdict(
    status=Status.CONVERGED,
    relative_l2={"u": 1e-9, "w": 3e-9},
    held_out={"balance": 2e-8, "wall": 1e-9},
    training={"balance": 1e-8, "wall": 1e-9},
    relative={"balance": 1e-9, "wall": 1e-9},
    shares={"balance": 0.7, "wall": 0.3},
    seconds=1.5,
    seconds_verify=0.5,
    steps=3,
    parameters=100,
    residuals=300,
    seed=0,
    device="cpu",
    dtype="float64",
    solver="lsgd",
    network="features",
    expected=1e-8,
)
