"""Mass and stiffness matrices against those of scikit-fem, and integrals over bent cells against closed forms."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import skfem
import torch
from skfem.helpers import curl, div, dot, grad

from pinnml.domains.cells import KINDS, CellKind, Cells
from pinnml.domains.geometry import mapped, mapped_facets
from pinnml.domains.reference_cells import quadrature
from pinnml.elements import Element, Space
from tests.helpers.scikit_fem import LAGRANGE, VECTORS, matched, places, rule, theirs
from tests.helpers.shuffled import VECTORIAL, shuffled
from tests.helpers.tabulation import interpolate, tabulated


def assembled(space: Space, rows: torch.Tensor, weight: torch.Tensor) -> np.ndarray:
    """The sums over all cells of the products of rows (m, c, q, k), one matrix for all m."""
    local = torch.einsum("mcqk,mcql,cq->ckl", rows, rows, weight).numpy()
    dofs = space.dofs.numpy()
    i, j = np.broadcast_arrays(dofs[:, :, None], dofs[:, None, :])
    shape = (space.size, space.size)
    return scipy.sparse.coo_array((local.ravel(), (i.ravel(), j.ravel())), shape=shape).toarray()


def worst(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(("name", "degree"), LAGRANGE)
def test_lagrange_matrices_are_those_of_scikit_fem(name: str, degree: int):
    # bilinear and trilinear cells are bent: there the integrands are rational, and the same points are used
    kind = KINDS[name]
    cells = shuffled(kind, bend=0.05)
    space, at = Space(Element("P", degree), cells), mapped(cells, *rule(kind))
    functions = tabulated(space, at)
    basis = theirs(cells, LAGRANGE[name, degree]())
    order = matched(space.nodes.numpy(), basis.doflocs.T)
    mass = skfem.BilinearForm(lambda u, v, _: u * v).assemble(basis).toarray()
    stiffness = skfem.BilinearForm(lambda u, v, _: dot(slope(u), slope(v))).assemble(basis).toarray()
    # sums of up to a hundred terms: 1e-15 each
    assert worst(assembled(space, functions.rows[:1], at.weight), mass[np.ix_(order, order)]) < 1e-13
    assert worst(assembled(space, functions.rows[1:], at.weight), stiffness[np.ix_(order, order)]) < 1e-12


def slope(function: Any) -> Any:
    """The gradient of a function of scikit-fem's."""
    return grad(function)


@pytest.mark.parametrize(("name", "family"), VECTORS)
def test_vector_matrices_are_those_of_scikit_fem(name: str, family: str):
    kind = KINDS[name]
    cells, s = shuffled(kind), kind.dimension
    space, at = Space(Element(family, 1), cells), mapped(cells, *rule(kind))
    functions = tabulated(space, at)
    basis = theirs(cells, VECTORS[name, family]())
    order = matched(*places(space, basis, 1 if family == "N1curl" else s - 1))
    # which way a function points, and its length, is seen from its integral with a field
    field = np.array([1.0, 0.31, 0.17])[:s]
    load = torch.einsum("cqki,i,cq->ck", functions.value, torch.from_numpy(field), at.weight)
    ours = np.bincount(space.dofs.numpy().ravel(), load.numpy().ravel())
    other = skfem.LinearForm(lambda v, _: sum(f * w for f, w in zip(field, v, strict=True))).assemble(basis)[order]
    scale = abs(ours).max() / abs(other).max()
    assert np.abs(abs(ours) - scale * abs(other)).max() < 1e-14
    assert abs(ours).min() > 1e-5
    signs = scale * np.sign(ours * other)

    def matrix(form) -> np.ndarray:
        return skfem.BilinearForm(form).assemble(basis).toarray()[np.ix_(order, order)] * signs[:, None] * signs

    derivatives = {"RT": lambda u: div(u)[None], "N1curl": curl if s == 3 else lambda u: curl(u)[None]}
    derivative = derivatives[family]
    assert worst(assembled(space, functions.rows[:s], at.weight), matrix(lambda u, v, _: dot(u, v))) < 1e-12
    assert (
        worst(
            assembled(space, functions.rows[s:], at.weight), matrix(lambda u, v, _: sum(derivative(u) * derivative(v)))
        )
        < 1e-12
    )


STRETCH = np.array([0.1, 0.2, 0.3])


def stretched(kind: CellKind) -> Cells:
    """One quadratic cell, x_i = X_i + a_i X_i^2: a box, or a simplex with one curved facet."""
    unit = kind.file_nodes[kind.from_file]
    return Cells(unit + STRETCH[: kind.dimension] * unit**2, np.arange(len(unit))[None], kind)


def moment(kind: CellKind, powers: np.ndarray) -> float:
    """The integral of X_1^p_1 .. X_s^p_s over the reference cell: over simplices Dirichlet's formula."""
    if kind.reference in ("triangle", "tetrahedron"):
        return math.prod(map(math.factorial, powers)) / math.factorial(kind.dimension + sum(powers))
    return math.prod(1 / (power + 1) for power in powers)


def integral(kind: CellKind, axis: int | None) -> float:
    """The integral of 1 or of x_axis over the stretched cell: that of (X + a X^2) times prod (1 + 2 a_i X_i)."""
    total = 0.0
    for choice in product((0, 1), repeat=kind.dimension):
        factor, powers = math.prod(2 * STRETCH[i] for i, chosen in enumerate(choice) if chosen), np.array(choice)
        if axis is None:
            total += factor * moment(kind, powers)
        else:
            unit = np.eye(kind.dimension, dtype=int)[axis]
            total += factor * (moment(kind, powers + unit) + STRETCH[axis] * moment(kind, powers + 2 * unit))
    return total


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.degree == 2], ids=lambda kind: kind.name)
def test_integrals_over_bent_cells(kind: CellKind):
    cells = stretched(kind)
    at = mapped(cells, *quadrature(kind.reference, 8))  # the integrands are polynomials of degree 7 at most
    space = Space(Element("P", 2), cells)
    functions = tabulated(space, at)
    load = torch.einsum("cqk,cq->k", functions.value, at.weight)
    slopes = torch.einsum("cqki,cq->ki", functions.gradient, at.weight)
    order = space.dofs[0]
    assert float(load.sum()) == pytest.approx(integral(kind, None), rel=1e-13)
    for axis in range(kind.dimension):
        # x itself is among the functions of degree 2 on a cell of degree 2
        coordinate = interpolate(space, lambda x, axis=axis: x[:, axis])[order]
        assert float(coordinate @ load) == pytest.approx(integral(kind, axis), rel=1e-13)
        expected = integral(kind, None) * np.eye(kind.dimension)[axis]
        assert np.abs((coordinate @ slopes).numpy() - expected).max() < 1e-13


def through(kind: CellKind, space: Space, facet: int) -> np.ndarray:
    """What the functions (k, v) of one cell send through a facet: F . n, or n x E."""
    at = mapped_facets(space.cells, facet, 10)
    value, normal = tabulated(space, at).value[0], at.normal
    assert normal is not None
    normal = normal[0].unsqueeze(1).expand_as(value)
    if space.element.family == "RT":
        rows = (value * normal).sum(dim=-1, keepdim=True)
    elif kind.dimension == 3:
        rows = torch.linalg.cross(normal, value)
    else:
        rows = (normal[..., 0] * value[..., 1] - normal[..., 1] * value[..., 0]).unsqueeze(-1)
    return torch.einsum("qkv,q->kv", rows, at.weight[0]).numpy()


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("family", ["N1curl", "RT"])
@pytest.mark.parametrize("kind", VECTORIAL, ids=lambda kind: kind.name)
def test_the_theorems_of_gauss_and_stokes_hold_on_bent_cells(kind: CellKind, family: str, degree: int):
    # by the Piola maps both sides are integrals of polynomials of the reference cell, of degree 10 at most
    cells = Cells(shuffled(kind).points, shuffled(kind).nodes[:1], kind)
    space = Space(Element(family, degree), cells)
    at = mapped(cells, *quadrature(kind.reference, 10))
    inside = torch.einsum("mqk,q->km", tabulated(space, at).rows[kind.dimension :, 0], at.weight[0])
    sides = [through(kind, space, facet) for facet in range(len(kind.facets))]
    sign = torch.linalg.det(at.jacobian).sign().unique()
    assert len(sign) == 1
    assert np.abs(sum(sides) - inside.numpy()).max() < 1e-12 * max(np.abs(side).max() for side in sides)
    assert np.abs(sum(sides[1:]) - inside.numpy()).max() > 1e-3  # without one facet they do not
