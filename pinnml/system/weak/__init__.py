"""Networks trained by weak forms: test functions on a mesh, and what a weak form leaves with them."""

from pinnml.system.weak.residual import WeakResidual, weak_residual, weak_residuals
from pinnml.system.weak.space import TestSpace
