"""Broken statements without a solution: conditions, data or sources that contradict each other."""

from __future__ import annotations

from math import pi

import numpy as np
import torch

from pinnml import Box, Equation, laplacian
from scripts.statements.conditions import slope, slopes, value, values
from scripts.statements.drawing import Draw
from scripts.statements.elliptic import scalar
from scripts.statements.measured import fit
from scripts.statements.statement import Known, Posed, size


def _laplace(u):
    return laplacian(u)


def unbalanced(draw: Draw) -> Posed:
    """Slopes on all faces that the source does not balance, with a mean or without."""
    known = scalar(draw, draw.one_of("x", "xy", "xyz"), length=1.0)
    more = _curvature(known) * draw.power(0.03, 3) * draw.one_of(-1, 1)
    mean = [known.law(value, name="mean", integral=True)] if draw.often(0.5) else []
    source = _shifted(known.law(_laplace), more)
    return known.broken(source, slopes(known), *mean)


def _curvature(known: Known) -> float:
    """Of the second derivatives of u, about."""
    return 10 * size(known) / float(np.max(np.diff(np.asarray(known.domain.bounds)))) ** 2


def _shifted(equation: Equation, by: float) -> Equation:
    """The same with another right side."""
    first = equation.residual

    def residual(**given):
        return first(**given) - by

    residual.__signature__ = first.__signature__  # pyright: ignore
    return Equation(residual, on=equation.on, name=equation.name, integral=equation.integral)


def three_conditions(draw: Draw) -> Posed:
    """A value and a slope at one end and a value at the other, of which one is wrong."""
    known = scalar(draw, "x", length=1.0)
    wrong = _shifted(slopes(known, "x=min"), size(known) * draw.power(0.1, 3))
    return known.broken(known.law(_laplace), values(known), wrong)


def wrong_total(draw: Draw) -> Posed:
    """Values at both ends and an integral that is wrong."""
    known = scalar(draw, "x", length=1.0)
    total = known.law(value, name="total", integral=True)
    return known.broken(known.law(_laplace), values(known), _shifted(total, size(known) * draw.power(0.1, 3)))


def pinned(draw: Draw) -> Posed:
    """A value inside that the equations contradict."""
    known = scalar(draw, draw.one_of("x", "xy"), length=1.0)
    n = len(known.domain.axes.names)
    data = known.measured(0.3 + 0.4 * draw.array(1, n), errors=size(known) * draw.power(0.1, 3))
    return known.broken(known.law(_laplace), values(known), fit("pin"), data={"pin": data})


def sensors_disagree(draw: Draw) -> Posed:
    """Two sets of values at the same places that differ by a constant, and nothing else that tells."""
    box = draw.box("x")
    known = Known(box, {"u": draw.shape(box, size=1.0)})
    places, n = draw.array(draw.whole(5, 40), 1), draw.power(0.05, 1)
    data = {"one": known.measured(places), "other": known.measured(places, errors=n)}
    other = Equation(lambda u, value: u - value, on="other", name="other fit")
    return known.broken(known.law(_laplace), values(known, "x=min"), fit("one"), other, data=data)


def wrong_data(draw: Draw) -> Posed:
    """Measured values with an offset, and a number that cannot make up for it."""
    box, a = Box(t=(0, draw.power(0.5, 2))), draw.number(-2, 2)
    known = Known(box, {"u": draw.shape(box, size=1.0)}, parameters={"a": a})
    wave, height = draw.number(3, 6), draw.power(0.05, 1)

    def law(u, a):
        return u.d("t") - a * u

    places = np.sort(draw.array(40, 1), axis=0)
    data = known.measured(places, errors=height * np.sin(wave * pi * places[:, 0]))
    laws = (known.law(law), fit("sensors"), known.law(value, on="initial", name="first"))
    return known.broken(*laws, data={"sensors": data}, parameters={"a": a + draw.number(-1, 1)})


def off_resonance_source(draw: Draw) -> Posed:
    """u'' + k^2 u = f at a resonance with a source that excites it: no solution stays finite."""
    side, halves = draw.power(0.5, 2), draw.whole(1, 3)
    box, height = Box(x=(0, side)), draw.power(0.1, 10)
    wave = halves * pi / side

    def balance(u, x):
        return u.d("xx") + wave**2 * u - height * torch.sin(wave * x)

    known = Known(box, {"u": lambda x: 0 * x})
    return known.broken(Equation(balance), Equation(value, on="boundary", name="ends"))


def beyond_the_fold(draw: Draw) -> Posed:
    """u'' + c exp(u) = 0 between zeros, c above 3.52: no solution (Bratu)."""
    c = draw.number(4.2, 12)

    def balance(u):
        return u.d("xx") + c * torch.exp(u)

    known = Known(Box(x=(0, 1)), {"u": lambda x: 0 * x})
    return known.broken(Equation(balance), Equation(value, on="boundary", name="ends"))


def blow_up(draw: Draw) -> Posed:
    """u' = c u^2 from u(0) = 1 beyond the time 1 / c at which it has become infinite."""
    c = draw.power(0.3, 3)

    def growth(u):
        return u.d("t") - c * u**2

    def first(u):
        return u - 1

    known = Known(Box(t=(0, draw.number(1.3, 2.5) / c)), {"u": lambda t: 0 * t})
    return known.broken(Equation(growth), Equation(first, on="initial"))


def wrong_flux(draw: Draw) -> Posed:
    """Values around and a total flux through one side that is not theirs."""
    known = scalar(draw, "xy", length=1.0)
    amount = size(known) * draw.power(0.3, 3)
    flux = _shifted(known.law(slope, on="x=max", name="flux"), amount)
    return known.broken(known.law(_laplace), values(known), flux)


def two_starts(draw: Draw) -> Posed:
    """Heat with a beginning and an end that do not belong together."""
    box = draw.box("xt", time=draw.power(0.1, 0.5))
    known = Known(box, {"u": draw.shape(box)})

    def heat(u):
        return u.d("t") - u.d("xx")

    start = known.law(value, on="t=0", name="start")
    end = _shifted(known.law(value, on="t=max", name="end"), size(known) * draw.power(0.1, 2))
    return known.broken(known.law(heat), values(known), start, end)
