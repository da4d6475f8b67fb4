"""Well-posed statements of what is at rest: diffusion, waves of one frequency, plates and beams."""

from __future__ import annotations

from itertools import product
from math import pi
from pathlib import Path

import numpy as np
import torch

from pinnml import Box, Mesh, Parameter, div, grad, laplacian, normal_derivative
from scripts.statements.conditions import any_conditions, slopes, value, values
from scripts.statements.drawing import Draw, Shape, bump
from scripts.statements.statement import Known, Posed

MESHES = Path(__file__).resolve().parents[2] / "meshes"
#: A wave number this near a resonance, relatively, is not drawn; and it waves so many times at most.
NEAR, WAVES = 0.03, 4.0


def scalar(draw: Draw, axes: str, length: float | None = None, periodic: str = "") -> Known:
    """One unknown field u, in any units."""
    box = draw.box(axes, length=draw.unit() if length is None else length, periodic=periodic)
    return Known(box, {"u": draw.shape(box, size=draw.power(0.1, 10) * draw.unit())})


def longest(known: Known) -> float:
    """The longest side of the box."""
    return float(np.max(np.diff(np.asarray(known.domain.bounds))))


def poisson(draw: Draw, axes: str) -> Posed:
    """-k laplacian(u) + c u = f."""
    known, k = scalar(draw, axes), draw.power(0.1, 10) * draw.unit()
    c = draw.one_of(0.0, k / longest(known) ** 2 * draw.power(0.1, 30))

    def balance(u):
        return -k * laplacian(u) + c * u

    return known.posed(known.law(balance), *any_conditions(draw, known))


def slopes_and_mean(draw: Draw) -> Posed:
    """Slopes on all faces, and the mean."""
    known = scalar(draw, draw.one_of("x", "xy"))
    mean = known.law(value, name="mean", integral=True)
    return known.posed(known.law(_laplace), slopes(known), mean)


def conduction(draw: Draw) -> Posed:
    """-div(k grad u) = f with a coefficient that varies."""
    known = scalar(draw, "xy", length=1.0)
    assert isinstance(known.domain, Box)
    variation = draw.shape(known.domain, size=draw.number(0.2, 1.0), smooth=True)

    def balance(u, x, y):
        return -div(torch.exp(variation(x, y)) * grad(u))

    return known.posed(known.law(balance), *any_conditions(draw, known))


def carried(draw: Draw) -> Posed:
    """-k_x u_xx - k_y u_yy - k_xy u_xy + b . grad u + c u = f."""
    known = scalar(draw, "xy", length=1.0)
    kx, ky = draw.power(0.1, 1), draw.power(0.1, 1)
    kxy = draw.number(-1, 1) * (kx * ky) ** 0.5
    b, c = (draw.number(-3, 3), draw.number(-3, 3)), draw.number(0, 3)

    def balance(u):
        flow = b[0] * u.d("x") + b[1] * u.d("y")
        return -kx * u.d("xx") - ky * u.d("yy") - kxy * u.d("xy") + flow + c * u

    return known.posed(known.law(balance), values(known))


def layer(draw: Draw) -> Posed:
    """-eps u'' + b u' = f with a layer at one end, of a width that functions can follow."""
    eps, b = draw.power(0.02, 0.2), draw.one_of(-1.0, 1.0)
    box = Box(x=(0, 1))
    smooth, height = draw.shape(box, smooth=True), draw.number(0.5, 2)

    def true(x):
        end = x - 1 if b > 0 else -x
        return smooth(x) + height * torch.exp(end / eps)

    def balance(u):
        return -eps * u.d("xx") + b * u.d("x")

    known = Known(box, {"u": true})
    return known.posed(known.law(balance), values(known))


def periodic(draw: Draw) -> Posed:
    """-k laplacian(u) + b u_x + c u = f, periodic along x, or along both."""
    around = draw.one_of("x", "xy")
    known, b, c = scalar(draw, "xy", length=1.0, periodic=around), draw.number(-3, 3), draw.power(0.3, 10)

    def balance(u):
        return -laplacian(u) + b * u.d("x") + c * u

    return known.posed(known.law(balance), *([] if around == "xy" else any_conditions(draw, known)))


def helmholtz(draw: Draw) -> Posed:
    """laplacian(u) + k^2 u = f with values around, away from resonances."""
    known = scalar(draw, draw.one_of("x", "xy"))
    sides = np.diff(np.asarray(known.domain.bounds))[:, 0]
    own = [sum((pi * m / a) ** 2 for m, a in zip(ms, sides, strict=True)) for ms in _modes(len(sides))]
    square = 0.0
    while not square or any(abs(square / each - 1) < NEAR for each in own):
        square = (draw.number(0.2, WAVES) * pi / float(sides.max())) ** 2

    def balance(u):
        return laplacian(u) + square * u

    return known.posed(known.law(balance), values(known))


def _modes(n: int) -> list[tuple[int, ...]]:
    """The numbers of half waves along n axes."""
    return list(product(range(1, 30), repeat=n))


def impedance(draw: Draw) -> Posed:
    """laplacian(u) + k^2 u = f, complex, with walls that let waves out: u_n - i k u = g."""
    box = draw.box(draw.one_of("x", "xy"))
    k = draw.number(1, 3 * pi)
    real, imaginary = draw.shape(box), draw.shape(box)
    known = Known(box, {"u": lambda *at: real(*at) + 1j * imaginary(*at)}, {"u": complex})

    def balance(u):
        return laplacian(u) + k**2 * u

    def open_wall(u, normal):
        return normal_derivative(u, normal) - 1j * k * u

    return known.posed(known.law(balance), known.law(open_wall, on="boundary"))


def plate(draw: Draw) -> Posed:
    """laplacian^2 u = f, clamped or supported."""
    known = scalar(draw, "xy", length=1.0)

    def bending(u):
        return laplacian(laplacian(u))

    clamped = draw.often(0.5)
    second = slopes(known) if clamped else known.law(_laplace, on="boundary", name="moment")
    return known.posed(known.law(bending), values(known), second)


def beam(draw: Draw) -> Posed:
    """(EI w'')'' = q in SI units: one end clamped, the other clamped, supported or free."""
    span, stiffness = draw.power(0.1, 30), draw.power(1e2, 1e8)
    box = Box(x=(0, span))
    known = Known(box, {"w": draw.shape(box, size=draw.power(1e-4, 1e-1))})

    def load(w):
        return stiffness * w.d("xxxx")

    def held(w):
        return w, w.d("x") * span

    def supported(w):
        return w, w.d("xx") * span**2

    def free(w):
        return w.d("xx") * stiffness, w.d("xxx") * stiffness

    end = draw.one_of(held, supported, free)
    return known.posed(known.law(load), known.law(held, on="x=min"), known.law(end, on="x=max", name="end"))


def first_order(draw: Draw) -> Posed:
    """div s + c u = f and s + k grad u = g, fluxes and values as fields of their own."""
    box = draw.box("xy")
    k, c = draw.power(0.3, 3), draw.number(0, 2)

    def balance(s, u):
        return div(s) + c * u

    def law(s, u):
        return tuple(a + k * b for a, b in zip(s, grad(u), strict=True))

    known = Known(box, {"u": draw.shape(box), "s": (draw.shape(box), draw.shape(box))}, {"u": float, "s": 2})
    return known.posed(known.law(balance), known.law(law), values(known), functions=120)


def half_slopes(draw: Draw) -> Posed:
    """u'' = f with u at one end and the integral of u."""
    known = scalar(draw, "x")
    total = known.law(value, name="total", integral=True)
    return known.posed(known.law(_laplace), values(known, draw.one_of("x=min", "x=max")), total)


def parametric(draw: Draw) -> Posed:
    """-(1 + p) u_xx + p u = f for a range of p."""
    low = draw.power(0.1, 3)
    box = Box(x=(0, draw.power(0.5, 2)), p=Parameter(low, low * draw.number(1.5, 4)))
    known = Known(box, {"u": draw.shape(box)})

    def balance(u, p):
        return -(1 + p) * u.d("xx") + p * u

    return known.posed(known.law(balance), *any_conditions(draw, known))


def on_a_mesh(draw: Draw) -> Posed:
    """-laplacian(u) + c u = f on a disc, or with a re-entrant corner that u does not feel."""
    mesh = Mesh.read(MESHES / draw.one_of("disc.msh", "l_shape.msh"))
    box = Box(**{axis: tuple(ends) for axis, ends in zip(mesh.axes.names, mesh.bounds.tolist(), strict=True)})
    known, c = Known(mesh, {"u": draw.shape(box)}), draw.number(0, 5)

    def balance(u):
        return -laplacian(u) + c * u

    return known.posed(known.law(balance), values(known))


def narrow(draw: Draw) -> Posed:
    """-laplacian(u) = f with a source that is narrow, but not too narrow to be seen."""
    known = scalar(draw, draw.one_of("x", "xy"), length=1.0)
    shape = known.fields["u"]
    assert isinstance(shape, Shape)
    peak = bump(draw.number(0.5, 2), 0.2 + 0.6 * draw.array(len(shape.bounds)), draw.power(0.03, 0.1))
    known = Known(known.domain, {"u": Shape(shape.bounds, (*shape.parts, peak), shape.size)})
    return known.posed(known.law(_laplace), values(known))


def _laplace(u):
    return laplacian(u)
