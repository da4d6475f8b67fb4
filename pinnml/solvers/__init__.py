"""Solvers: frozen settings that move theta from step to step until they have a reason to stop."""

from pinnml.solvers.base import Report, Solver, Status, Step
from pinnml.solvers.gradient import LBFGS, Adam
from pinnml.solvers.levenberg_marquardt import LevenbergMarquardt, Schedule
from pinnml.solvers.lsgd import LSGD
from pinnml.solvers.multilevel import Multilevel
from pinnml.solvers.registry import SOLVERS
