"""Random problems of several kinds, and predictions of them that are wrong in ways of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pinnml import Equation, Mesh, Problem, Weak, dot, grad
from pinnml.cli.script import load_script
from pinnml.problem import GaussianField, Uniform
from pinnml.surrogates.families.draws import spde_root
from pinnml.surrogates.families.family import Family
from tests.helpers.places import PROBLEMS


def scalar(weak: object, mesh: Mesh, **random: object) -> Problem:
    """A problem of one field that is zero around."""
    equations = (Equation(lambda u: u, name="u"), Equation(lambda u: u, on="boundary", name="wall"))
    return Problem(domain=mesh, fields=("u",), equations=equations, weak=weak, random=random)


def darcy(field: GaussianField, mesh: Mesh) -> Problem:
    """-div(k grad u) = 1."""
    return scalar(lambda u, v, k: k * dot(grad(u), grad(v)) - v, mesh, k=field)


def bending(field: GaussianField, mesh: Mesh) -> Problem:
    """-div(k (1 + u^2) grad u) = 20."""
    return scalar(lambda u, v, k: k * (1 + u**2) * dot(grad(u), grad(v)) - 20 * v, mesh, k=field)


def carried(field: GaussianField, mesh: Mesh, speed: float = 20.0) -> Problem:
    """-div(k grad u) + b . grad u = 1 with b = speed (1/2 - y, x - 1/2)."""

    def weak(u, v, k, x, y):
        along = (0.5 - y) * grad(u)[0] + (x - 0.5) * grad(u)[1]
        return k * dot(grad(u), grad(v)) + (speed * along - 1) * v

    return scalar(weak, mesh, k=field)


def elastic(field: GaussianField, mesh: Mesh) -> Problem:
    """Plane strain under its own weight, held around, of random stiffness k."""

    def weak(u, v, k):
        (a, b), (c, d) = grad(u)
        (e, f), (g, h) = grad(v)
        return k * (2 * (a * e + d * h) + (b + c) * (f + g) + 1.5 * (a + d) * (e + h)) + v[1]

    equations = (Equation(lambda u: u, name="u"), Equation(lambda u: u, on="boundary", name="wall"))
    return Problem(domain=mesh, fields={"u": 2}, equations=equations, weak=weak, random={"k": field})


def walled(field: GaussianField, mesh: Mesh) -> Problem:
    """-div(k grad u) = load, u = wall around: three things are random."""
    return Problem(
        domain=mesh,
        fields=("u",),
        equations=(Equation(lambda u: u, name="u"), Equation(lambda u, wall: u - wall, on="boundary", name="wall")),
        weak=Weak(lambda u, v, k, load: k * dot(grad(u), grad(v)) - load * v),
        random={"k": field, "load": Uniform(1, 5), "wall": GaussianField(0.3, 0.1)},
    )


def glacier(field: GaussianField) -> Problem:
    """The ice shelf with random friction."""
    script = load_script(PROBLEMS / "ice_shelf.py").module
    fixed = script.problem()

    def held_back(w, v, y, friction):
        return friction * script.grounded(y) * dot(w, v) + dot(script.driving(y), v)

    weak = tuple(Weak(held_back) if each.name == "held_back" else each for each in fixed.weak)
    return replace(fixed, weak=weak, reference=None, random={"friction": field})


def wrong(family: Family, u: np.ndarray, size: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Predictions of u (N,) that are off by about `size`: smooth, rough, both, in amplitude, and on the walls."""
    random = np.random.default_rng(seed)
    corners = family.form.corners
    g, h = (
        np.tile(each, family.size // corners) for each in spde_root(family.mesh, 0.3)(random.normal(size=(2, corners)))
    )
    deviation, rough = u.std(), random.normal(size=family.size)
    yield "smooth", u + size * g * u
    yield "rough", u + size * deviation * rough
    yield "kernel", u + size * (h * u + 0.1 * deviation * rough)
    yield "amplitude", (1 + size) * u
    yield "walls", u + size * deviation * (1 + g)
