"""Statements that have one solution which is hard to come by: a good verdict must be right, none is asked for."""

from __future__ import annotations

from math import sqrt

import torch

from pinnml import Box, Equation, div, grad, laplacian
from scripts.statements.conditions import value, values
from scripts.statements.drawing import Draw, Shape, bump
from scripts.statements.elliptic import scalar
from scripts.statements.solids_and_flows import plane
from scripts.statements.statement import Known, Posed


def _laplace(u):
    return laplacian(u)


def unseen_source(draw: Draw) -> Posed:
    """A source too narrow for the points."""
    known = scalar(draw, draw.one_of("x", "xy", "xyz"), length=1.0)
    shape = known.fields["u"]
    assert isinstance(shape, Shape)
    n = len(shape.bounds)
    width = draw.power(1e-4, 1e-3) if n == 1 else draw.power(2e-3, 8e-3)
    peak = bump(0.3 * width ** (-n / 2), 0.2 + 0.6 * draw.array(n), width)
    known = Known(known.domain, {"u": Shape(shape.bounds, (*shape.parts, peak), shape.size)})
    return known.posed(known.law(_laplace), values(known))


def unseen_charge(draw: Draw) -> Posed:
    """-u'' = a narrow source of integral q: u is q times the Green's function, beside a smooth part."""
    smooth = draw.shape(Box(x=(0, 1)), smooth=True)
    width, at, charge = draw.power(1e-5, 1e-3), draw.number(0.2, 0.8), draw.number(1, 5) * smooth.size

    def true(x):
        z = (x - at) / width
        ramp = width * (z * 0.5 * (1 + torch.erf(z / sqrt(2))) + torch.exp(-(z**2) / 2) / sqrt(6.283185307179586))
        return smooth(x) - charge * ramp

    def balance(u, x):
        source = charge / (width * sqrt(6.283185307179586)) * torch.exp(-(((x - at) / width) ** 2) / 2)
        return -u.d("xx") + smooth(x).d("xx") - source

    known = Known(Box(x=(0, 1)), {"u": true})
    return known.posed(Equation(balance), values(known))


def nearly_incompressible(draw: Draw) -> Posed:
    """-laplacian(w) - (1 + lambda) grad(div w) = f with lambda up to a million."""
    known, lame = plane(draw), draw.power(1e2, 1e6)

    def balance(w):
        spread = grad(div(w))
        return tuple(-laplacian(part) - (1 + lame) * each for part, each in zip(w, spread, strict=True))

    return known.posed(known.law(balance), known.law(lambda w: w, on="boundary", name="held"), functions=120)


def backward_heat(draw: Draw) -> Posed:
    """u_t = -k u_xx + f forwards: unstable, though analytic data have one solution."""
    box = draw.box("xt", time=draw.power(0.02, 1))
    known = Known(box, {"u": draw.shape(box)})

    def balance(u):
        return u.d("t") + u.d("xx")

    return known.posed(known.law(balance), values(known), known.law(value, on="initial", name="start"))


def cauchy(draw: Draw) -> Posed:
    """laplacian(u) = f with u and u_y on one side alone (Hadamard)."""
    known = scalar(draw, "xy", length=1.0)

    def both(u):
        return u, u.d("y")

    return known.posed(known.law(_laplace), known.law(both, on="y=min"))


def near_resonance(draw: Draw) -> Posed:
    """u'' + k^2 u = f, a millionth from a resonance."""
    box, halves = Box(x=(0, 1)), draw.whole(1, 4)
    known, off = Known(box, {"u": draw.shape(box)}), draw.power(1e-9, 1e-2)
    square = (halves * 3.141592653589793) ** 2 * (1 + off)

    def balance(u):
        return u.d("xx") + square * u

    return known.posed(known.law(balance), values(known))


def growing(draw: Draw) -> Posed:
    """u' = a (u - g) + g' with a L of 10 to 40: what is lost at the start grows by exp(a L)."""
    box, rate = Box(t=(0, 1)), draw.number(10, 40)
    known = Known(box, {"u": draw.shape(box)})

    def law(u):
        return u.d("t") - rate * u

    return known.posed(known.law(law), known.law(value, on="initial", name="first"))


def long_oscillation(draw: Draw) -> Posed:
    """u'' + w^2 sin u = f over many periods."""
    box, w = Box(t=(0, draw.number(4, 9))), draw.number(6, 13)
    known = Known(box, {"u": draw.shape(box, size=draw.number(0.5, 1.5))})

    def swing(u):
        return u.d("tt") + w**2 * torch.sin(u)

    def state(u):
        return u, u.d("t") / w

    return known.posed(known.law(swing), known.law(state, on="initial"), functions=100)


def jump_by_where(draw: Draw) -> Posed:
    """(k u')' = 0 from 0 to 1, where k jumps by a switch; the flux is continuous."""
    ratio, at = draw.power(2, 100), draw.number(0.3, 0.7)
    total = at + (1 - at) / ratio

    def true(x):
        return torch.where(x < at, x, at + (x - at) / ratio) / total

    def balance(u, x):
        return (torch.where(x < at, 1 + 0 * x, ratio + 0 * x) * u.d("x")).d("x")

    def ends(u, x):
        return u - x

    known = Known(Box(x=(0, 1)), {"u": true})
    return known.posed(Equation(balance), Equation(ends, on="boundary"))


def fine_waves(draw: Draw) -> Posed:
    """-laplacian(u) = f with waves finer than the basis."""
    box = Box(x=(0, 1), y=(0, 1))
    smooth, waves = draw.shape(box, smooth=True), draw.number(40, 150)
    height = smooth.size * draw.power(0.03, 1)

    def true(x, y):
        return smooth(x, y) + height * torch.sin(waves * x) * torch.sin(waves * y)

    known = Known(box, {"u": true})
    return known.posed(known.law(_laplace), values(known))


def singular_corner(draw: Draw) -> Posed:
    """laplacian(u) = 0, u = r^a cos(a phi) with a below two, smooth but at a corner."""
    power = draw.number(0.5, 1.9)

    def true(x, y):
        radius, angle = torch.sqrt(x**2 + y**2), torch.atan2(y, x)
        return radius**power * torch.cos(power * angle)

    known = Known(Box(x=(0, 1), y=(0, 1)), {"u": true})

    def edge(u, x, y):
        r2 = x**2 + y**2 + 1e-300
        return u - torch.exp(power / 2 * torch.log(r2)) * torch.cos(power * torch.atan2(y, x))

    return known.posed(Equation(_laplace, name="laplace"), Equation(edge, on="boundary"))
