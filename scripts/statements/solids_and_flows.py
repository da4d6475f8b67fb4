"""Well-posed statements of several fields in space: elastic bodies, slow and not so slow flows."""

from __future__ import annotations

from pinnml import div, dot, grad, laplacian
from pinnml.calculus import Vector
from scripts.statements.drawing import Draw
from scripts.statements.statement import Known, Posed


def plane(draw: Draw, pressure: bool = False, smooth: bool = False, size: float | None = None) -> Known:
    """A vector field w in the plane, and a pressure p."""
    box = draw.box("xy")
    size = draw.power(0.1, 10) if size is None else size
    fields: dict = {"w": tuple(draw.shape(box, size=size, smooth=smooth) for _ in range(2))}
    if pressure:
        fields["p"] = draw.shape(box, size=size, smooth=smooth)
    return Known(box, fields, {"w": 2, "p": float} if pressure else {"w": 2})


def stress(w, lame: float, shear: float) -> Vector:
    """lambda div w 1 + mu (grad w + grad w^T), by rows."""
    (a, b), (c, d) = grad(w)
    spread = lame * (a + d)
    return Vector(
        (Vector((spread + 2 * shear * a, shear * (b + c))), Vector((shear * (b + c), spread + 2 * shear * d)))
    )


def _values(w):
    return w


def elasticity(draw: Draw) -> Posed:
    """-div stress(w) = f, displacements on some faces and tractions on the others, in any units."""
    known, shear = plane(draw), draw.power(0.1, 10) * draw.unit()
    lame = shear * draw.power(0.3, 5)

    def balance(w):
        return tuple(-div(row) for row in stress(w, lame, shear))

    def traction(w, normal):
        return tuple(dot(row, normal) for row in stress(w, lame, shear))

    laws = [known.law(balance)]
    loaded = draw.one_of((), ("x=max",), ("x=max", "y=max"))
    held = tuple(face for face in ("x=min", "x=max", "y=min", "y=max") if face not in loaded)
    laws.append(known.law(_values, on=held, name="held"))
    if loaded:
        laws.append(known.law(traction, on=loaded))
    return known.posed(*laws, functions=130)


def stokes(draw: Draw) -> Posed:
    """-mu laplacian(w) + grad p = f, div w = g, velocities around and the mean of p."""
    known, viscosity = plane(draw, pressure=True), draw.power(0.1, 10)

    def momentum(w, p):
        return tuple(-viscosity * laplacian(part) + slope for part, slope in zip(w, grad(p), strict=True))

    def mass(w):
        return div(w)

    laws = (known.law(momentum), known.law(mass), known.law(_values, on="boundary", name="wall"))
    return known.posed(*laws, known.law(lambda p: p, name="mean", integral=True), functions=120)


def navier_stokes(draw: Draw) -> Posed:
    """w . grad w - nu laplacian(w) + grad p = f, div w = g at a Reynolds number of ten or so."""
    known, viscosity = plane(draw, pressure=True, smooth=True, size=1.0), draw.power(0.3, 3)

    def momentum(w, p):
        rows = zip(w, grad(p), strict=True)
        return tuple(dot(w, grad(part)) - viscosity * laplacian(part) + slope for part, slope in rows)

    def mass(w):
        return div(w)

    laws = (known.law(momentum), known.law(mass), known.law(_values, on="boundary", name="wall"))
    return known.posed(*laws, known.law(lambda p: p, name="mean", integral=True), functions=100)
