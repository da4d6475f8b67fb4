"""The discrete equations of random problems, against the ordinary problems that they are for a draw."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml import Equation, Mesh, Problem, Weak, div, dot, grad, reference
from pinnml.elements import table
from pinnml.errors import ProblemError
from pinnml.problem import GaussianField, LogNormalField, Uniform, at_corners
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family
from tests.helpers.places import MESHES

MESH = Mesh.read(MESHES / "two_materials.msh")


def poisson(power: float = 0.0, **more) -> Problem:
    """-div(k (1 + u^power)) grad u = load, u = wall around."""
    return Problem(
        domain=MESH,
        fields=("u",),
        equations=(
            Equation(lambda u, k, load: -div(k * (1 + power * u**2) * grad(u)) - load, name="balance"),
            Equation(lambda u, wall: u - wall, on="boundary", name="wall"),
        ),
        weak=Weak(lambda u, v, k, load: k * (1 + power * u**2) * dot(grad(u), grad(v)) - load * v),
        random={"k": LogNormalField(0.3, 0.7), "load": Uniform(1, 5), "wall": Uniform(0, 1), **more},
    )


def one(problem: Problem, number: int = 0) -> dict[str, np.ndarray]:
    return {name: each[0] for name, each in Draws(problem, MESH, seed=3)([number]).items()}


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("degree", [1, 2])
def test_a_member_is_the_classical_answer_to_the_problem_of_its_draw(power, degree):
    problem = poisson(power)
    family, draw = Family.of(problem, degree=degree), one(problem)
    assert family.is_linear == (power == 0)
    ordinary = problem.with_values(
        {"k": at_corners(MESH, draw["k"]), "load": float(draw["load"]), "wall": float(draw["wall"])}
    )
    expected = reference(ordinary, degree=degree)
    nodes = family.parts.spaces["u"].nodes.numpy()
    numbers = family.solve(draw).u.numpy()
    # Newton's method ends at 1e-9 of the fields
    np.testing.assert_allclose(numbers, expected(nodes)["u"], atol=2e-9)
    assert np.abs(family.solve(one(problem, 1)).u.numpy() - numbers).max() > 1e-2


def test_conditions_on_values_may_be_random_fields():
    problem = poisson(wall=GaussianField(0.3))
    draw = one(problem)
    family = Family.of(problem)
    u, x = family.solve(draw).u.numpy(), MESH.cells.points
    outside = (np.abs(x - 0.5) > 0.5 - 1e-9).any(axis=1)
    np.testing.assert_allclose(u[outside], draw["wall"][outside], rtol=1e-12)


def test_the_residual_is_zero_where_the_fields_are_free_and_its_matrix_is_its_derivative():
    problem = poisson(0.5)
    family, draw = Family.of(problem), one(problem)
    held, found = family.constraint(draw), family.solve(draw)
    left = held.free.T @ family.residual(found.u, draw).numpy()
    assert np.linalg.norm(left) < 1e-11 * np.linalg.norm(family.residual(0 * found.u, draw).numpy())
    u = torch.randn(family.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    along, h = torch.ones_like(u).cumsum(0).sin(), 1e-6
    slope = (family.residual(u + h * along, draw) - family.residual(u - h * along, draw)) / (2 * h)
    # central differences of a cubic: h^2, and round-off over h
    np.testing.assert_allclose(family.matrix(u, draw) @ along.numpy(), slope.numpy(), atol=1e-7)


def test_the_residual_is_differentiable_in_the_draw():
    problem = poisson()
    family = Family.of(problem)
    draw = {name: torch.as_tensor(value).requires_grad_() for name, value in one(problem).items()}
    u = torch.randn(family.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    test = torch.randn(family.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (slope,) = torch.autograd.grad(test @ family.residual(u, draw), draw["k"])
    along, h = torch.randn(len(slope), generator=torch.Generator().manual_seed(3), dtype=torch.float64), 1e-5
    moved = [family.residual(u, {**draw, "k": draw["k"].detach() + s * h * along}).detach() for s in (1, -1)]
    assert slope @ along == pytest.approx(float(test @ (moved[0] - moved[1]) / (2 * h)), rel=1e-8)  # linear in k


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("mesh", ["two_materials", "square_quads", "cube"])
def test_values_at_corners_are_taken_to_the_nodes(mesh, degree):
    on = Mesh.read(MESHES / f"{mesh}.msh")
    family = Family.of(replace(poisson(), domain=on), degree=degree)
    space, corners = family.parts.spaces["u"], family.parts.corners
    points = torch.from_numpy(np.array(space.element.on(space.cells.kind).points))
    dense = torch.zeros(space.size, corners.size, dtype=torch.float64)
    # cell by cell into a full matrix, the last one to have its say on a node that several share
    dense[space.dofs.unsqueeze(2), corners.dofs.unsqueeze(1)] = table(corners, points)[0].expand(
        len(space.dofs), -1, -1
    )
    np.testing.assert_allclose(family.corners_to_nodes.toarray(), dense.numpy(), atol=1e-14)
    # linear functions are themselves; no node needs more corners than its cell has
    slope = np.arange(1.0, 1 + space.nodes.shape[1])
    found = family.corners_to_nodes @ (corners.nodes.numpy() @ slope)
    np.testing.assert_allclose(found, space.nodes.numpy() @ slope, atol=1e-13)
    assert np.diff(family.corners_to_nodes.indptr).max() <= corners.dofs.shape[1]


def test_refused():
    with pytest.raises(ProblemError, match="nothing in the problem is random"):
        Family.of(poisson().with_values({"k": 1.0, "load": 1.0, "wall": 0.0}))
    with pytest.raises(ProblemError, match="weak form"):
        Family.of(replace(poisson(), weak=()))
