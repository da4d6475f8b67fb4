"""pinnml: partial differential equations solved by neural networks, with the care of a numerical method."""

from pinnml.calculus import cross, curl, div, dot, grad, laplacian, normal_derivative
from pinnml.checkpoint import load
from pinnml.domains import Box, Graded, Parameter, Periodic, Points
from pinnml.networks import KAN, MLP, Features, MultichannelMLP, Wrapped
from pinnml.problem import Equation, Problem
from pinnml.recipe import Recipe
from pinnml.solution import Solution
from pinnml.solve import solve
from pinnml.solvers import LBFGS, LSGD, Adam, LevenbergMarquardt, Multilevel, Schedule

__all__ = [
    "KAN",
    "LBFGS",
    "LSGD",
    "MLP",
    "Adam",
    "Box",
    "Equation",
    "Features",
    "Graded",
    "LevenbergMarquardt",
    "MultichannelMLP",
    "Multilevel",
    "Parameter",
    "Periodic",
    "Points",
    "Problem",
    "Recipe",
    "Schedule",
    "Solution",
    "Wrapped",
    "cross",
    "curl",
    "div",
    "dot",
    "grad",
    "laplacian",
    "load",
    "normal_derivative",
    "solve",
]
