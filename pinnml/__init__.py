"""pinnml: partial differential equations solved by neural networks, with the care of a numerical method."""

from pinnml.calculus import cross, curl, div, dot, grad, laplacian, normal_derivative
from pinnml.classical import modes, reference
from pinnml.domains import Box, Graded, Mesh, Parameter, Parts, Periodic, Points, Solid
from pinnml.elements import Element
from pinnml.networks import KAN, MLP, Features, MultichannelMLP, Patches, Wrapped
from pinnml.problem import Equation, GaussianField, LogNormalField, Normal, Problem, TwoValuedField, Uniform, Weak
from pinnml.results import Solution, load
from pinnml.run import Recipe, solve
from pinnml.solvers import LBFGS, LSGD, Adam, LevenbergMarquardt, Multilevel, Schedule
from pinnml.system.weak import TestSpace
from pinnml.tables import interpolated

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
    "GaussianField",
    "Graded",
    "LevenbergMarquardt",
    "LogNormalField",
    "Mesh",
    "MultichannelMLP",
    "Multilevel",
    "Normal",
    "Parameter",
    "Parts",
    "Patches",
    "Periodic",
    "Points",
    "Problem",
    "Recipe",
    "Schedule",
    "Solid",
    "Solution",
    "TestSpace",
    "TwoValuedField",
    "Uniform",
    "Weak",
    "Wrapped",
    "cross",
    "curl",
    "div",
    "dot",
    "grad",
    "interpolated",
    "laplacian",
    "load",
    "modes",
    "normal_derivative",
    "reference",
    "solve",
]
