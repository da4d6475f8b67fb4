"""Structured meshes over any coordinates, for the tests of files and pictures; the cells are those of Box.grid."""

from __future__ import annotations

import numpy as np

from pinnml.domains.box import _cells


def grid(*axes: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """The first arguments of a Snapshot: points (n, d), the last axis running fastest, cells, and their kind."""
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    return points, *_cells(tuple(len(axis) for axis in axes))
