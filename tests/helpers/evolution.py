"""Problems in time whose solutions are known: transport, a wave, predator and prey."""

from __future__ import annotations

from math import pi

import torch
from scipy.integrate import solve_ivp

from pinnml import Box, Equation, Periodic, Points, Problem


def transport(speed: float = 40.0, periods: float = 1.0) -> Problem:
    """u_t + speed u_x = 0 on a circle: u = exp(cos(x - speed t)) goes round."""

    def carried(u):
        return u.d("t") + speed * u.d("x")

    def start(u, x):
        return u - torch.exp(torch.cos(x))

    def exact(x, t):
        return torch.exp(torch.cos(x - speed * t))

    domain = Box(x=Periodic(0, 2 * pi), t=(0, periods * 2 * pi / speed))
    equations = (Equation(carried), Equation(start, on="initial"))
    return Problem(domain=domain, fields=("u",), equations=equations, exact=exact, name="transport")


def wave(end: float = 1.0) -> Problem:
    """u_tt = 4 u_xx between walls, from rest: sin(pi x) cos(2 pi t) + sin(2 pi x) cos(4 pi t) / 2."""

    def balance(u):
        return u.d("tt") - 4 * u.d("xx")

    def shape(u, x):
        return u - torch.sin(pi * x) - 0.5 * torch.sin(2 * pi * x)

    def rest(u):
        return u.d("t")

    def walls(u):
        return u

    def exact(x, t):
        first, second = torch.sin(pi * x) * torch.cos(2 * pi * t), torch.sin(2 * pi * x) * torch.cos(4 * pi * t)
        return first + 0.5 * second

    equations = (
        Equation(balance),
        Equation(shape, on="t=0", weight=3.0),
        Equation(rest, on="initial"),
        Equation(walls, on="boundary"),
    )
    return Problem(domain=Box(x=(0, 1), t=(0, end)), fields=("u",), equations=equations, exact=exact, name="wave")


def lotka_volterra(end: float = 2.0) -> Problem:
    """Prey u' = 1.5 u - u v and predators v' = u v - 3 v from (1, 1); SciPy's solution to twelve digits beside it."""

    def prey(u, v):
        return u.d("t") - 1.5 * u + u * v

    def predators(u, v):
        return v.d("t") + 3 * v - u * v

    def begin(u, v):
        return u - 1, v - 1

    def rates(_, y):
        return [1.5 * y[0] - y[0] * y[1], y[0] * y[1] - 3 * y[1]]

    found = solve_ivp(rates, (0, end), [1.0, 1.0], "DOP853", dense_output=True, rtol=1e-13, atol=1e-14)

    def reference(points):
        return dict(zip("uv", found.sol(points[:, 0]), strict=True))

    equations = (Equation(prey), Equation(predators), Equation(begin, on="initial"))
    return Problem(domain=Box(t=(0, end)), fields=("u", "v"), equations=equations, reference=reference, name="prey")


def inverse() -> Problem:
    """u' = -k u from 1 with an unknown k, and u measured at one instant."""
    equations = (
        Equation(lambda u, k: u.d("t") + k * u, name="falls"),
        Equation(lambda u: u - 1, on="initial", name="begin"),
        Equation(lambda u, value: u - value, on="seen", name="seen"),
    )
    data = {"seen": Points({"t": [0.5]}, {"value": [0.6]})}
    return Problem(domain=Box(t=(0, 2)), fields=("u",), equations=equations, parameters={"k": 1.0}, data=data)


def decay() -> Problem:
    """u' = -u from 1: the smallest problem in time."""

    def falls(u):
        return u.d("t") + u

    def begin(u):
        return u - 1

    def exact(t):
        return torch.exp(-t)

    equations = (Equation(falls), Equation(begin, on="initial"))
    return Problem(domain=Box(t=(0, 2)), fields=("u",), equations=equations, exact=exact, name="decay")
