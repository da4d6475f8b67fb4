"""Direct interpolation and the two-grid cycle: known values, pyamg's weights, dense matrices, wrong twins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pyamg.classical.interpolate import direct_interpolation
from pyamg.classical.split import CLJP
from pyamg.strength import classical_strength_of_connection
from scipy.sparse import csr_array
from torch import Tensor

from pinnml.errors import ShapeError
from pinnml.surrogates.linear_algebra import (
    Chebyshev,
    ClassicalStrength,
    Coarsening,
    DirectInterpolation,
    DirectSolve,
    GershgorinBounds,
    Jacobi,
    MatrixGraph,
    Residual,
    TwoGrid,
    coarse_nodes,
    galerkin,
    matrix_product,
)
from tests.helpers.sparse_matrices import convection, five_point, scattered, together

KNOWN = 1e-12
PLACE = torch.arange(10)
#: Every other node of the 10 x 10 grid.
CHECKERBOARD = ((PLACE[:, None] + PLACE) % 2 == 0).ravel()
VECTOR = torch.ones(100, dtype=torch.float64)


@pytest.fixture
def graph() -> MatrixGraph:
    return MatrixGraph.from_scipy(five_point())


def propagation(cycle: TwoGrid, graph: MatrixGraph, coarse: Tensor | None = None) -> np.ndarray:
    """What a cycle makes of the errors, as a dense matrix."""
    identity = torch.eye(graph.shape[0], dtype=torch.float64)
    return cycle(Coarsening()(graph, coarse), identity, 0 * identity).numpy()


def largest(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


@pytest.mark.parametrize(("sweeps", "known"), [(1, 0.111111111111), (2, 0.061580020931), (3, 0.042293398065)])
def test_the_cycle_has_its_known_factors(graph, sweeps, known):
    found = largest(propagation(TwoGrid(Jacobi(sweeps)), graph, CHECKERBOARD))
    assert found == pytest.approx(known, abs=KNOWN)
    assert sweeps > 1 or found == pytest.approx(1 / 9, abs=1e-14)


def test_the_cycle_has_its_known_residuals(graph):
    levels, cycle, x = Coarsening()(graph, CHECKERBOARD), TwoGrid(Jacobi(3)), 0 * VECTOR
    known = (3.267822687597e-2, 8.791858290213e-4, 3.158686951826e-5, 1.282663045707e-6, 5.369974310747e-8)
    for expected in known:
        x = cycle(levels, x, VECTOR)
        found = float(Residual()(graph, x, VECTOR).norm() / VECTOR.norm())
        assert found == pytest.approx(expected, rel=KNOWN, abs=1e-14)  # round-off of r beside b


def test_the_cycle_is_that_of_dense_matrices():
    matrix = scattered(14, 0) @ scattered(14, 0).T
    graph, dense, identity = MatrixGraph.from_scipy(matrix), matrix.toarray(), np.eye(14)
    coarse = torch.arange(14) % 3 != 1
    levels = Coarsening()(graph, coarse)
    found = propagation(TwoGrid(Jacobi(2, 0.5)), graph, coarse)
    interpolation = levels.interpolation.to_scipy().toarray()
    smooth = np.linalg.matrix_power(identity - 0.5 * dense / np.diag(dense)[:, None], 2)
    below = interpolation @ np.linalg.solve(interpolation.T @ dense @ interpolation, interpolation.T @ dense)
    assert np.allclose(found, smooth @ (identity - below) @ smooth, rtol=0, atol=1e-13)


def test_rows_of_the_interpolation_sum_up_as_known(graph):
    sums = torch.from_numpy(Coarsening()(graph, CHECKERBOARD).interpolation.to_scipy().sum(axis=1))
    at_edges = ((PLACE == 0) | (PLACE == 9)).double()
    truth = 1 - (at_edges[:, None] + at_edges).ravel() / 4  # 1 inside, 0.75 at an edge, 0.5 in a corner
    assert torch.equal(sums, torch.where(CHECKERBOARD, 1.0, truth))


@pytest.mark.parametrize("matrix", [five_point(7), five_point(7, 0.25), five_point(7, 0.1), convection()], ids=str)
def test_weights_and_coarse_nodes_are_those_of_pyamg(matrix):
    graph = MatrixGraph.from_scipy(matrix)
    strong = ClassicalStrength().strong(graph)
    strength = classical_strength_of_connection(csr_array(matrix), 0.25, norm="min")
    coarse = coarse_nodes(graph, strong)
    splitting = CLJP(strength)
    assert np.array_equal(coarse.numpy(), splitting.astype(bool))
    strength.setdiag(0)
    strength.eliminate_zeros()
    known = direct_interpolation(csr_array(matrix), csr_array(strength), splitting)
    found = DirectInterpolation()(graph, strong, coarse).to_scipy()
    assert abs(found - known).max() < 1e-15


def test_a_weak_coarse_neighbour_has_no_weight():
    row = [[1.0, 0, 0], [-2.0, 2.1, -0.1], [0, 0, 1.0]]  # node 1 depends on node 2 weakly
    graph, coarse = MatrixGraph.from_scipy(csr_array(row)), torch.tensor([True, False, True])
    found = DirectInterpolation()(graph, ClassicalStrength().strong(graph), coarse).to_scipy().toarray()
    assert found.tolist() == [[1, 0], [pytest.approx(1, abs=1e-15), 0], [0, 1]]
    alpha = 2.1 / (2.1 * 2.0)  # of the strong neighbours; with it on both, the row would sum to more
    assert 2.0 * alpha + 0.1 * alpha == pytest.approx(1.05)
    both = DirectInterpolation()(graph, graph.off_diagonal, coarse).to_scipy()
    assert both[[1]].sum() == pytest.approx(1, abs=1e-15)


def test_rows_that_nothing_is_interpolated_to_are_zero():
    matrix = csr_array(np.array([[2.0, -1, 0, 0], [-1, 2, 0, 0], [0, 0, 0, 0], [0, 1, 0, 3]]))
    graph, coarse = MatrixGraph.from_scipy(matrix), torch.tensor([True, False, False, False])
    values = graph.values.clone().requires_grad_()
    graph = graph.with_values(values)
    made = DirectInterpolation()(graph, ClassicalStrength().strong(graph), coarse)
    assert made.to_scipy().toarray().tolist() == [[1], [0.5], [0], [0]]
    (slope,) = torch.autograd.grad(made.values.sum(), values)
    assert slope.isfinite().all()


def test_products_of_matrices_are_those_of_scipy():
    left, right = scattered(9, 1)[:, :6], scattered(9, 2)[:6]
    first, second = MatrixGraph.from_scipy(left), MatrixGraph.from_scipy(right)
    assert abs(matrix_product(first, second).to_scipy() - left @ right).max() < 1e-13
    matrix = convection(5)
    known = left.T @ matrix[:9, :9] @ left
    found = galerkin(MatrixGraph.from_scipy(csr_array(matrix[:9, :9])), first)
    assert found.is_square
    assert abs(found.to_scipy() - known).max() < 1e-12 * abs(known).max()
    assert matrix_product(first, MatrixGraph.from_scipy(csr_array((6, 2)))).values.shape == (0,)
    with pytest.raises(ShapeError, match="6 rows of the second"):
        matrix_product(first, first)


def test_slopes_of_products_solutions_interpolations_and_cycles():
    graph, generator = MatrixGraph.from_scipy(convection(3)), torch.Generator().manual_seed(0)
    # no entry at the threshold of strength, where the choice of strong entries jumps
    graph = graph.with_values(graph.values * (1 + 0.3 * torch.rand(len(graph.rows), generator=generator)))
    coarse = torch.arange(9) % 2 == 0
    strong = ClassicalStrength().strong(graph)
    x = torch.randn(9, dtype=torch.float64, generator=generator)
    many = torch.stack((x, x**2), 1).requires_grad_()
    values = graph.values.clone().requires_grad_()

    def square(values: Tensor) -> Tensor:
        changed = graph.with_values(values)
        return matrix_product(changed, changed).values

    def solution(values: Tensor, b: Tensor) -> Tensor:
        return DirectSolve()(graph.with_values(values), b, b)

    def weights(values: Tensor) -> Tensor:
        return DirectInterpolation()(graph.with_values(values), strong, coarse).values

    def cycle(values: Tensor, x: Tensor) -> Tensor:
        return TwoGrid(Jacobi(1))(Coarsening()(graph.with_values(values), coarse), x, 1 + x**2)

    assert torch.autograd.gradcheck(square, (values,))
    assert torch.autograd.gradcheck(weights, (values,))
    assert torch.autograd.gradcheck(solution, (values, x.clone().requires_grad_()))
    assert torch.autograd.gradcheck(solution, (values, many))
    assert torch.autograd.gradcheck(cycle, (values, x.clone().requires_grad_()))


def test_a_union_of_cycles_gives_what_its_graphs_give():
    matrices = [five_point(6), convection(5), five_point(4, 0.1)]
    union, _ = together(matrices)
    graphs = [MatrixGraph.from_scipy(each) for each in matrices]
    b = torch.randn(union.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pieces = b.split([graph.shape[0] for graph in graphs])
    smooth = TwoGrid(Chebyshev(3, GershgorinBounds(4.0)), Chebyshev(6, GershgorinBounds(20.0)))
    exact = TwoGrid()
    alone = [Coarsening()(graph) for graph in graphs]
    levels_of_all = Coarsening()(union)
    for cycle, tolerance in ((smooth, 0.0), (exact, 1e-13)):  # factors of a union are ordered otherwise
        known = torch.cat([cycle(levels, 0 * piece, piece) for levels, piece in zip(alone, pieces, strict=True)])
        assert float((cycle(levels_of_all, 0 * b, b) - known).abs().max()) <= tolerance * float(known.abs().max())


def test_cycles_converge_with_every_smoother_and_a_smoothed_coarse_solution(graph):
    for cycle, bar in (
        (TwoGrid(), 0.08),
        (TwoGrid(Chebyshev(3, GershgorinBounds(4.0))), 0.08),
        (TwoGrid(coarse=Chebyshev(24, GershgorinBounds(60.0))), 0.08),
    ):
        assert largest(propagation(cycle, graph)) < bar


def test_a_matrix_without_coarse_nodes_is_only_smoothed():
    graph = MatrixGraph.from_scipy(csr_array(np.diag([1.0, 2.0, 3.0])))
    levels = Coarsening()(graph, torch.zeros(3, dtype=torch.bool))
    assert levels.coarse.shape == (0, 0)
    b = torch.ones(3, dtype=torch.float64)
    assert torch.equal(TwoGrid(Jacobi(1))(levels, 0 * b, b), Jacobi(2)(graph, 0 * b, b))
    with pytest.raises(ShapeError, match="booleans"):
        Coarsening()(graph, torch.ones(3))
