"""Draws of what is random: numbers, and Gaussian fields at the corners of a mesh."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import splu
from scipy.spatial.distance import cdist
from scipy.special import gamma, kv

from pinnml.calculus import dot, grad
from pinnml.domains import Mesh
from pinnml.elements import Discretisation, Element
from pinnml.errors import SettingsError
from pinnml.problem import Equation, GaussianField, Problem, Weak, at_corners, check_random

#: The most corners whose exact covariance is factorised: 8 p^2 bytes, p^3 / 3 operations.
MOST_EXACT = 6000


@dataclass(frozen=True, eq=False)
class Draws:
    """Everything random of a problem on a mesh with p corners, by number of the draw: repeatable, in any order.

    Each number of each draw has a stream of its own of `seed`: a draw is the same whichever others are drawn beside it.
    """

    problem: Problem
    mesh: Mesh
    seed: int = 0

    def __call__(self, numbers: Iterable[int]) -> dict[str, np.ndarray]:
        """By name (b, p) for fields, (b,) for numbers, of draws with these numbers."""
        numbers = list(numbers)
        found: dict[str, np.ndarray] = {}
        for place, (name, distribution) in enumerate(self.problem.random.items()):
            streams = [np.random.default_rng([self.seed, place, number]) for number in numbers]
            if isinstance(distribution, GaussianField):
                white = np.stack([stream.standard_normal(self.corners) for stream in streams])
                gaussian = distribution.mean + distribution.deviation * self._roots[name](white)
                found[name] = distribution.values(gaussian)
            else:
                found[name] = np.array([distribution.drawn(stream) for stream in streams])
        return found

    @cached_property
    def corners(self) -> int:
        """P."""
        return len(self.mesh.cells.numbered(0)[1])

    @cached_property
    def _roots(self) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
        """By field what makes draws of unit deviation (b, p) of white noise (b, p)."""
        fields = {name: each for name, each in self.problem.random.items() if isinstance(each, GaussianField)}
        roots = {"spde": spde_root, "covariance": covariance_root}
        return {name: roots[field.method](self.mesh, field.length) for name, field in fields.items()}


def with_draw(problem: Problem, number: int, *, seed: int = 0, mesh: Mesh | None = None) -> Problem:
    """The problem with draw `number` of a seed in the place of what is random: an ordinary one, for every solver.

    mesh: whose corners random fields have values at, by default the problem's own. Raises ProblemError where nothing is
    random, SettingsError for a field without a mesh.
    """
    check_random(problem)
    found: Any = problem.domain if mesh is None else mesh
    if not isinstance(found, Mesh):
        got, cure = repr(found), 'give one: mesh=Mesh.read("plate.msh"); pinnml solve --reference plate.msh'
        raise SettingsError("a draw has values at the corners of a mesh", expected="a Mesh", got=got, cure=cure)
    drawn = Draws(problem, found, seed)([number])
    values = {name: at_corners(found, v[0]) if v.ndim == 2 else float(v[0]) for name, v in drawn.items()}
    return replace(problem.with_values(values), name=f"{problem.name}, draw {number}".removeprefix(", "))


def spde_root(mesh: Mesh, length: float) -> Callable[[np.ndarray], np.ndarray]:
    """White noise w (b, p) to fields scale (K + M / length^2)^-1 M^1/2 w, with lumped masses M and stiffness K.

    scale makes the deviation one on all of space (Lindgren, Rue and Lindstrom, J. R. Stat. Soc. B 73, 2011, eq. 2
    and section 2.3), and so about one far from walls.
    """
    d, kappa = len(mesh.axes.space), 1 / length
    nu = 2 - d / 2
    scale = kappa**nu * math.sqrt((4 * math.pi) ** (d / 2) / gamma(nu))
    mass = bilinear_matrix(mesh, lambda u, v: u * v)
    lumped = np.asarray(mass.sum(axis=1)).ravel()
    stiffness = bilinear_matrix(mesh, lambda u, v: dot(grad(u), grad(v)))
    # positive definite: no pivot is off the diagonal, which SuperLU's symmetric mode relies on
    options: Any = {"options": {"SymmetricMode": True}, "diag_pivot_thresh": 0.0, "permc_spec": "MMD_AT_PLUS_A"}
    factors = splu((stiffness + kappa**2 * diags_array(lumped)).tocsc(), **options)
    return lambda white: scale * factors.solve((white * np.sqrt(lumped)).T).T


def covariance_root(mesh: Mesh, length: float) -> Callable[[np.ndarray], np.ndarray]:
    """White noise w (b, p) to fields w L^T with the Matern covariance L L^T of the corners, nu = 2 - d / 2.

    Raises SettingsError for a mesh with too many corners.
    """
    points = mesh.cells.points[mesh.cells.numbered(0)[1][:, 0]]
    if len(points) > MOST_EXACT:
        cure = 'draw by method="spde"'
        expected, got = f"a mesh of at most {MOST_EXACT} corners", str(len(points))
        raise SettingsError("the exact covariance of a field", expected=expected, got=got, cure=cure)
    values, vectors = np.linalg.eigh(matern(cdist(points, points) / length, 2 - points.shape[1] / 2))
    root = vectors * np.sqrt(values.clip(min=0.0))  # round-off makes the smallest negative
    return lambda white: white @ root.T


def matern(distance: np.ndarray, nu: float) -> np.ndarray:
    """2^(1 - nu) / Gamma(nu) r^nu K_nu(r), and 1 at r = 0."""
    r = np.maximum(distance, np.finfo(float).tiny ** 0.25)
    return np.where(distance > 0, 2 ** (1 - nu) / gamma(nu) * r**nu * kv(nu, r), 1.0)


def bilinear_matrix(mesh: Mesh, integrand: Callable[..., object], degree: int = 1) -> csr_array:
    """The matrix of a bilinear form of one scalar field u, tested with v, in Lagrange elements on a mesh (p, p)."""
    problem = Problem(
        domain=mesh, fields=("u",), equations=(Equation(lambda u: u, on="boundary", name="wall"),), weak=Weak(integrand)
    )
    parts = Discretisation.build(problem, mesh, {"u": Element("P", degree)})
    return parts.form(torch.device("cpu")).jacobian(torch.zeros(parts.size, dtype=torch.float64)).to_scipy()
