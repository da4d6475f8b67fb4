"""What the command line and the records of runs call the solvers."""

from __future__ import annotations

from pinnml.solvers.base import Solver
from pinnml.solvers.gradient import LBFGS, Adam
from pinnml.solvers.levenberg_marquardt import LevenbergMarquardt
from pinnml.solvers.lsgd import LSGD
from pinnml.solvers.multilevel import Multilevel

SOLVERS: dict[str, type[Solver]] = {
    "lsgd": LSGD,
    "lm": LevenbergMarquardt,
    "adam": Adam,
    "lbfgs": LBFGS,
    "multilevel": Multilevel,
}
