"""The classical answer to a weak form by finite elements: a reference solution, Newton's method, eigenmodes."""

from pinnml.classical.eigenmodes import modes
from pinnml.classical.eigensolver import Eigenmodes, eigenmodes
from pinnml.classical.linear import LinearSolver
from pinnml.classical.newton import LAST_STEP, Found, newton
from pinnml.classical.reference import plain_verdict, record_of, reference
