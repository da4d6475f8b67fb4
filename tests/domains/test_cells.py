"""Cells and where they lie: the divergence theorem, and the order of nodes in files."""

import numpy as np
import pytest
import torch
import vtk

from pinnml.domains.cells import KINDS, CellKind, Cells
from pinnml.domains.geometry import mapped, mapped_facets
from pinnml.domains.reference_cells import quadrature
from pinnml.output.cells import CELL_KINDS


def bent(kind: CellKind, seed: int = 0) -> Cells:
    """One cell with its nodes moved a little, all of them."""
    nodes = kind.file_nodes + 0.03 * np.random.default_rng(seed).standard_normal(kind.file_nodes.shape)
    return Cells(nodes, kind.from_file[None], kind)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_divergence_theorem_holds_to_round_off(kind: CellKind):
    # for F = x and F = constant; the mapped integrands are polynomials of degree 6 at most, so degree 8 is exact
    cells = bent(kind)
    volume = float(mapped(cells, *quadrature(kind.reference, 8)).weight.sum())
    faces = [mapped_facets(cells, facet, 8) for facet in range(len(kind.facets))]
    flux = sum(float((face.weight * (face.x * face.normal).sum(dim=-1)).sum()) for face in faces)
    closed = sum((face.weight.unsqueeze(-1) * face.normal).sum(dim=(0, 1)) for face in faces)
    assert abs(flux / kind.dimension - volume) < 1e-14
    assert float(torch.as_tensor(closed).abs().max()) < 1e-14
    inward = sum(float((face.weight * (face.x * face.normal).sum(dim=-1)).sum()) for face in faces[1:])
    assert abs(inward / kind.dimension - volume) > 1e-3  # without one facet it does not


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_nodes_of_files_are_where_vtk_has_them(kind: CellKind):
    cell = vtk.vtkGenericCell()
    cell.SetCellType(CELL_KINDS[kind.name].vtk)
    places = np.array(cell.GetRepresentativeCell().GetParametricCoords()).reshape(-1, 3)
    assert np.allclose(kind.file_nodes, places[:, : kind.dimension], atol=1e-12)
    assert np.array_equal(kind.from_file[kind.to_file], np.arange(kind.size))


def test_shared_edges_have_one_number():
    square = Cells(np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]), np.array([[0, 1, 2], [0, 3, 2]]), KINDS["triangle"])
    numbers, corners = square.numbered(1)
    assert len(corners) == 5
    shared = set(numbers[0]) & set(numbers[1])
    assert [sorted(corners[number]) for number in shared] == [[0, 2]]
