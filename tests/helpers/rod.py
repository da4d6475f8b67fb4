"""A problem script for tests of the command line, and the files that a run of it leaves."""

#: u'' = f on a line with two ends, u = scale sin(pi x): good in one step, by 30 features.
ROD = '''"""A rod under load.

More of it.
"""
from math import pi
from typing import Literal
import torch
from pinnml import LSGD, Box, Equation, Features, Problem, Recipe

def problem(case: Literal["sine", "cosine"] = "sine", scale: float = 1.0) -> Problem:
    wave = {"sine": torch.sin, "cosine": torch.cos}[case]
    def exact(x):
        return scale * wave(pi * x)
    def bend(u, x):
        return u.d("xx") - exact(x).d("xx")
    def ends(u, x):
        return u - exact(x)
    equations = (Equation(bend), Equation(ends, on="boundary"))
    return Problem(domain=Box(x=(0, 1)), fields=("u",), equations=equations, exact=exact)

def recipe(case: str) -> Recipe:
    return Recipe(Features(30, bandwidth=6.0), LSGD(), 200, expect=1e-9 if case == "sine" else 1e-8)
'''

FILES = {"checkpoint.pt", "config.json", "fields.vtu", "history.csv", "picture.png", "verdict.json"}
