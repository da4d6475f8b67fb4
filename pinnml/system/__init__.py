"""The system that solvers see: residual rows, their Jacobian, and the loss."""

from pinnml.system.system import System

__all__ = ["System"]
