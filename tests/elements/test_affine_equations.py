"""F(u) = A u + b with A and b affine in nodal parameters, against the form itself."""

import numpy as np
import pytest
import torch

from pinnml import Equation, Mesh, Problem, Weak, dot, grad
from pinnml.elements import Discretisation, Element, SparseMatrix
from tests.helpers.places import MESHES

MESH = Mesh.read(MESHES / "two_materials.msh")
PARAMETERS = {"k": 1.0, "load": 2.0, "push": 0.5, "number": 3.0}


def of(*weak, mesh: Mesh = MESH, fields=("u",), degree: int = 1) -> tuple[Discretisation, object]:
    names = {n for each in weak for n in each.integrand.__code__.co_varnames}
    problem = Problem(
        domain=mesh,
        fields=fields,
        equations=(Equation(lambda u: u, on="boundary", name="wall"),),
        weak=weak,
        parameters={name: value for name, value in PARAMETERS.items() if name in names},
    )
    parts = Discretisation.build(problem, mesh, {name: Element("P", degree) for name in ("u",)})
    return parts, parts.form(torch.device("cpu"))


def compared(parts, form, names, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A u + b from what was found, and the residual, for fields and parameters drawn at random."""
    random = torch.Generator().manual_seed(seed)
    given = {name: torch.rand(form.corners, generator=random, dtype=torch.float64) for name in names}
    u = torch.randn(parts.size, generator=random, dtype=torch.float64)
    matrix, load = form.affine({"number": 3.0}, names)
    nodal = {name: value.unsqueeze(0) for name, value in given.items()}
    numbers, right = matrix.numbers(nodal, 1)[0], load.numbers(nodal, 1)[0]
    found = SparseMatrix(form.pattern, numbers) @ u + right
    return found.numpy(), form.residual(u, {**given, "number": 3.0}).numpy()


@pytest.mark.parametrize("degree", [1, 2])
def test_matrix_and_right_side_make_the_residual(degree):
    parts, form = of(
        Weak(lambda u, v, k, load, number: k * dot(grad(u), grad(v)) + number * u * v - load * v - 2 * v),
        Weak(lambda u, v, push: u * v - push * v, on="boundary"),
        degree=degree,
    )
    found, expected = compared(parts, form, ["k", "load", "push"])
    # sums of some hundred terms of size one
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_vectors():
    parts, form = of(
        Weak(lambda u, v, k, load: k * (dot(grad(u)[0], grad(v)[0]) + dot(grad(u)[1], grad(v)[1])) - load * v[1]),
        fields={"u": 2},
    )
    found, expected = compared(parts, form, ["k", "load"])
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize(
    "weak",
    [
        lambda u, v, k: k * (1 + u**2) * dot(grad(u), grad(v)),
        lambda u, v, k: k.exp() * dot(grad(u), grad(v)),
        lambda u, v, k, load: dot(grad(u), grad(v)) - k * load * v,
        lambda u, v, load: dot(grad(u), grad(v)) - load**2 * v,
    ],
)
def test_what_is_not_affine_is_told(weak):
    _, form = of(Weak(weak))
    names = [name for name in ("k", "load") if name in weak.__code__.co_varnames]
    assert form.affine({"number": 3.0}, names) is None


def test_a_wrong_right_side_would_be_seen():
    parts, form = of(Weak(lambda u, v, load: dot(grad(u), grad(v)) - load * v))
    found, expected = compared(parts, form, ["load"])
    assert np.abs(1.001 * found - expected).max() > 1e-6
