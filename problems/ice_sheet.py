"""The glacier of `ice_shelf.py` on ground of which little is known: its friction is random.

    div(H T) = friction a w + rho g H grad s,   friction = mean exp(g)

g is the Gaussian field of (1 / length^2 - laplacian) g = white noise, of standard deviation `deviation`. Where
the ice floats a = 0, and friction does nothing; its flow there feels what happens upstream. All the rest, and the
units, are those of `ice_shelf.py`. The outlet is narrow, and near walls the field is larger: friction goes from a
hundredth of the mean to a hundred times as much in some of the draws. A draw is solved by finite elements:

    pinnml solve problems/ice_sheet.py --draw 7 --solver fem
    pinnml data problems/ice_sheet.py --samples 500 --degree 2 --out ice.h5
"""

from dataclasses import replace
from math import inf, log

import ice_shelf

from pinnml import Equation, LogNormalField, Problem, Recipe, Weak, div, dot
from pinnml.errors import ProblemError


def problem(
    hardness: float = 0.2, mean: float = 0.2, deviation: float = 0.8, length: float = 0.4, inflow: float = 0.5
) -> Problem:
    if not 0 < mean < inf:
        raise ProblemError("mean", expected="a number above 0", got=mean, cure="write mean=0.2")
    known = ice_shelf.problem(hardness=hardness, inflow=inflow)

    def balance(w, y, friction):
        flow = div(ice_shelf.stress(w, hardness) * ice_shelf.thickness(y))
        return flow - friction * ice_shelf.grounded(y) * w - ice_shelf.driving(y)

    def held_back(w, v, y, friction):
        return friction * ice_shelf.grounded(y) * dot(w, v) + dot(ice_shelf.driving(y), v)

    creep, _, pushed = known.weak
    return replace(
        known,
        equations=(Equation(balance, weight=10.0), *known.equations[1:]),
        weak=(creep, Weak(held_back), pushed),
        random={"friction": LogNormalField(length=length, deviation=deviation, mean=log(mean))},
        reference=None,
    )


recipe = Recipe(network=ice_shelf.recipe.network, points=ice_shelf.recipe.points)
