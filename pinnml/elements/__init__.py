"""Finite elements on meshes: spaces of Lagrange, Nedelec and Raviart-Thomas functions, their values and integrands."""

from pinnml.elements.assembly import Patch, Piece
from pinnml.elements.coefficients import Affine
from pinnml.elements.discretisation import Discretisation
from pinnml.elements.element import Element, check_elements
from pinnml.elements.element_fields import FINITE_ELEMENTS, element_network
from pinnml.elements.essential_conditions import Constraint, constraint, essential
from pinnml.elements.form import Form, Parameters
from pinnml.elements.integral_conditions import Integrals, integrals
from pinnml.elements.pointwise import Carried, Integrand
from pinnml.elements.requirements import checked_mesh, elements_of
from pinnml.elements.space import Space
from pinnml.elements.sparse import Pattern, SparseMatrix
from pinnml.elements.tabulation import at_places, lift, table
