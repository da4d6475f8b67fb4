"""Residuals and Jacobians of weak forms against those that scikit-fem assembles from the same mathematics."""

# pyright: reportArgumentType=false
# scikit-fem declares its operators for values that its forms hold only at run time.

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import skfem
import skfem.helpers
import torch
from skfem.helpers import ddot, dot, eye, grad, sym_grad, trace

import pinnml as p
from pinnml import Problem, Weak
from pinnml.domains.geometry import mapped
from pinnml.domains.reference_cells import quadrature
from pinnml.elements import Discretisation, Element, Space
from pinnml.elements.sparse import Pattern
from tests.helpers.forms import CPU, SOLID, crooked, discretised, form_of, matrix, numbers, posed, worst
from tests.helpers.scikit_fem import DEGREE, LAGRANGE, VECTORS, dense, lagrange, matched, places, theirs
from tests.helpers.tabulation import tabulated

#: Sums of some hundred terms of both signs, 1e-15 each, in another order.
ROUND_OFF = 1e-12
PARTS = [(name, degree) for name, degree in LAGRANGE if name in SOLID]


def coefficient(x: Any, y: Any) -> Any:
    return 1 + x * y + y * y


def ours(problem: Problem, degree: int) -> tuple[Discretisation, np.ndarray, np.ndarray]:
    """The Jacobian (N, N), and the residual (N,) at zero fields."""
    parts = discretised(problem, *(degree for _ in problem.fields))
    form = parts.form(CPU, DEGREE)
    return parts, matrix(form), form.residual(torch.zeros(form.size, dtype=torch.float64)).numpy()


def diffusion(u, v, x, y):
    a = coefficient(x, y)
    return a * p.dot(p.grad(u), p.grad(v)) + x * u * v - torch.sin(3 * x) * v


@pytest.mark.parametrize(("name", "degree"), PARTS)
def test_stiffness_mass_and_load_are_those_of_scikit_fem(name: str, degree: int):
    parts, jacobian, residual = ours(posed(crooked(name), diffusion), degree)
    basis, order = lagrange(parts, degree)

    def both(u, v, w):
        return coefficient(*w.x[:2]) * dot(grad(u), grad(v)) + w.x[0] * u * v

    load = skfem.LinearForm(lambda v, w: -np.sin(3 * w.x[0]) * v).assemble(basis)[order]
    expected = dense(both, basis, order)
    assert worst(jacobian, expected) < ROUND_OFF
    assert worst(residual, load) < ROUND_OFF
    assert worst(1.001 * jacobian, expected) > 1e-4


@pytest.mark.parametrize(("name", "degree"), PARTS)
def test_constant_coefficients_give_those_of_scikit_fem_too(name: str, degree: int):
    parts, jacobian, _ = ours(posed(crooked(name), lambda u, v: 2 * p.dot(p.grad(u), p.grad(v)) + 3 * u * v), degree)
    basis, order = lagrange(parts, degree)
    assert worst(jacobian, dense(lambda u, v, w: 2 * dot(grad(u), grad(v)) + 3 * u * v, basis, order)) < ROUND_OFF


@pytest.mark.parametrize(("name", "degree"), PARTS)
def test_integrals_over_a_named_face_are_those_of_scikit_fem(name: str, degree: int):
    # the face is plane and its facets are straight, so that both sides integrate polynomials exactly
    weak = (
        lambda u, v: p.dot(p.grad(u), p.grad(v)),
        Weak(lambda u, v, y, normal: (1 + y) * u * v - y * normal[0] * v, on="east", name="robin"),
    )
    parts, jacobian, residual = ours(posed(crooked(name), weak), degree)
    basis, order = lagrange(parts, degree)
    east = basis.boundary(lambda x: x[0] > 1 - 1e-9).with_element(basis.elem)
    face = skfem.FacetBasis(basis.mesh, basis.elem, facets=east.find, intorder=DEGREE)
    robin = dense(lambda u, v, w: (1 + w.x[1]) * u * v, face, order)
    flux = skfem.LinearForm(lambda v, w: -w.x[1] * w.n[0] * v).assemble(face)[order]
    inside = dense(lambda u, v, w: dot(grad(u), grad(v)), basis, order)
    assert worst(jacobian, inside + robin) < ROUND_OFF
    assert worst(residual, flux) < ROUND_OFF
    assert worst(jacobian, inside) > 1e-2


LAME = 1.3, 0.7


def strain(u) -> dict[tuple[int, int], Any]:
    axes = "xyz"[: len(u)]
    return {(i, j): 0.5 * (u[i].d(axes[j]) + u[j].d(axes[i])) for i, j in product(range(len(u)), repeat=2)}


def strain_energy(u, v, x):
    e, t = strain(u), strain(v)
    shear = sum(e[pair] * t[pair] for pair in e)
    return LAME[0] * p.div(u) * p.div(v) + 2 * LAME[1] * (1 + x) * shear - v[1]


@pytest.mark.parametrize("name", SOLID)
def test_elasticity_is_that_of_scikit_fem(name: str):
    mesh = crooked(name)
    s = mesh.cells.kind.dimension
    parts, jacobian, residual = ours(posed(mesh, strain_energy, {"u": s}), 2)
    scalar, order = lagrange(parts, 2)
    basis = scalar.with_element(skfem.ElementVector(scalar.elem))
    # scikit-fem has the components of a node one after the other, as its nodal, edge, facet and inner functions
    numbers = np.concatenate([matched_components(basis, scalar, i)[order] for i in range(s)])

    def energy(u, v, w):
        e = sym_grad(u)
        stress = LAME[0] * eye(trace(e), s) + 2 * LAME[1] * (1 + w.x[0]) * e
        return ddot(stress, sym_grad(v))

    assert worst(jacobian, dense(energy, basis, numbers)) < ROUND_OFF
    assert worst(residual, skfem.LinearForm(lambda v, w: -v[1]).assemble(basis)[numbers]) < ROUND_OFF


def matched_components(basis: Any, scalar: Any, component: int) -> np.ndarray:
    """The number of a component of a vector basis at every node of the scalar basis."""
    found = np.empty(scalar.N, dtype=int)
    for vector, single in zip(every_dof(basis), every_dof(scalar), strict=True):
        found[single] = vector[component :: basis.mesh.dim()]
    return found


def every_dof(basis: Any) -> list[np.ndarray]:
    return [basis.nodal_dofs, basis.edge_dofs, basis.facet_dofs, basis.interior_dofs]


@pytest.mark.parametrize("name", SOLID)
def test_parts_of_a_mesh_have_weak_forms_of_their_own(name: str):
    mesh = crooked(name)
    weak = (
        Weak(lambda u, v, x: (1 + x) * p.dot(p.grad(u), p.grad(v)), on="some", name="one"),
        Weak(lambda u, v: 5 * p.dot(p.grad(u), p.grad(v)), on="others", name="other"),
        Weak(lambda u, v: u * v, on=("some", "others"), name="both"),
    )
    parts, jacobian, _ = ours(posed(mesh, weak), 2)
    basis, order = lagrange(parts, 2)
    chosen = np.zeros(len(mesh.cells))
    chosen[mesh.pieces("some").cell] = 1

    def form(u, v, w):
        a = chosen[:, None] * (1 + w.x[0]) + 5 * (1 - chosen[:, None])
        return a * dot(grad(u), grad(v)) + u * v

    assert 0 < chosen.mean() < 1
    assert worst(jacobian, dense(form, basis, order)) < ROUND_OFF


@pytest.mark.parametrize(("name", "family"), VECTORS)
def test_edge_and_face_elements_are_those_of_scikit_fem(name: str, family: str):
    mesh = crooked(name)
    s = mesh.cells.kind.dimension
    parts = discretised(posed(mesh, MIXED[family], {"u": s}), Element(family, 1))
    form, space = parts.form(CPU, DEGREE), parts.spaces["u"]
    basis = theirs(space.cells, VECTORS[name, family]())
    order = matched(*places(space, basis, 1 if family == "N1curl" else s - 1))
    derivative: Any = skfem.helpers.div if family == "RT" else skfem.helpers.curl

    def pair(u, v, w):
        product = derivative(u) * derivative(v)
        return coefficient(*w.x[:2]) * (product.sum(axis=0) if product.ndim == 3 else product) + dot(u, v)

    jacobian, expected = matrix(form), dense(pair, basis, order)
    load = form.residual(torch.zeros(form.size, dtype=torch.float64)).numpy()
    other = skfem.LinearForm(lambda v, w: -(v[0] + 0.31 * v[1] + w.x[0] * v[-1])).assemble(basis)[order]
    # their functions may have another length and sense, which the load shows
    assert np.abs(load).min() > 1e-6
    scale = load / other
    assert np.ptp(np.abs(scale)) < 1e-11 * np.abs(scale).max()
    assert worst(jacobian, scale[:, None] * expected * scale) < ROUND_OFF


def edges(u, v, x, y):
    k = coefficient(x, y)
    pair = p.dot(p.curl(u), p.curl(v)) if len(u) == 3 else p.curl(u) * p.curl(v)
    return k * pair + p.dot(u, v) - (v[0] + 0.31 * v[1] + x * v[-1])


def faces(u, v, x, y):
    return coefficient(x, y) * p.div(u) * p.div(v) + p.dot(u, v) - (v[0] + 0.31 * v[1] + x * v[-1])


MIXED = {"N1curl": edges, "RT": faces}


@pytest.mark.parametrize("name", SOLID)
def test_a_nonlinear_residual_is_that_of_scikit_fem(name: str):
    def weak(u, v, x):
        return (1 + u * u) * p.dot(p.grad(u), p.grad(v)) + torch.exp(x * u) * v

    parts = discretised(posed(crooked(name), weak), 2)
    form, (basis, order) = parts.form(CPU, DEGREE), lagrange(parts, 2)
    u, state = numbers(form.size), np.empty(form.size)
    state[order] = u.numpy()
    field = basis.interpolate(state)

    def residual(v, w):
        return (1 + w.u**2) * dot(w.u.grad, grad(v)) + np.exp(w.x[0] * w.u) * v

    assert worst(form.residual(u), skfem.LinearForm(residual).assemble(basis, u=field)[order]) < ROUND_OFF


def test_two_fields_are_the_blocks_of_scikit_fem():
    def weak(u, v_u, p, v_p):
        return dot_of_slopes(u, v_u) - p * divergence(v_u) - v_p * divergence(u)

    mesh = crooked("triangle")
    parts = discretised(posed(mesh, weak, {"u": 2, "p": 1}), 2, 1)
    form = parts.form(CPU, DEGREE)
    spaces = [parts.spaces[name] for name in ("u", "p")]
    bases = [theirs(mesh.cells, LAGRANGE["triangle", degree]()) for degree in (2, 1)]
    order = [matched(space.nodes.numpy(), basis.doflocs.T) for space, basis in zip(spaces, bases, strict=True)]
    stiffness = dense(lambda u, v, w: dot(grad(u), grad(v)), bases[0], order[0])

    def slope(axis: int) -> np.ndarray:
        form = skfem.BilinearForm(lambda u, q, w: -q * np.asarray(grad(u))[axis])
        return form.assemble(bases[0], bases[1]).toarray()[np.ix_(order[1], order[0])]

    b, c = slope(0), slope(1)
    expected = scipy.sparse.bmat([[stiffness, None, b.T], [None, stiffness, c.T], [b, c, None]]).toarray()
    assert worst(matrix(form), expected) < ROUND_OFF


def dot_of_slopes(u, v):
    return sum(p.dot(p.grad(a), p.grad(b)) for a, b in zip(u, v, strict=True))


def divergence(u):
    return p.div(u)


def test_all_parts_together_are_the_interior():
    mesh = crooked("quad")
    everywhere = ours(posed(mesh, lambda u, v: u * v), 1)[1]
    on_parts = ours(posed(mesh, Weak(lambda u, v: u * v, on=("some", "others"))), 1)[1]
    assert worst(on_parts, everywhere) < 1e-15


@pytest.mark.parametrize("family", ["N1curl", "RT"])
@pytest.mark.parametrize("name", ["quad", "hexahedron"])
def test_functions_that_lie_otherwise_in_their_cells_are_turned(name: str, family: str):
    # of degree 2, where faces that are turned mix functions; the truth is summed from the tabulated functions
    mesh, element = crooked(name), Element(family, 2)
    space = Space(element, mesh.cells)
    at = mapped(mesh.cells, *quadrature(mesh.cells.kind.reference, 4 + 2))
    value = tabulated(space, at).value
    local = torch.einsum("cq,cqki,cqli->ckl", at.weight, value, value)
    truth = torch.zeros(space.size, space.size, dtype=torch.float64)
    truth.index_put_((space.dofs[:, :, None], space.dofs[:, None, :]), local, accumulate=True)
    assert space.turns is not None
    assert len(space.turns[0]) > 1
    form = form_of(mesh, Weak(lambda E, v: p.dot(E, v)), element, fields={"E": len(mesh.axes.names)})
    u = torch.randn(form.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale = float(truth.abs().max())
    np.testing.assert_allclose(form.jacobian(u).to_scipy().toarray(), truth, atol=1e-12 * scale)
    np.testing.assert_allclose(form.residual(u), truth @ u, atol=1e-11 * scale)


@pytest.mark.parametrize("name", ["triangle", "triangle6", "quad9", "tetra10"])
def test_masses_are_integrated_exactly_on_bent_cells_too(name: str):
    # a product of two functions of degree 2 and the stretching, a polynomial: degree 20 changes round-off alone
    parts = discretised(posed(crooked(name), lambda u, v: u * v), 2)
    mass, finer = (parts.form(CPU, degree).jacobian(numbers(parts.size)).values for degree in (None, 20))
    np.testing.assert_allclose(mass, finer, atol=1e-12 * float(finer.abs().max()))
    if name != "triangle":
        short = parts.form(CPU, 4).jacobian(numbers(parts.size)).values
        assert float((short - finer).abs().max()) > 1e-9 * float(finer.abs().max())


@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_pattern_puts_every_entry_in_its_place(size: int):
    # rows without entries, at both ends too, and places that many entries share
    generator = torch.Generator().manual_seed(size)
    inner = max(size // 3, 1)
    rows, columns = (torch.randint(size // 4, size // 4 + inner, (60,), generator=generator) for _ in "rc")
    entries = torch.randn(60, generator=generator, dtype=torch.float64)
    found = Pattern.of(rows, columns, size).summed(entries).to_scipy()
    expected = np.zeros((size, size))
    np.add.at(expected, (rows.numpy(), columns.numpy()), entries.numpy())
    assert np.abs(found.toarray() - expected).max() < 1e-14
    assert found.has_canonical_format
    assert found.nnz == len({*zip(rows.tolist(), columns.tolist(), strict=True)})
