"""Poisson's sine to 1e-9: the default recipe beside quartic finite elements of scikit-fem, in turns.

Both start from the problem as data and end with a solution that can be evaluated; neither is timed while its error is
measured. The mesh is the coarsest uniform one on which the elements reach 1e-9.
"""

# pyright: reportArgumentType=false
# scikit-fem declares its operators for values that its forms hold only at run time.

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np
from skfem import Basis, BilinearForm, ElementTriP4, LinearForm, MeshTri, condense, solve
from skfem.helpers import dot, grad

from problems import poisson

TARGET = 1e-9
CELLS = range(4, 40, 2)


def elements(cells: int) -> tuple[Basis, np.ndarray, float]:
    """The solution on cells x cells x 2 triangles, and seconds."""
    began = time.perf_counter()
    line = np.linspace(0, 1, cells + 1)
    basis = Basis(MeshTri.init_tensor(line, line), ElementTriP4(), intorder=10)

    @BilinearForm
    def stiffness(u, v, w):
        return dot(grad(u), grad(v))

    @LinearForm
    def load(v, w):
        x, y = w.x
        return 2 * np.pi**2 * np.sin(np.pi * x) * np.sin(np.pi * y) * v

    u = solve(*condense(stiffness.assemble(basis), load.assemble(basis), D=basis.get_dofs()))
    return basis, np.asarray(u), time.perf_counter() - began


def elements_error(basis: Basis, u: np.ndarray) -> float:
    """The relative L2 error by the quadrature of the assembly, exact to degree 10."""
    x, y = np.asarray(basis.global_coordinates())
    exact, weight = np.sin(np.pi * x) * np.sin(np.pi * y), basis.dx
    values = np.asarray(basis.interpolate(u))
    return float(np.sqrt((weight * (values - exact) ** 2).sum() / (weight * exact**2).sum()))


def network(seed: int) -> tuple[float, float]:
    """Error and seconds of the default recipe."""
    verdict = poisson.recipe("sine").solve(poisson.problem("sine"), seed=seed).verdict
    assert verdict.error is not None
    return verdict.error, verdict.seconds


def measure(seeds: tuple[int, ...]) -> dict[str, float]:
    cells = next(n for n in CELLS if elements_error(*elements(n)[:2]) <= TARGET)
    network(seeds[0])
    pairs = [(network(seed), elements(cells)) for seed in seeds]
    ours, theirs = ([run[-1] for run in column] for column in zip(*pairs, strict=True))
    return {
        "cells a side": cells,
        "elements, error": elements_error(*pairs[0][1][:2]),
        "network, worst error": max(run[0] for run, _ in pairs),
        "elements, seconds": statistics.median(theirs),
        "network, seconds": statistics.median(ours),
        "ratio": statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    print(json.dumps(measure(tuple(parser.parse_args().seeds)), indent=2))
