"""Tables on grids: tensor-product splines through all values, with their Taylor coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from string import ascii_lowercase

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import MultiIndex, interval_of, pieces, series, windows
from pinnml.errors import ProblemError, ShapeError

#: The degree of the spline by the kind of interpolation.
DEGREES = {"cubic": 3, "linear": 1}
#: Points this far outside, in lengths of the table, count as inside.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class GridTable:
    """A tensor product of splines: sum over i, j, ... of c_ij... B_i(x) B_j(y) ...

    knots: by axis, (N_i + r_i,), r_i being the order, degree + 1. coefficients: (N_1, ..., N_d, components).
    """

    knots: tuple[Tensor, ...]
    orders: tuple[int, ...]
    coefficients: Tensor

    @classmethod
    def through(cls, axes: Sequence[np.ndarray], values: np.ndarray, kind: str) -> GridTable:
        """The spline through values (m_1, ..., m_d, components) on a grid of increasing places.

        kind: "cubic" for twice differentiable splines, without a knot next to either end, as SciPy's CubicSpline; of
        fewer than four places a polynomial. "linear" for straight lines between the places.
        """
        from scipy.interpolate import make_interp_spline

        knots, orders, coefficients = [], [], values
        for axis, places in enumerate(axes):
            degree = min(DEGREES[kind], len(places) - 1)
            spline = make_interp_spline(places, np.moveaxis(coefficients, axis, 0), k=degree)
            coefficients = np.moveaxis(spline.c, 0, axis)
            knots.append(torch.from_numpy(spline.t))
            orders.append(degree + 1)
        return cls(tuple(knots), tuple(orders), torch.from_numpy(np.ascontiguousarray(coefficients)))

    @property
    def bounds(self) -> Tensor:
        """The first and the last place along every axis, (d, 2)."""
        return torch.stack([t[[0, -1]] for t in self.knots])

    def held(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Points (n, d) moved into the table, and along which axes they were inside, (n, d); rounding is no matter."""
        low, high = self.bounds.to(x).unbind(1)
        margin = ROUNDING * (high - low)
        inside = (x >= low - margin) & (x <= high + margin)
        return torch.where(inside, x, x.clamp(low, high)), inside

    def taylor(self, x: Tensor, order: int) -> dict[MultiIndex, Tensor]:
        """The Taylor coefficients of total order `order` at most at x (n, d), (n, components) each; zeros left out."""
        local, places = [], []
        for axis in range(len(self.knots)):
            first, functions = self._local(axis, x[:, axis], order)
            local.append(functions)
            places.append(first.unsqueeze(1) + torch.arange(self.orders[axis], device=x.device))
        around = self._gathered(places, x.dtype)
        letters = ascii_lowercase[: len(local)]
        rule = f"n{letters}z,{','.join(f'n{letter}' for letter in letters)}->nz"
        powers = product(*(range(len(functions)) for functions in local))
        return {
            index: torch.einsum(rule, around, *(f[k].to(around.dtype) for f, k in zip(local, index, strict=True)))
            for index in powers
            if sum(index) <= order
        }

    def _local(self, axis: int, x: Tensor, order: int) -> tuple[Tensor, list[Tensor]]:
        """The first function along an axis that is not zero at x (n,), and Taylor coefficients (n, r) of the r."""
        starts, widths, polynomials = (part.to(x.device, x.dtype) for part in self._pieces[axis])
        first = interval_of(torch.cat([starts, starts[-1:] + widths[-1:]]), x)
        width = widths[first]
        order = min(order, self.orders[axis] - 1)
        return first, series(polynomials[first], (x - starts[first]) / width, width, order)

    @cached_property
    def _pieces(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of every axis the starts and widths of intervals, and the functions that are not zero on them."""
        found = []
        for t, order in zip(self.knots, self.orders, strict=True):
            inner = t[order - 1 : len(t) - order + 1]
            found.append((inner[:-1], inner.diff(), pieces(windows(t, order))))
        return found

    def _gathered(self, places: list[Tensor], dtype: torch.dtype) -> Tensor:
        """The coefficients around every point, (n, r_1, ..., r_d, components)."""
        shaped = [
            each.reshape(len(each), *(-1 if axis == other else 1 for other in range(len(places))))
            for axis, each in enumerate(places)
        ]
        coefficients = self.coefficients.to(places[0].device)[tuple(shaped)]
        return coefficients.to(dtype.to_complex() if coefficients.is_complex() else dtype)


def checked_grid(axes: Sequence[np.ndarray], values: np.ndarray) -> None:
    """Raise ShapeError or ProblemError for places and values that make no table."""
    for number, places in enumerate(axes):
        name = "xs" if len(axes) == 1 else f"xs[{number}]"
        if places.ndim != 1 or len(places) < 2:
            got = f"shape {places.shape}"
            raise ShapeError(f"{name} of a table", expected="two places or more, (m,)", got=got, cure="flatten it")
        if not np.isfinite(places).all() or not (np.diff(places) > 0).all():
            wrong = int(np.flatnonzero(~(np.diff(places) > 0))[0]) if np.isfinite(places).all() else None
            got = "NaN or infinity" if wrong is None else f"{places[wrong]:g} before {places[wrong + 1]:g}"
            cure = "sort both: order = np.argsort(xs); xs[order], values[order]; one value at each place"
            raise ProblemError(f"{name} of a table", expected="finite places that increase", got=got, cure=cure)
    shape = tuple(len(places) for places in axes)
    if values.shape[: len(shape)] != shape or values.ndim > len(shape) + 1:
        cure = "values[i, j] belongs to xs[0][i] and xs[1][j]" if len(shape) > 1 else "one value for each of xs"
        expected = f"shape {shape}, or one axis more for the components of a vector"
        raise ShapeError("the values of a table", expected=expected, got=f"shape {values.shape}", cure=cure)
    if not np.isfinite(values).all():
        count = math.prod(values.shape) - int(np.isfinite(values).sum())
        raise ProblemError(
            "the values of a table", expected="finite numbers", got=f"{count} that are not", cure="leave those rows out"
        )
