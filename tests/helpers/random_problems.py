"""Small random problems on a mesh of triangles, made at the top of a module so that processes can make them too."""

from __future__ import annotations

from pinnml import Equation, Mesh, Problem, Weak, div, dot, grad
from pinnml.problem import LogNormalField, Uniform
from tests.helpers.made_meshes import facet_corners, linear_box


def square(n: int = 6) -> Mesh:
    """The unit square in 2 n^2 triangles, its left side and its left half named."""
    points, cells = linear_box("triangle", n)
    left = facet_corners("triangle", points, cells, 0, 0.0)
    half = (points[cells].mean(axis=1)[:, 0] < 0.5).nonzero()[0]
    return Mesh(points[:, :2], cells, "triangle", parts={"half": half}, faces={"left": left})


def conduction(power: float = 0.0, source: float = 1.0, **more) -> Problem:
    """-div(k (1 + power u^2)) grad u = source load, u = 0 around; k is log-normal, the load uniform."""
    return Problem(
        domain=square(),
        fields=("u",),
        equations=(
            Equation(lambda u, k, load: -div(k * (1 + power * u**2) * grad(u)) - source * load, name="balance"),
            Equation(lambda u: u, on="boundary", name="wall"),
        ),
        weak=Weak(lambda u, v, k, load: k * (1 + power * u**2) * dot(grad(u), grad(v)) - source * load * v),
        random={"k": LogNormalField(0.3, 0.7), "load": Uniform(1, 5)},
        name="conduction",
        **more,
    )
