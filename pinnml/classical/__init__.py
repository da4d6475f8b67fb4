"""Finite elements for a problem's weak form: spaces, conditions on values, Newton's method, modes."""

from pinnml.classical.eigenmodes import modes
from pinnml.classical.eigensolver import Eigenmodes, eigenmodes
from pinnml.classical.newton import Found, newton
from pinnml.classical.reference import reference
