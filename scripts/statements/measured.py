"""Well-posed statements with measured values, exact or with noise, and numbers that are found from them."""

from __future__ import annotations

from pinnml import Box, Equation, Parameter, laplacian
from scripts.statements.conditions import values
from scripts.statements.drawing import Draw
from scripts.statements.evolution import start
from scripts.statements.statement import Known, Posed

#: Measured values at least, and at most.
FEW, MANY = 20, 150


def _misfit(u, value):
    return u - value


def conductivity(draw: Draw, noise: bool) -> Posed:
    """k in u_t = k u_xx + f, or in -k u'' + u = f, from measured u; noise of a per cent or so, told or not."""
    axes = draw.one_of("x", "xt")
    box = draw.box(axes, time=0.5)
    k = draw.power(0.2, 3)
    known = Known(box, {"u": draw.shape(box, size=1.0, smooth=noise)}, parameters={"k": k})

    def at_rest(u, k):
        return -k * u.d("xx") + u

    def in_time(u, k):
        return u.d("t") - k * u.d("xx")

    deviation = draw.power(1e-3, 3e-2) if noise else 0.0
    n = draw.whole(FEW, MANY)
    declared = deviation if noise and draw.often(0.5) else None
    places = draw.array(n, len(axes))
    data = known.measured(places, errors=draw.noise(n, deviation) if noise else 0.0, noise=declared)
    laws = [known.law(at_rest if axes == "x" else in_time), values(known), *([start(known)] if axes == "xt" else [])]
    return known.posed(
        *laws, fit("sensors"), data={"sensors": data}, parameters={"k": k * draw.power(0.5, 2)}, functions=80
    )


def fit(on: str) -> Equation:
    """A field is what was measured there."""
    return Equation(_misfit, on=on, name="fit")


def sensors_for_a_side(draw: Draw) -> Posed:
    """-u'' + c u = f with values inside in place of one end."""
    box = draw.box("x")
    known, c = Known(box, {"u": draw.shape(box)}), draw.number(0, 3)

    def balance(u):
        return -laplacian(u) + c * u

    data = known.measured(draw.array(draw.whole(1, 5), 1))
    return known.posed(known.law(balance), values(known, "x=min"), fit("sensors"), data={"sensors": data})


def growth_rate(draw: Draw) -> Posed:
    """a in u' = a u + f from measured u."""
    box, a = Box(t=(0, draw.power(0.5, 2))), draw.number(-2, 2)
    known = Known(box, {"u": draw.shape(box, size=1.0)}, parameters={"a": a})

    def law(u, a):
        return u.d("t") - a * u

    data = known.measured(draw.array(draw.whole(FEW, MANY), 1))
    guess = {"a": a + draw.number(-1, 1)}
    return known.posed(known.law(law), fit("sensors"), data={"sensors": data}, parameters=guess)


def regression(draw: Draw) -> Posed:
    """u = f, in two coordinates of which no derivative is taken."""
    box = Box(x=Parameter(0, draw.power(0.5, 2)), y=Parameter(-1, 1))
    known = Known(box, {"u": draw.shape(box)})
    return known.posed(known.law(lambda u: u, name="same"))
