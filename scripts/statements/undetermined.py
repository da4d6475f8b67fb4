"""Broken statements with more than one solution: a condition, an equation or a measurement is missing."""

from __future__ import annotations

from math import pi

import numpy as np

from pinnml import Box, div, dot, grad, laplacian
from scripts.statements.conditions import faces, slope, slopes, value, values
from scripts.statements.drawing import Draw
from scripts.statements.elliptic import scalar
from scripts.statements.measured import fit
from scripts.statements.solids_and_flows import plane, stress
from scripts.statements.statement import Known, Posed, size


def _laplace(u):
    return laplacian(u)


def missing_end(draw: Draw) -> Posed:
    """A value or a slope at one end of two."""
    known = scalar(draw, "x")
    one = draw.one_of(values, slopes)
    return known.broken(known.law(_laplace), one(known, draw.one_of("x=min", "x=max")))


def missing_side(draw: Draw) -> Posed:
    """Nothing on one side of four, or of six."""
    known = scalar(draw, draw.one_of("xy", "xyz"), length=1.0)
    where = faces(known.domain)
    where.remove(draw.one_of(*where))
    return known.broken(known.law(_laplace), values(known, where))


def no_mean(draw: Draw) -> Posed:
    """Slopes on all faces, which the source does balance, and no mean."""
    known = scalar(draw, draw.one_of("x", "xy", "xyz"), length=1.0)
    return known.broken(known.law(_laplace), slopes(known))


def no_velocity(draw: Draw) -> Posed:
    """A wave without u_t at the start."""
    box = draw.box("xt", time=draw.power(0.5, 2))
    known = Known(box, {"u": draw.shape(box)})

    def wave(u):
        return u.d("tt") - u.d("xx")

    return known.broken(known.law(wave), values(known), known.law(value, on="initial", name="start"))


def no_start(draw: Draw) -> Posed:
    """Heat without its beginning."""
    box = draw.box("xt", time=draw.power(0.05, 0.5))
    known = Known(box, {"u": draw.shape(box)})

    def heat(u):
        return u.d("t") - u.d("xx")

    return known.broken(known.law(heat), values(known))


def no_inflow(draw: Draw) -> Posed:
    """u_t + c u_x = f with u given where it leaves, not where it enters."""
    c = draw.power(0.3, 3)
    box = draw.box("xt", time=0.7 / c)
    known = Known(box, {"u": draw.shape(box)})

    def carried(u):
        return u.d("t") + c * u.d("x")

    return known.broken(known.law(carried), values(known, "x=max"), known.law(value, on="initial", name="start"))


def one_parameter_too_many(draw: Draw) -> Posed:
    """u' = (a - b) u, or u' = a b u: only the difference, or the product, can be known."""
    box = Box(t=(0, draw.power(0.5, 2)))
    a, b, times = draw.number(0.5, 2), draw.number(0.5, 2), draw.often(0.5)
    known = Known(box, {"u": draw.shape(box, size=1.0)}, parameters={"a": a, "b": b})

    def law(u, a, b):
        return u.d("t") - (a * b if times else a - b) * u

    data = known.measured(draw.array(40, 1))
    guess = {"a": draw.number(0.5, 2), "b": draw.number(0.5, 2)}
    return known.broken(known.law(law), fit("sensors"), data={"sensors": data}, parameters=guess)


def no_equation(draw: Draw) -> Posed:
    """Two fields, and what is inside says something of their sum alone."""
    box = draw.box("x")
    known = Known(box, {"a": draw.shape(box), "b": draw.shape(box)})

    def balance(a, b):
        return (a + b).d("xx")

    def ends(a, b):
        return a, b

    return known.broken(known.law(balance), known.law(ends, on="boundary"))


def one_condition_of_a_plate(draw: Draw) -> Posed:
    """laplacian^2 u = f with values around alone."""
    known = scalar(draw, draw.one_of("x", "xy"), length=1.0)
    return known.broken(known.law(lambda u: laplacian(laplacian(u)), name="bending"), values(known))


def floating_body(draw: Draw) -> Posed:
    """An elastic body that is held nowhere: it may move and turn."""
    known, shear = plane(draw), draw.power(0.1, 10)
    lame = shear * draw.power(0.3, 3)

    def balance(w):
        return tuple(-div(row) for row in stress(w, lame, shear))

    def traction(w, normal):
        return tuple(dot(row, normal) for row in stress(w, lame, shear))

    return known.broken(known.law(balance), known.law(traction, on="boundary"), functions=120)


def no_pressure(draw: Draw) -> Posed:
    """Stokes' equations with velocities around: the pressure is free by a constant."""
    known = plane(draw, pressure=True)

    def momentum(w, p):
        return tuple(-laplacian(part) + slope for part, slope in zip(w, grad(p), strict=True))

    wall = known.law(lambda w: w, on="boundary", name="wall")
    return known.broken(known.law(momentum), known.law(lambda w: div(w), name="mass"), wall, functions=110)


def resonance(draw: Draw) -> Posed:
    """u'' + k^2 u = f at a resonance, where its mode may be added."""
    known, halves = scalar(draw, draw.one_of("x", "xy"), length=1.0), draw.whole(1, 3)
    sides = np.diff(np.asarray(known.domain.bounds))[:, 0]
    square = float(sum((halves * pi / side) ** 2 for side in sides))

    def balance(u):
        return laplacian(u) + square * u

    return known.broken(known.law(balance), values(known))


def slopes_of_a_vibration(draw: Draw) -> Posed:
    """The same with slopes."""
    known, halves = scalar(draw, "x", length=1.0), draw.whole(1, 3)
    side = float(np.diff(np.asarray(known.domain.bounds))[0, 0])

    def balance(u):
        return u.d("xx") + (halves * pi / side) ** 2 * u

    return known.broken(known.law(balance), known.law(slope, on="boundary"))


def periodic_without_level(draw: Draw) -> Posed:
    """laplacian(u) = f, periodic along both axes."""
    known = scalar(draw, "xy", length=1.0, periodic="xy")
    return known.broken(known.law(_laplace))


def nonlinear_without_mean(draw: Draw) -> Posed:
    """Nonlinear in the slopes alone, which are given around: free by a constant."""
    known = scalar(draw, "x", length=1.0)
    height = size(known)

    def balance(u):
        return ((1 + (u.d("x") / height) ** 2) * u.d("x")).d("x")

    return known.broken(known.law(balance), slopes(known))
