"""Draws of random fields: their covariance, and that every one is the same whichever others are drawn beside it."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import j0

from pinnml import Equation, Mesh, Problem
from pinnml.errors import SettingsError
from pinnml.problem import GaussianField, LogNormalField, Normal, TwoValuedField, Uniform
from pinnml.surrogates.families import draws as module
from pinnml.surrogates.families.draws import Draws, bilinear_matrix, covariance_root, matern, spde_root
from tests.helpers.places import MESHES


def grid(n: int) -> Mesh:
    """The unit square in 2 n^2 triangles."""
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1))
    a = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    cells = np.concatenate([np.stack([a, a + 1, a + n + 2], 1), np.stack([a, a + n + 2, a + n + 1], 1)])
    return Mesh(np.stack([x.ravel(), y.ravel()], 1), cells, "triangle")


def line(n: int) -> Mesh:
    x = np.linspace(0, 1, n + 1)[:, None]
    return Mesh(x, np.stack([np.arange(n), np.arange(1, n + 1)], 1), "line", axes="x")


def covariance(root, p: int) -> np.ndarray:
    """L L^T of a root w -> w L^T."""
    matrix = root(np.eye(p))
    return matrix.T @ matrix


def test_matern_is_the_transform_of_its_spectrum():
    # in the plane the covariance of (1 - laplacian) g = W is the integral of J0(k r) / (1 + k^2)^2 k dk / 2 pi,
    # and nu = 1; its value at r = 0 is 1 / (4 pi)
    for r in (0.1, 1.0, 3.0):
        found = quad(lambda k, r=r: j0(k * r) * k / (1 + k * k) ** 2, 0, 400, limit=2000)[0] * 2
        assert matern(np.array(r), 1.0) == pytest.approx(found, abs=2e-6)  # the tail beyond 400
    assert matern(np.array([0.0, 1e-9]), 1.0) == pytest.approx(1.0)
    np.testing.assert_allclose(matern(np.array([0.7]), 0.5), np.exp(-0.7), rtol=1e-13)
    np.testing.assert_allclose(matern(np.array([0.7]), 1.5), 1.7 * np.exp(-0.7), rtol=1e-13)


def test_the_spde_gives_the_covariance_of_its_matrices():
    mesh, length = grid(9), 0.15
    mass = np.diag(bilinear_matrix(mesh, lambda u, v: u * v).toarray().sum(axis=1))
    stiffness = bilinear_matrix(mesh, lambda u, v: u.d("x") * v.d("x") + u.d("y") * v.d("y")).toarray()
    inverse = np.linalg.inv(stiffness + mass / length**2)
    expected = 4 * np.pi / length**2 * inverse @ mass @ inverse  # nu = 1: Gamma(1) / (4 pi kappa^2) becomes one
    np.testing.assert_allclose(covariance(spde_root(mesh, length), 100), expected, rtol=1e-11)


@pytest.mark.parametrize(("mesh", "most"), [(grid(40), 0.05), (line(400), 1e-3)], ids=["plane", "line"])
def test_the_spde_has_materns_covariance_and_that_of_images_behind_the_walls(mesh, most):
    length = 0.08
    points, d = mesh.cells.points, mesh.cells.points.shape[1]
    middle = int(np.linalg.norm(points - 0.5, axis=1).argmin())
    row = covariance(spde_root(mesh, length), len(points))[middle]
    images = np.array(list(product((-0.5, 0.5, 1.5), repeat=d)))  # zero slope at a wall mirrors the field
    expected = sum(matern(np.linalg.norm(points - image, axis=1) / length, 2 - d / 2) for image in images)
    # cells are 0.31 and 0.031 lengths: errors of their square
    np.testing.assert_allclose(row, expected, atol=most)


def test_the_exact_covariance():
    mesh = grid(8)
    x = mesh.cells.points
    distance = np.linalg.norm(x[:, None] - x, axis=2) / 0.2
    np.testing.assert_allclose(covariance(covariance_root(mesh, 0.2), len(x)), matern(distance, 1.0), atol=1e-12)


def test_too_many_corners_for_an_exact_covariance(monkeypatch):
    monkeypatch.setattr(module, "MOST_EXACT", 80)
    with pytest.raises(SettingsError, match="spde"):
        covariance_root(grid(8), 0.2)


def random(mesh: Mesh, **inputs) -> Problem:
    names = ", ".join(inputs)
    residual = eval(f"lambda u, {names}: u - " + " - ".join(inputs))
    return Problem(
        domain=mesh,
        fields=("u",),
        equations=(Equation(residual, name="inside"), Equation(lambda u: u, "boundary", name="w")),
        random=inputs,
    )


def test_a_draw_is_the_same_whichever_others_are_drawn():
    problem = random(grid(6), k=LogNormalField(0.2), a=Uniform(1, 5), b=Normal(3, 2))
    draws = Draws(problem, problem.domain, seed=4)
    many, one = draws(range(5)), draws([3])
    for name in "kab":
        # a batch is solved with other blocks: to round-off
        np.testing.assert_allclose(many[name][3], one[name][0], rtol=1e-13)
        assert len(np.unique(np.round(many[name], 6), axis=0)) == 5
    assert not np.allclose(Draws(problem, problem.domain, seed=5)([3])["k"], one["k"])


def test_fields_do_not_share_their_noise():
    problem = random(grid(6), first=GaussianField(0.2), second=GaussianField(0.2))
    found = Draws(problem, problem.domain)(range(400))
    product = (found["first"] * found["second"]).mean(axis=0)
    assert np.abs(product).mean() < 0.25 * np.abs((found["first"] ** 2).mean(axis=0)).mean()


@pytest.mark.parametrize("method", ["spde", "covariance"])
def test_means_and_deviations(method):
    problem = random(
        Mesh.read(MESHES / "disc.msh"),
        g=GaussianField(0.2, 0.5, 2.0, method=method),
        t=TwoValuedField(0.2, low=3, high=12, method=method),
        n=Normal(3, 2),
        a=Uniform(1, 5),
    )
    found = Draws(problem, problem.domain, seed=1)(range(2000))
    points = problem.domain.cells.points[problem.domain.cells.numbered(0)[1][:, 0]]
    inside = np.linalg.norm(points, axis=1) < 0.4
    # 2000 draws: three deviations of a mean are 0.034 of one, of a deviation 0.047
    assert found["g"][:, inside].mean() == pytest.approx(2.0, abs=0.034)
    assert found["g"][:, inside].std() == pytest.approx(0.5, rel=0.1)
    assert set(np.unique(found["t"])) == {3.0, 12.0}
    assert (found["t"] == 12).mean() == pytest.approx(0.5, abs=0.05)
    assert found["n"].mean() == pytest.approx(3, abs=0.15)
    assert found["a"].min() >= 1
    assert found["a"].std() == pytest.approx(4 / np.sqrt(12), rel=0.06)


def test_numbers_of_draws_are_in_the_order_asked_for():
    problem = random(grid(4), a=Uniform(0, 1), k=GaussianField(0.2))
    draws = Draws(problem, problem.domain)
    forward, back = draws([0, 1, 2]), draws([2, 1, 0])
    np.testing.assert_allclose(forward["k"], back["k"][::-1], rtol=1e-12)
    np.testing.assert_array_equal(forward["a"], back["a"][::-1])
    assert torch.from_numpy(forward["k"]).dtype == torch.float64
