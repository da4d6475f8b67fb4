"""Flow through random ground: -div(kappa grad u) = 1 on the unit square with a hole, u = 0 on the walls and around it.

kappa is drawn: log-normal, exp(g), or of two values, 12 where g > 0 and 3 elsewhere. g is the Gaussian field of
(9 - laplacian) g = white noise, so that its correlations fall off over thirds of the square. Nothing is known in
closed form; a draw is solved by finite elements:

    pinnml solve problems/darcy_random.py --draw 7 --solver fem
    pinnml data problems/darcy_random.py --samples 1300 --split 1000,100,200 --out darcy.h5
"""

from pathlib import Path
from typing import Literal

from pinnml import Equation, LogNormalField, Mesh, Problem, Recipe, TwoValuedField, Weak, div, dot, grad

MESH = Path(__file__).parents[1] / "meshes" / "square_with_hole.msh"
#: The random fields by case.
KAPPA = {
    "log-normal": LogNormalField(length=1 / 3, deviation=0.48),
    "two-valued": TwoValuedField(length=1 / 3, low=3.0, high=12.0),
}


def problem(case: Literal["log-normal", "two-valued"] = "log-normal") -> Problem:
    def balance(u, kappa):
        return -div(kappa * grad(u)) - 1

    def wall(u):
        return u

    def flow(u, v, kappa):
        return kappa * dot(grad(u), grad(v)) - v

    return Problem(
        domain=Mesh.read(MESH),
        fields=("u",),
        equations=(Equation(balance), Equation(wall, on="boundary")),
        weak=Weak(flow),
        random={"kappa": KAPPA[case]},
    )


recipe = Recipe(points=2000)
