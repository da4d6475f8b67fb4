"""Well-posed nonlinear statements: reactions, nonlinear diffusion, waves that steepen, oscillators."""

from __future__ import annotations

import torch

from pinnml import Box, div, grad, laplacian
from scripts.statements.conditions import value, values
from scripts.statements.drawing import Draw
from scripts.statements.evolution import start
from scripts.statements.statement import Known, Posed


def scalar(draw: Draw, axes: str, size: float = 1.0, **settings) -> Known:
    """One smooth field of about this size."""
    box = draw.box(axes, **settings)
    return Known(box, {"u": draw.shape(box, size=size, smooth=draw.often(0.5))})


def reaction(draw: Draw) -> Posed:
    """-laplacian(u) + r(u) = f with r rising: u^3, sinh u or exp u."""
    known, rate = scalar(draw, draw.one_of("x", "xy"), draw.number(0.5, 2)), draw.power(0.3, 10)
    rise = draw.one_of(lambda u: u**3, torch.sinh, torch.exp)

    def balance(u):
        return -laplacian(u) + rate * rise(u)

    return known.posed(known.law(balance), values(known), functions=100)


def nonlinear_diffusion(draw: Draw) -> Posed:
    """-div((1 + a u^2) grad u) = f."""
    known, a = scalar(draw, draw.one_of("x", "xy")), draw.power(0.1, 2)

    def balance(u):
        return -div((1 + a * u**2) * grad(u))

    return known.posed(known.law(balance), values(known), functions=100)


def phase_field(draw: Draw) -> Posed:
    """u_t - k u_xx + u^3 - u = f."""
    known, k = scalar(draw, "xt"), draw.power(0.02, 0.5)

    def balance(u):
        return u.d("t") - k * u.d("xx") + u**3 - u

    return known.posed(known.law(balance), start(known), values(known), functions=100)


def burgers(draw: Draw) -> Posed:
    """u_t + u u_x - nu u_xx = f."""
    known, viscosity = scalar(draw, "xt"), draw.power(0.03, 0.5)

    def balance(u):
        return u.d("t") + u * u.d("x") - viscosity * u.d("xx")

    return known.posed(known.law(balance), start(known), values(known), functions=120)


def soliton(draw: Draw) -> Posed:
    """Korteweg-de Vries, u_t + 6 u u_x + u_xxx = 0: a soliton of speed c, 2 conditions right and 1 left."""
    speed, at = draw.number(1, 4), draw.number(-1, 1)
    box = Box(x=(-5, 6), t=(0, draw.number(0.2, 1)))

    def true(x, t):
        return speed / 2 / torch.cosh(speed**0.5 / 2 * (x - speed * t - at)) ** 2

    known = Known(box, {"u": true})

    def balance(u):
        return u.d("t") + 6 * u * u.d("x") + u.d("xxx")

    def right(u):
        return u, u.d("x")

    laws = (known.law(balance), start(known), known.law(value, on="x=min", name="left"))
    return known.posed(*laws, known.law(right, on="x=max"), functions=150)


def pendulum(draw: Draw) -> Posed:
    """u'' + w^2 sin u = f from its state."""
    known, w = scalar(draw, "t", draw.number(0.5, 2), time=draw.power(0.5, 3)), draw.power(0.5, 6)

    def swing(u):
        return u.d("tt") + w**2 * torch.sin(u)

    def state(u):
        return u, u.d("t") / w

    return known.posed(known.law(swing), known.law(state, on="initial"))


def populations(draw: Draw) -> Posed:
    """Lotka-Volterra with sources."""
    box = Box(t=(0, draw.power(0.5, 2)))
    shapes = [draw.shape(box, size=0.3, smooth=True) for _ in range(2)]
    high = [draw.number(1, 3) for _ in range(2)]
    known = Known(box, {"a": lambda t: high[0] + shapes[0](t), "b": lambda t: high[1] + shapes[1](t)})
    rates = [draw.number(0.3, 1.5) for _ in range(4)]

    def growth(a, b):
        return a.d("t") - rates[0] * a + rates[1] * a * b, b.d("t") - rates[2] * a * b + rates[3] * b

    def first(a, b):
        return a, b

    return known.posed(known.law(growth), known.law(first, on="initial"))


def decay(draw: Draw) -> Posed:
    """y' = -k y^n + f, stiff now and then."""
    known, k, n = scalar(draw, "t", time=1.0), draw.power(0.5, 50), draw.one_of(2, 3)

    def law(u):
        return u.d("t") + k * u * torch.sqrt(1 + u ** (2 * (n - 1)))

    return known.posed(known.law(law), start(known))
