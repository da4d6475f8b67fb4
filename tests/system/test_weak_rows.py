"""Weak forms tested with finite-element functions: rows beside assembly and scikit-fem, norms in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skfem
import torch
from skfem.helpers import curl as their_curl
from skfem.helpers import dot as their_dot
from skfem.helpers import grad as their_grad

from pinnml import KAN, MLP, Element, Equation, Features, Mesh, Problem, TestSpace, Weak, curl, dot, grad
from pinnml.domains.reference_cells import quadrature
from pinnml.elements import constraint, element_network, essential
from pinnml.run import Recipe, prepared
from pinnml.system import Block, System
from pinnml.system.weak import weak_residuals
from pinnml.system.weak.residual import BEYOND
from tests.helpers.forms import crooked, discretised, given, posed, uniform, worst

CPU = torch.device("cpu")


def diffusion(u, v, x, y):
    """An integrand that bends, on the whole."""
    return (1 + u**2) * dot(grad(u), grad(v)) - torch.sin(3 * x) * y * v


def outflow(u, v, normal, x):
    return x * u * v * (normal[0] + 2)


def scalar(mesh: Mesh) -> Problem:
    """Over the cells, a part and a face; zero on the west alone in spirit: the values are held on the boundary."""
    weak = (Weak(diffusion), Weak(lambda u, v: 2 * u * v, on="some"), Weak(outflow, on="east"))
    west = Equation(lambda u: u, on="unnamed boundary", name="wall")
    return Problem(domain=mesh, fields="u", equations=(west,), weak=weak)


def vector(mesh: Mesh) -> Problem:
    """Two components, of which rollers hold a combination at every node of the boundary."""

    def weak(T, v, x):
        return dot(grad(T[0]), grad(v[1])) + dot(grad(T[1]), grad(v[0])) + x * dot(T, v) - v[0]

    roller = Equation(lambda T: T[0] + 2 * T[1], on="boundary", name="roller")
    return Problem(domain=mesh, fields={"T": 2}, equations=(roller,), weak=weak)


def edges(mesh: Mesh) -> Problem:
    def weak(E, v, x, y):
        return y * curl(E) * curl(v) - 2 * dot(E, v) + x * v[1]

    conductor = Equation(lambda E, normal: E[0] * normal[1] - E[1] * normal[0], on="boundary", name="conductor")
    return Problem(domain=mesh, fields={"E": 2}, equations=(conductor,), weak=weak)


def system_of(problem: Problem, space: TestSpace, network: Any) -> System:
    """The rows of the weak form alone, of any network."""
    weak, _ = weak_residuals(problem, space)
    blocks = tuple(Block.build(problem, network, (term,), sample, pairing) for term, sample, pairing in weak.parts)
    return System(problem, network, blocks)


CASES = {
    "P1 triangles": (scalar, "triangle", 1),
    "P2 quadrilaterals": (scalar, "quad", 2),
    "P3 triangles": (scalar, "triangle", 3),
    "P2 vectors": (vector, "triangle", 2),
    "P1 vectors": (vector, "quad", 1),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rows_of_a_finite_element_field_are_those_of_assembly(case):
    pose, kind, degree = CASES[case]
    problem = pose(crooked(kind))
    parts = discretised(problem, degree)
    numbers = torch.randn(parts.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    system = system_of(problem, TestSpace(degree), element_network(parts, numbers))
    with torch.no_grad():
        rows = system.residual(system.initial())
    held = constraint(parts, essential(parts, problem.terms))
    full = parts.form(CPU, parts.degree + BEYOND).residual(numbers)
    # the same points and functions, summed by other code; fields are found again at the points to 1e-14
    assert worst(factor_of(system) @ rows, held.free.T @ full.numpy()) < 1e-12


def factor_of(system: System) -> torch.Tensor:
    pairing = system.blocks[-1].pairing
    assert pairing is not None
    return pairing.factor


def values(function: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A function of the axes at points (s, ...), (m, ...), and its slopes by reverse mode, (m, s, ...)."""
    flat = torch.tensor(x.reshape(len(x), -1), requires_grad=True)
    columns = function(*flat)
    slopes = torch.stack([torch.autograd.grad(column.sum(), flat, retain_graph=True)[0] for column in columns])
    u = torch.stack(columns).detach()
    return u.numpy().reshape(-1, *x.shape[1:]), slopes.numpy().reshape(-1, *x.shape)


def norm(right: np.ndarray, gram: Any, free: np.ndarray) -> float:
    """The norm of a functional: sqrt(F . G^-1 F) over free functions."""
    return float(np.sqrt(right[free] @ np.linalg.solve(gram.toarray()[np.ix_(free, free)], right[free])))


def wavy(x, y):
    return (torch.sin(3 * x + y) + x * y**2,)


def turning(x, y):
    return torch.sin(3 * x + y), torch.exp(x) * y**2


def slope_weight(mesh: skfem.MeshTri, element: Any, degree: int) -> skfem.Basis:
    points, weights = quadrature("triangle", 2 * degree + BEYOND)
    return skfem.Basis(mesh, element, quadrature=(points.T.copy(), weights))


def theirs(mesh: Mesh) -> skfem.MeshTri:
    return skfem.MeshTri(mesh.cells.points.T.copy(), mesh.cells.corners.T.copy())


@pytest.mark.parametrize(("degree", "element"), [(1, skfem.ElementTriP1), (2, skfem.ElementTriP2)])
def test_the_norm_of_a_scalar_residual_is_that_of_scikit_fem(degree: int, element: Any):
    mesh = uniform("triangle", 4)
    problem = posed(mesh, diffusion)
    system = system_of(problem, TestSpace(degree), given(problem, wavy))
    basis = slope_weight(theirs(mesh), element(), degree)

    @skfem.LinearForm
    def right(v: Any, w: Any) -> Any:
        (u,), (du,) = values(wavy, w.x)
        return (1 + u**2) * their_dot(du, their_grad(v)) - np.sin(3 * w.x[0]) * w.x[1] * v

    @skfem.BilinearForm
    def inner(u: Any, v: Any, _: Any) -> Any:
        return u * v + their_dot(their_grad(u), their_grad(v))

    free = basis.complement_dofs(basis.get_dofs())
    expected = norm(right.assemble(basis), inner.assemble(basis), free)
    with torch.no_grad():
        found = float(torch.linalg.vector_norm(system.residual(system.initial())))
    assert len(free) == system.n_residuals
    assert found == pytest.approx(expected, rel=1e-12)  # the same points, a Gram matrix of condition 1e2


def test_the_norm_of_an_edge_element_residual_is_that_of_scikit_fem():
    mesh = uniform("triangle", 4)
    problem = edges(mesh)
    space = TestSpace(elements={"E": Element("N1curl", 1)})
    system = system_of(problem, space, given(problem, turning))
    basis = slope_weight(theirs(mesh), skfem.ElementTriN1(), 1)

    @skfem.LinearForm
    def right(v: Any, w: Any) -> Any:
        u, du = values(turning, w.x)
        return w.x[1] * (du[1, 0] - du[0, 1]) * their_curl(v) - 2 * their_dot(u, v) + w.x[0] * v[1]

    @skfem.BilinearForm
    def inner(u: Any, v: Any, _: Any) -> Any:
        return their_dot(u, v) + their_curl(u) * their_curl(v)

    free = basis.complement_dofs(basis.get_dofs())
    with torch.no_grad():
        found = float(torch.linalg.vector_norm(system.residual(system.initial())))
    assert found == pytest.approx(norm(right.assemble(basis), inner.assemble(basis), free), rel=1e-12)


def bubble(x, y):
    return (x * (1 - x) * y * (1 - y),)


def inner_product(u, v):
    return u * v + dot(grad(u), grad(v))


@pytest.mark.parametrize("length", [1.0, 1e3])
def test_a_functional_that_a_function_represents_has_the_norm_of_the_function(length: float):
    # F(v) = (u, v) with u in the space: |F| = |u|, 1/900 for its square and 2/90 for those of its slopes; the norm
    # measures lengths by the extent of the domain, so that in two dimensions it does not know the unit of length
    mesh = uniform("quad", 2)
    stretched = Mesh(mesh.cells.points * length, mesh.cells.nodes[:, mesh.cells.kind.to_file], "quad")
    problem = posed(stretched, lambda u, v: u * v / length**2 + dot(grad(u), grad(v)))
    system = system_of(problem, TestSpace(2), given(problem, bubble))
    with torch.no_grad():
        found = float(torch.linalg.vector_norm(system.residual(system.initial())))
    assert found == pytest.approx(np.sqrt(1 / 900 + 2 / 90), rel=1e-13)


def test_fewer_functions_see_less_and_nothing_is_larger_than_its_parts():
    problem = posed(uniform("quad", 2), inner_product)
    found = []
    for degree in (1, 2):
        system = system_of(problem, TestSpace(degree), given(problem, bubble))
        found.append(float(torch.linalg.vector_norm(system.residual(system.initial()))))
        assert system.rms(system.initial()) == {"weak form": pytest.approx(found[-1], rel=1e-14)}
    relative = system.relative(system.initial())["weak form"]
    assert found[0] < 0.9 * found[1]
    assert 0.5 < relative <= 1  # nothing cancels, but the parts of (u, grad u) do not all lie along one function


@pytest.mark.parametrize(
    "network", [MLP(6, 1, "tanh"), Features(12), KAN(3, intervals=3)], ids=lambda n: type(n).__name__
)
@pytest.mark.parametrize("chunk", [None, 7])
def test_the_jacobian_is_that_of_reverse_mode_in_pieces_too(network: Any, chunk: int | None):
    problem = scalar(crooked("triangle"))
    whole = prepared(problem, Recipe(network, points=20, tests=TestSpace(2)))
    system = whole if chunk is None else whole.in_chunks(chunk)
    generator = torch.Generator().manual_seed(2)
    theta = system.initial() + 0.3 * torch.randn(system.n_params, generator=generator, dtype=torch.float64)
    r, j = system.linearise(theta)
    expected = torch.autograd.functional.jacobian(whole.residual, theta)
    assert worst(r, whole.residual(theta)) < 1e-13
    assert worst(j, expected) < 1e-12
    assert worst(system.jacobian(theta, system.head), expected[:, system.head]) < 1e-12
    _, gradient = system.loss_and_gradient(theta)
    assert worst(gradient, expected.T @ r) < 1e-12


def test_weights_multiply_the_squares_of_the_rows():
    problem = scalar(crooked("triangle"))
    system = prepared(problem, Recipe(MLP(6, 1), points=20, tests=TestSpace(2)))
    heavy, theta = system.with_weights({"weak form": 9.0}), system.initial() + 0.1
    rows, others = system.rows["weak form"], system.rows["wall"]
    (r, j), (r_heavy, j_heavy) = system.linearise(theta), heavy.linearise(theta)
    for light, found in ((r, r_heavy), (j, j_heavy)):
        assert worst(found[rows], 3 * light[rows]) < 1e-14
        assert torch.equal(found[others], light[others])
    assert heavy.rms(theta) == pytest.approx(system.rms(theta))
    assert heavy.relative(theta) == pytest.approx(system.relative(theta))


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_what_is_left_beside_its_parts_knows_no_units(scale: float):
    # the same problem in other units of length and of the field; zero fields leave all of the source
    mesh = uniform("quad", 3)
    stretched = Mesh(mesh.cells.points * scale, mesh.cells.nodes[:, mesh.cells.kind.to_file], "quad")
    problem = posed(stretched, lambda u, v: dot(grad(u), grad(v)) - v / scale)
    for function, expected in ((bubble, None), (lambda x, y: (0 * x * y,), 1.0)):
        scaled = given(problem, lambda x, y, function=function: (scale * function(x, y)[0],))
        relative = system_of(problem, TestSpace(2), scaled).relative(torch.ones(2, dtype=torch.float64))["weak form"]
        alike = given(posed(mesh, lambda u, v: dot(grad(u), grad(v)) - v), function)
        same = system_of(posed(mesh, lambda u, v: dot(grad(u), grad(v)) - v), TestSpace(2), alike)
        assert relative == pytest.approx(same.relative(same.initial())["weak form"], rel=1e-9)
        if expected is not None:
            assert relative == pytest.approx(expected, rel=1e-2)
