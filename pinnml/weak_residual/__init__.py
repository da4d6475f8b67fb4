"""Networks trained by weak forms: test functions on a mesh, and what a weak form leaves with them."""

from pinnml.weak_residual.residual import WeakResidual, weak_residual, weak_residuals
from pinnml.weak_residual.space import TestSpace

__all__ = ["TestSpace", "WeakResidual", "weak_residual", "weak_residuals"]
