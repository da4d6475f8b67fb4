"""Harmonic functions on polygons: rational least squares, poles clustered at corners (Gopal and Trefethen, 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


class Harmonic:
    """The function with Laplace u = 0 in a polygon and given values on its sides, as the real part of a rational."""

    def __init__(self, corners: Sequence[complex], values: Callable[[np.ndarray], np.ndarray], poles: int, degree: int):
        corner = np.array(corners)
        after, before = np.roll(corner, -1), np.roll(corner, 1)
        bisector = (after - corner) / abs(after - corner) + (before - corner) / abs(before - corner)
        left = ((after - corner) / (corner - before)).imag > 0  # a convex corner of a polygon that turns left
        outward = np.where(left, -1, 1) * bisector / abs(bisector)
        steps = np.arange(1, poles + 1)
        distance = np.exp(-4 * (np.sqrt(poles) - np.sqrt(steps)))
        self.poles = (corner[:, None] + outward[:, None] * distance).ravel()
        self.scale = np.tile(distance, len(corner))
        self.middle, self.degree = corner.mean() - 0.1, degree
        t = np.tanh(np.linspace(-16, 16, 40 * poles // 4)) / 2 + 0.5  # dense at both ends of every side
        boundary = (corner[:, None] + (after - corner)[:, None] * t).ravel()
        matrix = self._columns(boundary)
        self.coefficients = np.linalg.lstsq(matrix, values(boundary), rcond=1e-14)[0]
        self.misfit = float(np.abs(matrix @ self.coefficients - values(boundary)).max())

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return self._columns(z) @ self.coefficients

    def _columns(self, z: np.ndarray) -> np.ndarray:
        rational = self.scale / (z[:, None] - self.poles)
        powers = ((z[:, None] - self.middle) / 1.5) ** np.arange(self.degree + 1)
        complex_columns = np.concatenate([rational, powers], axis=1)
        return np.concatenate([complex_columns.real, complex_columns.imag], axis=1)
