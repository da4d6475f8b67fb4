"""Finite-element spaces: what they contain, how large they are, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import basix
import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml.domains.cells import KINDS, CellKind, Cells
from pinnml.domains.geometry import Mapped, mapped, mapped_facets
from pinnml.elements import Element, Space
from pinnml.elements.element import FAMILIES
from pinnml.errors import MissingDerivativeError, SettingsError, ShapeError, UnknownNameError
from tests.helpers.shuffled import VECTORIAL, inner_facets, shuffled
from tests.helpers.tabulation import dofs_on, evaluated, interpolate, tabulated

LAGRANGE = [(Element("P", degree), kind) for degree in (1, 2, 3, 4) for kind in KINDS.values()]
VECTORS = [(Element(family, d), kind) for family in ("N1curl", "RT") for d in (1, 2, 3) for kind in VECTORIAL]


def named(case) -> str:
    return f"{case.family}{case.degree}" if isinstance(case, Element) else getattr(case, "name", "")


#: What bent cells keep: degree p on a map of degree m has the polynomials of degree p / m; Piola maps of cells with
#: straight edges have those that their affine images have, fluxes of hexahedra aside, whose cofactors are of degree 2.
KEPT = [
    *((element, kind, element.degree // kind.degree) for element, kind in LAGRANGE),
    *(
        (element, kind, element.degree - 1)
        for element, kind in VECTORS
        if kind.name == "quad" or (kind.name == "hexahedron" and element.family == "N1curl")
    ),
]


def inside(cells: Cells) -> Mapped:
    """A few points in every cell, where no error is zero by chance."""
    corners = cells.kind.file_nodes[: cells.kind.corners]
    shares = np.random.default_rng(7).dirichlet(np.ones(len(corners)), 4)
    return mapped(cells, shares @ corners, np.ones(4))


def skewed(kind: CellKind) -> Cells:
    """Cells that are affine images of the reference cell, whatever their kind."""
    cells = shuffled(kind, bend=0.0)
    skew = np.eye(kind.dimension) + 0.3 * np.random.default_rng(3).uniform(-1, 1, (kind.dimension,) * 2)
    return Cells(cells.points @ skew, cells.nodes, kind)


def random(size: int, seed: int = 5) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(size))


@dataclass(frozen=True)
class Polynomial:
    """sum_j c_j (w_j . x + b_j)^p with enough terms to be any polynomial of degree p; c (terms, v)."""

    degree: int
    c: Tensor
    w: Tensor
    b: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The values (..., v)."""
        return (x @ self.w.mT + self.b) ** self.degree @ self.c

    def jacobian(self, x: Tensor) -> Tensor:
        """The derivatives (..., v, s)."""
        slope = self.degree * (x @ self.w.mT + self.b) ** max(self.degree - 1, 0)
        return torch.einsum("...j,jv,ja->...va", slope, self.c, self.w)


def polynomial(degree: int, values: int, dimension: int) -> Polynomial:
    terms = math.comb(degree + dimension, dimension) + 2
    drawn = random(terms * (values + dimension + 1)).reshape(terms, -1)
    return Polynomial(degree, drawn[:, :values], drawn[:, values:-1], drawn[:, -1])


def apart(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1))


def misfit(space: Space, function: Polynomial) -> tuple[float, float]:
    """How far the interpolant of a polynomial is from it, in value and in the derivative of its family."""
    family, cells = space.element.family, space.cells
    scalar = family == "P"
    degrees = interpolate(space, lambda x: function(x)[:, 0] if scalar else function(x))
    at = inside(cells)
    found, value, slope = evaluated(space, degrees, at), function(at.x), function.jacobian(at.x)
    if scalar:
        return apart(found.value, value[..., 0]), apart(found.gradient, slope[..., 0, :])
    if family == "RT":
        return apart(found.value, value), apart(found.divergence, slope.diagonal(dim1=-2, dim2=-1).sum(dim=-1))
    turning = slope.mT - slope  # at [i, j]: d f_j / d x_i - d f_i / d x_j
    pairs = [(0, 1)] if cells.kind.dimension == 2 else [(1, 2), (2, 0), (0, 1)]
    curl = torch.stack([turning[..., i, j] for i, j in pairs], dim=-1)
    return apart(found.value, value), apart(found.curl, curl if len(pairs) == 3 else curl[..., 0])


@pytest.mark.parametrize(("element", "kind"), LAGRANGE, ids=named)
def test_lagrange_functions_add_up_to_one(element: Element, kind: CellKind):
    cells = shuffled(kind)
    functions = tabulated(Space(element, cells), inside(cells))
    assert float((functions.value.sum(dim=-1) - 1).abs().max()) < 1e-13
    assert float(functions.gradient.sum(dim=-2).abs().max()) < 1e-11  # slopes of size 1e2 cancel


@pytest.mark.parametrize(("element", "kind"), LAGRANGE + VECTORS, ids=named)
def test_interpolation_meets_the_polynomials_of_a_space(element: Element, kind: CellKind):
    full = element.degree - (element.family != "P")
    space, values = Space(element, skewed(kind)), 1 if element.family == "P" else kind.dimension
    assert max(misfit(space, polynomial(full, values, kind.dimension))) < 1e-11  # slopes of size 1e2
    assert min(misfit(space, polynomial(full + 2, values, kind.dimension))) > 1e-5  # not those two degrees above


@pytest.mark.parametrize(("element", "kind", "degree"), KEPT, ids=named)
def test_bent_cells_keep_the_polynomials_that_their_map_lets_them(element: Element, kind: CellKind, degree: int):
    values = 1 if element.family == "P" else kind.dimension
    space = Space(element, shuffled(kind))
    assert max(misfit(space, polynomial(degree, values, kind.dimension))) < 1e-11


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_lagrange_spaces_are_as_large_as_their_lattice(kind: CellKind, degree: int):
    # the nodes on the unit cube are a lattice of (degree n + 1)^s points, for simplices as well
    space = Space(Element("P", degree), shuffled(kind, bend=0.0))
    assert space.size == (2 * degree + 1) ** kind.dimension
    assert space.dofs.unique().equal(torch.arange(space.size))
    assert len(np.unique(space.nodes.numpy().round(9), axis=0)) == space.size


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", VECTORIAL, ids=lambda kind: kind.name)
def test_sizes_make_an_exact_sequence(kind: CellKind, degree: int):
    """On a ball the alternating sum over P, N1curl, RT and what their derivatives fill, cell by cell, is 1."""
    cells, s = shuffled(kind), kind.dimension
    p, edge, face = (Space(Element(family, degree), cells).size for family in ("P", "N1curl", "RT"))
    simplex = kind.reference in ("triangle", "tetrahedron")
    last = len(cells) * (math.comb(degree - 1 + s, s) if simplex else degree**s)
    if s == 2:
        assert p - edge + last == p - face + last == 1
    else:
        assert p - edge + face - last == 1
    # the normal components on each facet, and what is zero on all of them
    facets = len(cells) * len(kind.facets) - len(inner_facets(cells))
    on_facet = math.comb(degree + s - 2, s - 1) if simplex else degree ** (s - 1)
    within = s * math.comb(degree + s - 2, s) if simplex else s * (degree - 1) * degree ** (s - 1)
    assert face == facets * on_facet + len(cells) * within


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("kind", VECTORIAL, ids=lambda kind: kind.name)
def test_derivatives_of_a_space_are_in_the_next(kind: CellKind, degree: int):
    """Gradients of P are in N1curl and have no curl; curls of N1curl (of P in the plane) are in RT, without div."""
    cells, at = shuffled(kind), inside(shuffled(kind))
    lagrange, edges, faces = (Space(Element(family, degree), cells) for family in ("P", "N1curl", "RT"))
    potential, field = random(lagrange.size), random(edges.size)

    def carried(space: Space, derivative: Callable[[Mapped], Tensor]) -> Tensor:
        """The degrees of freedom of a derivative, taken in every cell at the very points of the interpolation."""
        points = np.array(space.element.on(kind).points)
        there = derivative(mapped(cells, points, np.ones(len(points))))
        return interpolate(space, lambda x: there.flatten(end_dim=1))

    def gradient(at: Mapped) -> Tensor:
        return evaluated(lagrange, potential, at).gradient

    def turned(at: Mapped) -> Tensor:
        if kind.dimension == 3:
            return evaluated(edges, field, at).curl
        return gradient(at)[..., [1, 0]] * torch.tensor([1.0, -1.0], dtype=torch.float64)

    found = evaluated(edges, carried(edges, gradient), at)
    assert apart(found.value, gradient(at)) < 1e-11
    # terms of size |gradient| / h cancel
    assert float(found.curl.abs().max()) < 1e-11 * float(gradient(at).abs().max())
    found = evaluated(faces, carried(faces, turned), at)
    assert apart(found.value, turned(at)) < 1e-11
    assert float(found.divergence.abs().max()) < 1e-11 * float(turned(at).abs().max())


@pytest.mark.parametrize(("element", "kind"), LAGRANGE[::3] + VECTORS[::3], ids=named)
def test_a_function_is_the_sum_of_the_tabulated_ones(element: Element, kind: CellKind):
    cells = shuffled(kind)
    space, some = Space(element, cells), torch.tensor([1, 0])
    coefficients = torch.complex(random(space.size), random(space.size, 6))
    part = Cells(cells.points, cells.nodes[some], kind)
    for at, numbers in ((inside(cells), None), (mapped_facets(part, 1, 3), some)):
        functions, dofs = tabulated(space, at, numbers), space.dofs if numbers is None else space.dofs[numbers]
        expected = torch.einsum("mcqk,ck->mcq", functions.rows.to(torch.complex128), coefficients[dofs])
        assert torch.allclose(evaluated(space, coefficients, at, numbers).rows, expected, rtol=0, atol=1e-10)
        assert functions.rows.is_contiguous()


@pytest.mark.parametrize(("element", "kind"), LAGRANGE[::7] + VECTORS[::7], ids=named)
def test_degrees_of_freedom_on_facets_decide_what_is_seen_there(element: Element, kind: CellKind):
    """With those on the facets of a cell at zero the function vanishes there, or its tangential or normal part."""
    cells = shuffled(kind)
    space = Space(element, cells)
    facets = np.array([(0, facet) for facet in range(len(kind.facets))])
    dofs = dofs_on(space, facets)
    assert dofs.equal(dofs.unique())
    coefficients = random(space.size)
    loud = facet_size(space, coefficients)
    coefficients[dofs] = 0
    assert facet_size(space, coefficients) < 1e-12 * loud
    coefficients[dofs[-1]] = 1
    assert facet_size(space, coefficients) > 1e-3


def facet_size(space: Space, coefficients: Tensor) -> float:
    """The largest trace of a function on the facets of the first cell."""
    first = Cells(space.cells.points, space.cells.nodes[:1], space.cells.kind)
    sizes = []
    for facet in range(len(space.cells.kind.facets)):
        at = mapped_facets(first, facet, 4)
        value, normal = evaluated(space, coefficients, at, torch.tensor([0])).value, at.normal
        assert normal is not None
        if space.element.family != "P":
            along = (value * normal).sum(dim=-1, keepdim=True)
            value = along if space.element.family == "RT" else value - along * normal
        sizes.append(float(value.abs().max()))
    return max(sizes)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_nodes_are_where_values_are_taken(kind: CellKind):
    space = Space(Element("P", 3), shuffled(kind))
    found, expected = interpolate(space, lambda x: np.sin(x.numpy()).sum(axis=1)), space.nodes.sin().sum(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-14)  # sines of two libraries, each rounded


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_basix_lacks_is_refused_by_name(kind: CellKind, family: str):
    for degree in (1, 2, 3, 4):
        try:
            variant = basix.LagrangeVariant.legendre if family != "P" else basix.LagrangeVariant.gll_warped
            cell = basix.CellType[kind.reference]
            basix.create_element(basix.ElementFamily[FAMILIES[family]], cell, degree, variant)
        except RuntimeError:
            with pytest.raises(SettingsError, match=rf"there are no {family} elements on cells of kind '{kind.name}'"):
                Space(Element(family, degree), shuffled(kind))
        else:
            assert repr(Space(Element(family, degree), shuffled(kind))).startswith("Space(Element")


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'N1curl'"):
        Element("N2curl", 1)
    wrong: list[Any] = [0, 5, 1.5, True]
    for degree in wrong:
        with pytest.raises(SettingsError, match="degree of an element"):
            Element("P", degree)
    of_numpy: Any = np.int64(2)
    assert type(Element("P", of_numpy).degree) is int


def test_what_a_space_does_not_have_is_refused():
    cells = shuffled(KINDS["triangle"])
    spaces = {family: Space(Element(family, 1), cells) for family in FAMILIES}
    derivatives = {"P": "gradient", "N1curl": "curl", "RT": "divergence"}
    for family, space in spaces.items():
        functions = tabulated(space, inside(cells))
        for other, name in derivatives.items():
            if other != family:
                with pytest.raises(MissingDerivativeError, match=f"{family} elements have no {name}"):
                    getattr(functions, name)
    with pytest.raises(SettingsError, match="a Lagrange space"):
        _ = spaces["RT"].nodes
    with pytest.raises(ShapeError, match="one number for each point"):
        interpolate(spaces["P"], lambda x: x)
    with pytest.raises(ShapeError, match="stack the components"):
        interpolate(spaces["RT"], lambda x: x[:, 0])
    with pytest.raises(ShapeError, match="coefficients"):
        evaluated(spaces["P"], torch.zeros(3), inside(cells))
