"""Finite elements for a problem's weak form: spaces, conditions on values, Newton's method, modes."""

from pinnml.classical.choices import checked_mesh, elements_of
from pinnml.classical.discretisation import Discretisation
from pinnml.classical.essential import Constraint, constraint, essential
from pinnml.classical.fields import FINITE_ELEMENTS, element_network
from pinnml.classical.modes import Eigenmodes, eigenmodes
from pinnml.classical.newton import Found, newton

__all__ = [
    "FINITE_ELEMENTS",
    "Constraint",
    "Discretisation",
    "Eigenmodes",
    "Found",
    "checked_mesh",
    "constraint",
    "eigenmodes",
    "element_network",
    "elements_of",
    "essential",
    "newton",
]
