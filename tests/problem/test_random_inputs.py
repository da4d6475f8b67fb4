"""Problems of which something is random, and the ordinary ones that they are for a draw."""

import numpy as np
import pytest
import torch

from pinnml import Box, Equation, Features, Mesh, Problem, Weak, div, dot, grad, reference, solve
from pinnml.errors import PinnmlError, ProblemError, ShapeError, UnknownNameError
from pinnml.problem import GaussianField, LogNormalField, Normal, TwoValuedField, Uniform, at_corners
from tests.helpers.places import MESHES


def family(**random) -> Problem:
    """-(k u')' = load on (0, 1), u = wall at both ends."""
    return Problem(
        domain=Box(x=(0, 1)),
        fields=("u",),
        equations=(
            Equation(lambda u, k, load: -div(k * grad(u)) - load, name="balance"),
            Equation(lambda u, wall: u - wall, on="boundary", name="wall"),
        ),
        random={"k": LogNormalField(0.3), "load": Uniform(1, 5), "wall": Normal(0, 1), **random},
    )


def test_a_draw_put_in_is_an_ordinary_problem():
    # k = 1 + x, load = 2: -( (1 + x) u' )' = 2, u(0) = u(1) = 3: u = 3 - 2 x + 2 log(1 + x) / log 2
    posed = family().with_values({"k": lambda x: 1 + x, "load": 2.0, "wall": 3.0})
    assert not posed.random
    found = solve(posed, network=Features(60), seed=1)
    x = np.linspace(0, 1, 50)
    np.testing.assert_allclose(found(x[:, None])["u"], 3 - 2 * x + 2 * np.log(1 + x) / np.log(2), atol=1e-8)


def test_functions_may_stand_where_axes_are_asked_for_already():
    posed = Problem(
        domain=Box(x=(0, 1), y=(0, 1)),
        fields=("u",),
        equations=(Equation(lambda u, y, k, c=2.0: c * u - y - k, name="same"), Equation(lambda u: u, "x=0", name="w")),
        random={"k": LogNormalField(0.3)},
    ).with_values({"k": lambda x, y: x + 2 * y})
    known = {"u": torch.tensor([1.0]), "x": torch.tensor([3.0]), "y": torch.tensor([5.0])}
    assert posed.equations[0].residual(**known).item() == 2 - 5 - (3 + 10)


def test_a_family_is_not_solved_at_once():
    mesh = Mesh.read(MESHES / "disc.msh")
    with pytest.raises(ProblemError, match=r"random[\s\S]*with_values"):
        solve(family())
    posed = Problem(
        domain=mesh,
        fields=("u",),
        equations=(Equation(lambda u: u, on="boundary", name="wall"),),
        weak=Weak(lambda u, v, k: k * dot(grad(u), grad(v)) - v),
        random={"k": LogNormalField(0.3)},
    )
    with pytest.raises(ProblemError, match="random"):
        reference(posed)


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({"k": 1.0, "load": 2.0}, ProblemError, "no value for the random 'wall'"),
        ({"k": 1.0, "load": 2.0, "wall": 0.0, "kapa": 1.0}, UnknownNameError, "kapa"),
    ],
)
def test_values_for_everything_random_and_nothing_else(values, kind, words):
    with pytest.raises(kind, match=words):
        family().with_values(values)


@pytest.mark.parametrize(
    ("random", "words"),
    [
        ({"k": 3.0}, "Uniform, Normal"),
        ({"x": Uniform(0, 1)}, "cannot both be named 'x'"),
        ({"unused": Uniform(0, 1)}, "no equation uses the random input 'unused'"),
        ({"no name": Uniform(0, 1)}, "cannot be used"),
    ],
)
def test_what_is_declared_random(random, words):
    with pytest.raises(PinnmlError, match=words):
        family(**random)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Uniform(5, 1),
        lambda: Uniform(0, float("nan")),
        lambda: Normal(0, 0),
        lambda: GaussianField(0),
        lambda: LogNormalField(1, -1),
        lambda: TwoValuedField(0.2, low=float("inf")),
        lambda: GaussianField(1, method="fourier"),
    ],
)
def test_distributions_are_checked(wrong):
    with pytest.raises(PinnmlError):
        wrong()


def test_middles_and_forms():
    g = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_allclose(LogNormalField(1, 1).values(g), np.exp(g))
    np.testing.assert_array_equal(TwoValuedField(1, low=3, high=12).values(g), [3, 3, 12])
    assert (Uniform(1, 5).middle, Normal(2, 1).middle, GaussianField(1, 1, 3).middle) == (3, 2, 3)
    assert LogNormalField(1, 1, 2.0).middle == np.exp(2.0)
    assert TwoValuedField(1, low=3, high=12).middle == 7.5


@pytest.mark.parametrize("name", ["square_with_hole", "cube", "disc"])
def test_values_at_corners_are_linear_within_cells(name):
    mesh = Mesh.read(MESHES / f"{name}.msh")
    corners = mesh.cells.points[mesh.cells.numbered(0)[1][:, 0]]
    slopes = np.array([2.0, -3.0, 0.5])[: corners.shape[1]]
    function = at_corners(mesh, 1 + corners @ slopes)
    inside = mesh.sample("interior", 200, torch.Generator().manual_seed(0), "random").x
    inside = inside[inside.norm(dim=1) < 0.9] if name == "disc" else inside  # whose rim is curved
    np.testing.assert_allclose(function(*inside.T).numpy(), 1 + inside.numpy() @ slopes, atol=1e-12)


def test_values_at_corners_in_one_dimension():
    mesh = Mesh(np.array([[0.0], [2.0], [1.0]]), np.array([[0, 2], [2, 1]]), "line", axes="x")
    function = at_corners(mesh, [0.0, 3.0, 1.0])
    np.testing.assert_allclose(function(torch.tensor([0.5, 1.5, 2.0])).numpy(), [0.5, 2.0, 3.0])


def test_values_at_corners_are_refused():
    with pytest.raises(ShapeError, match="one value for each corner"):
        at_corners(Mesh.read(MESHES / "cube.msh"), [1.0, 2.0])
    quads = Mesh.read(MESHES / "square_quads.msh")
    with pytest.raises(ProblemError, match="simplices"):
        at_corners(quads, np.ones(len(quads.cells.points)))
