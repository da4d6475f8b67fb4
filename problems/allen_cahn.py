"""Allen-Cahn: u_t = eps u_xx + 5 u - 5 u^3 on -1 < x < 1, periodic, 0 < t < 1; u = x^2 cos(pi x) at t = 0.

The stable states are u = 1 and u = -1; fronts between them are about sqrt(eps) wide. The start has slope 2 at x = -1
and -2 at x = 1: a kink where the ends meet, which diffusion rounds off at once. It must not be built in, as by
u = x^2 cos(pi x) + t v: the kink would stay for ever. So the start is an equation.

The reference is a cosine series (the solution is even) by a Runge-Kutta scheme that is exact for the linear part and
of fourth order for the rest (Kassam and Trefethen, doi:10.1137/S1064827502410633), with the exact series of the start.
Twice the modes and steps change it by 4e-10 from t = 0.01 on; before, near the ends alone, by up to 1e-5 at t = 0.001.
"""

from functools import lru_cache
from math import pi

import numpy as np
import torch
from scipy.fft import dct, idct

from pinnml import KAN, Box, Equation, LevenbergMarquardt, Multilevel, Periodic, Problem, Recipe
from pinnml.errors import ProblemError

MODES, STEPS = 1024, 1000


def spectral(points: np.ndarray, eps: float) -> dict[str, np.ndarray]:
    """The solution at points (n, 2), columns x and t."""
    return {"u": interpolated(*steps(eps), points)}


@lru_cache(maxsize=2)
def steps(eps: float) -> tuple[np.ndarray, np.ndarray]:
    """The cosine series at every step, (steps + 1, modes), and its slopes times the step: the same for all points."""
    k, h = np.arange(MODES), 1 / STEPS
    linear = 5 - eps * (pi * k) ** 2
    circle = np.exp(1j * pi * (np.arange(32) + 0.5) / 32)  # means over it are the weights, without cancellation
    z = h * linear[:, None] + circle
    half, first, middle, last = (
        h * part.mean(axis=1).real
        for part in (
            (np.exp(z / 2) - 1) / z,
            (-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3,
            (2 + z + np.exp(z) * (z - 2)) / z**3,
            (-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3,
        )
    )

    def cubic(a):
        padded = np.concatenate([[2 * a[0]], a[1:], np.zeros(MODES)])  # twice the modes, for a cube without aliasing
        values = np.asarray(idct(padded * 2 * MODES, type=2))
        b = np.asarray(dct(values**3, type=2)) / (2 * MODES)
        return -5 * np.concatenate([[b[0] / 2], b[1:MODES]])

    grow, grow_half = np.exp(h * linear), np.exp(h * linear / 2)
    a, series, slopes = cosines_of_start(), [], []
    for _ in range(STEPS + 1):
        n0 = cubic(a)
        series.append(a)
        slopes.append(linear * a + n0)
        p = grow_half * a + half * n0
        n1 = cubic(p)
        n2 = cubic(grow_half * a + half * n1)
        n3 = cubic(grow_half * p + half * (2 * n2 - n0))
        a = grow * a + first * n0 + 2 * middle * (n1 + n2) + last * n3
    return np.array(series), np.array(slopes) * h


def cosines_of_start() -> np.ndarray:
    """a_k of x^2 cos(pi x) = sum_k a_k cos(k pi x), from those of x^2."""
    n = np.arange(1, MODES + 1)
    square = np.concatenate([[1 / 3], 4 * (-1.0) ** n / (n * pi) ** 2])
    a = np.zeros(MODES)
    a[1:] = (square[:-2] + square[2:]) / 2
    a[0], a[1] = square[1] / 2, square[0] + square[2] / 2
    return a


def interpolated(series: np.ndarray, slopes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Cubic in time between the steps, series (steps + 1, modes); the start itself at t = 0."""
    u, k = np.empty(len(points)), np.arange(MODES)
    for begin in range(0, len(points), 1024):
        x, t = points[begin : begin + 1024].T
        i = np.minimum((t * STEPS).astype(int), STEPS - 1)
        s = (t * STEPS - i)[:, None]
        values = (1 + 2 * s) * (1 - s) ** 2 * series[i] + s**2 * (3 - 2 * s) * series[i + 1]
        values += s * (1 - s) ** 2 * slopes[i] - s**2 * (1 - s) * slopes[i + 1]
        found = (values * np.cos(pi * np.outer(x, k))).sum(axis=1)
        u[begin : begin + 1024] = np.where(t == 0, x**2 * np.cos(pi * x), found)
    return u


def problem(eps: float = 1e-4) -> Problem:
    if not eps > 0:
        raise ProblemError("eps", expected="a number above 0", got=eps, cure="fronts need a width: write eps=1e-4")

    def allen_cahn(u):
        return u.d("t") - eps * u.d("xx") + 5 * u**3 - 5 * u

    def start(u, x):
        return u - x**2 * torch.cos(pi * x)

    return Problem(
        domain=Box(x=Periodic(-1, 1), t=(0, 1)),
        fields=("u",),
        equations=(Equation(allen_cahn), Equation(start, on="initial", weight=100)),
        reference=lambda points: spectral(points, eps),
    )


recipe = Recipe(
    network=KAN(8, 2, order=6, intervals=6),
    solver=Multilevel(
        coarse=LevenbergMarquardt(steps=60, patience=10),
        inner=LevenbergMarquardt(steps=100, tolerance=8e-5),
        levels=2,
        oversampling=4,
    ),
    points={"interior": 8000, "initial": 1600},  # fewer at the kink, and the finest level bends between them
    rule="sobol",
    expect=1e-2,
)
