"""pinnml: partial differential equations solved by neural networks, with the care of a numerical method."""

from pinnml.calculus import cross, curl, div, dot, grad, laplacian, normal_derivative
from pinnml.checkpoint import load
from pinnml.domains import Box, Graded, Mesh, Parameter, Periodic, Points, Solid
from pinnml.elements import Element
from pinnml.equation import Equation, Weak
from pinnml.modes import modes
from pinnml.networks import KAN, MLP, Features, MultichannelMLP, Wrapped
from pinnml.problem import Problem
from pinnml.recipe import Recipe
from pinnml.reference import reference
from pinnml.solution import Solution
from pinnml.solve import solve
from pinnml.solvers import LBFGS, LSGD, Adam, LevenbergMarquardt, Multilevel, Schedule
from pinnml.weak_residual import TestSpace

__all__ = [
    "KAN",
    "LBFGS",
    "LSGD",
    "MLP",
    "Adam",
    "Box",
    "Element",
    "Equation",
    "Features",
    "Graded",
    "LevenbergMarquardt",
    "Mesh",
    "MultichannelMLP",
    "Multilevel",
    "Parameter",
    "Periodic",
    "Points",
    "Problem",
    "Recipe",
    "Schedule",
    "Solid",
    "Solution",
    "TestSpace",
    "Weak",
    "Wrapped",
    "cross",
    "curl",
    "div",
    "dot",
    "grad",
    "laplacian",
    "load",
    "modes",
    "normal_derivative",
    "reference",
    "solve",
]
