"""The system that solvers see: residual rows, their Jacobian, and the loss."""

from pinnml.system.blocks import Block
from pinnml.system.interfaces import check_interfaces
from pinnml.system.local_rows import LocalRows, local_rows
from pinnml.system.relative_residual import flux_sizes, relative_residuals, term_sizes
from pinnml.system.switches import check_switches
from pinnml.system.system import System
