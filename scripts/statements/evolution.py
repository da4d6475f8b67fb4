"""Well-posed linear statements in time: heat, waves, what is carried along, and ordinary differential equations."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from pinnml import Box, laplacian
from scripts.statements.conditions import any_conditions, value, values
from scripts.statements.drawing import Draw
from scripts.statements.statement import Known, Posed


def start(known: Known) -> Any:
    """u at the first instant."""
    return known.law(value, on="initial", name="start")


def heat(draw: Draw, axes: str) -> Posed:
    """u_t = k laplacian(u) + f."""
    span, k = draw.unit(), draw.power(0.1, 10) * draw.unit()
    box = draw.box(axes, length=span, time=span**2 / k * draw.power(0.05, 1))
    known = Known(box, {"u": draw.shape(box, size=draw.power(0.1, 10) * draw.unit())})

    def balance(u):
        return u.d("t") - k * laplacian(u)

    return known.posed(known.law(balance), start(known), *any_conditions(draw, known))


def wave(draw: Draw) -> Posed:
    """u_tt = c^2 u_xx + f with u and u_t at the start."""
    span, c = draw.unit(), draw.power(0.3, 3) * draw.unit()
    box = draw.box("xt", length=span, time=span / c * draw.power(0.3, 2))
    known = Known(box, {"u": draw.shape(box)})
    time = float(np.diff(np.asarray(box.bounds))[1, 0])

    def balance(u):
        return u.d("tt") - c**2 * u.d("xx")

    def at_first(u):
        return u, u.d("t") * time

    return known.posed(known.law(balance), known.law(at_first, on="initial"), *any_conditions(draw, known))


def advection(draw: Draw) -> Posed:
    """u_t + c u_x + r u = f, u given where it comes in, or periodic."""
    around = draw.one_of("", "x")
    c, r = draw.power(0.3, 10) * draw.one_of(-1, 1), draw.number(0, 2)
    box = draw.box("xt", time=draw.power(0.3, 2) / abs(c), periodic=around)
    known = Known(box, {"u": draw.shape(box)})

    def balance(u):
        return u.d("t") + c * u.d("x") + r * u

    inflow = [] if around else [values(known, "x=min" if c > 0 else "x=max")]
    return known.posed(known.law(balance), start(known), *inflow)


def advection_diffusion(draw: Draw) -> Posed:
    """u_t + b u_x - k u_xx = f."""
    b, k = draw.number(-5, 5), draw.power(0.02, 1)
    box = draw.box("xt", time=draw.power(0.2, 1))
    known = Known(box, {"u": draw.shape(box)})

    def balance(u):
        return u.d("t") + b * u.d("x") - k * u.d("xx")

    return known.posed(known.law(balance), start(known), *any_conditions(draw, known))


def schroedinger(draw: Draw) -> Posed:
    """i u_t + u_xx = f, complex."""
    box = draw.box("xt", time=draw.power(0.05, 0.5))
    real, imaginary = draw.shape(box), draw.shape(box)
    known = Known(box, {"u": lambda *at: real(*at) + 1j * imaginary(*at)}, {"u": complex})

    def balance(u):
        return 1j * u.d("t") + u.d("xx")

    return known.posed(known.law(balance), start(known), values(known))


def oscillators(draw: Draw) -> Posed:
    """u'' + A u = f, two or three that are coupled, from their state."""
    n = draw.whole(2, 3)
    box = Box(t=(0, draw.power(0.5, 4)))
    roots = draw.array(n, n) - 0.5
    stiffness = (roots @ roots.T + np.eye(n)) * draw.power(0.3, 10)
    known = Known(box, {"u": tuple(draw.shape(box) for _ in range(n))}, {"u": n})

    def motion(u):
        return tuple(u[i].d("tt") + sum(float(stiffness[i, j]) * u[j] for j in range(n)) for i in range(n))

    def state(u):
        return (*u, *(each.d("t") for each in u))

    return known.posed(known.law(motion), known.law(state, on="initial"))


def first_order_system(draw: Draw) -> Posed:
    """y' = A y + f from its start, in time."""
    n = draw.whole(2, 3)
    box = Box(t=(0, draw.power(0.5, 3)))
    matrix = 4 * (draw.array(n, n) - 0.5) - 0.5 * np.eye(n)
    names = ("a", "b", "c")[:n]
    known = Known(box, {name: draw.shape(box) for name in names})

    def rates(*y):
        return tuple(y[i].d("t") - sum(float(matrix[i, j]) * y[j] for j in range(n)) for i in range(n))

    if n == 2:
        return known.posed(known.law(lambda a, b: rates(a, b), name="rates"), known.law(_two, on="initial"))
    return known.posed(known.law(lambda a, b, c: rates(a, b, c), name="rates"), known.law(_three, on="initial"))


def _two(a, b):
    return a, b


def _three(a, b, c):
    return a, b, c


def standing_wave(draw: Draw) -> Posed:
    """E_t = c H_x, H_t = c E_x between conductors: Maxwell's equations along one axis."""
    c = draw.power(0.3, 3)
    box = draw.box("xt", time=draw.power(0.3, 2) / c)
    known = Known(box, {"E": draw.shape(box), "H": draw.shape(box)})

    def ampere(E, H):
        return E.d("t") - c * H.d("x")

    def faraday(E, H):
        return H.d("t") - c * E.d("x")

    def conductor(E):
        return E

    def fields(E, H):
        return E, H

    laws = (known.law(ampere), known.law(faraday), known.law(fields, on="initial"))
    return known.posed(*laws, known.law(conductor, on="boundary"))


def cavity(draw: Draw) -> Posed:
    """Maxwell's equations for Ez, Hx, Hy in the plane and time."""
    box = draw.box("xyt", time=draw.power(0.3, 1))
    known = Known(box, {name: draw.shape(box, smooth=True) for name in ("Ez", "Hx", "Hy")})

    def ampere(Ez, Hx, Hy):
        return Ez.d("t") - Hy.d("x") + Hx.d("y")

    def faraday(Ez, Hx, Hy):
        return Hx.d("t") + Ez.d("y"), Hy.d("t") - Ez.d("x")

    def fields(Ez, Hx, Hy):
        return Ez, Hx, Hy

    def conductor(Ez):
        return Ez

    laws = (known.law(ampere), known.law(faraday), known.law(fields, on="initial"))
    return known.posed(*laws, known.law(conductor, on="boundary"), functions=120)


def curls(draw: Draw) -> Posed:
    """curl curl E + m E = f in the plane, tangential E given."""
    box = draw.box("xy")
    mass = draw.one_of(-1, 1) * draw.power(0.3, 10) if draw.often(0.3) else draw.power(0.3, 10)
    sides = np.diff(np.asarray(box.bounds))[:, 0]
    if mass < 0:  # below the first resonance
        mass = -draw.number(0.1, 0.7) * (pi / float(sides.max())) ** 2
    known = Known(box, {"E": (draw.shape(box), draw.shape(box))}, {"E": 2})

    def balance(E):
        turn = E[1].d("x") - E[0].d("y")
        return turn.d("y") + mass * E[0], -turn.d("x") + mass * E[1]

    def tangential(E, normal):
        return E[1] * normal[0] - E[0] * normal[1]

    return known.posed(known.law(balance), known.law(tangential, on="boundary"), functions=120)
