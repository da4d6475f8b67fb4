"""Finite elements on meshes: spaces of Lagrange, Nedelec and Raviart-Thomas functions, their values and integrands."""

from pinnml.elements.assembly import Patch, Piece
from pinnml.elements.element import Element, check_elements
from pinnml.elements.form import Form
from pinnml.elements.interpolation import interpolate
from pinnml.elements.pointwise import Carried, Integrand
from pinnml.elements.space import Space
from pinnml.elements.sparse import SparseMatrix
from pinnml.elements.tabulation import Tabulated, at_places, evaluated, lift, table, tabulated

__all__ = [
    "Carried",
    "Element",
    "Form",
    "Integrand",
    "Patch",
    "Piece",
    "Space",
    "SparseMatrix",
    "Tabulated",
    "at_places",
    "check_elements",
    "evaluated",
    "interpolate",
    "lift",
    "table",
    "tabulated",
]
