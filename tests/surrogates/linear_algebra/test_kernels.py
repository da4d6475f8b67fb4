"""Fixed kernels on the five-point matrix and others: known values, SciPy's products, eigenvectors, wrong twins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml.errors import ProblemError, SettingsError, ShapeError
from pinnml.surrogates.linear_algebra import (
    Chebyshev,
    GershgorinBounds,
    Jacobi,
    MatrixGraph,
    MatrixProduct,
    PowerMethod,
    Residual,
    WeightedNorm,
)
from tests.helpers.sparse_matrices import LARGEST, LOWEST, convection, five_point, scattered

#: Known values have twelve to fifteen digits.
KNOWN = 1e-12
INTERVAL = (LOWEST, LARGEST)


@pytest.fixture
def graph() -> MatrixGraph:
    return MatrixGraph.from_scipy(five_point())


def ones(count: int = 100) -> Tensor:
    return torch.ones(count, dtype=torch.float64)


def reduction(graph: MatrixGraph, smoother: torch.nn.Module) -> float:
    """|r| / |r_0| from zero, b = 1."""
    b = ones()
    return float(Residual()(graph, smoother(graph, 0 * b, b), b).norm() / b.norm())


def test_the_product_and_the_norm_have_their_known_values(graph):
    v = torch.arange(1, 101, dtype=torch.float64)
    product = MatrixProduct()(graph, v)
    assert product[:5].tolist() == [-9, -8, -7, -6, -5]
    assert product.sum() == 2020
    assert float(WeightedNorm()(graph, v)) == pytest.approx(410.694533686534, rel=KNOWN)


def test_smoothers_have_their_known_values(graph):
    assert reduction(graph, Jacobi(10)) == pytest.approx(0.676225608757734, rel=KNOWN)
    assert reduction(graph, Chebyshev(4, INTERVAL)) == pytest.approx(0.535903534866309, rel=KNOWN)
    assert reduction(graph, Jacobi(0)) == reduction(graph, Chebyshev(0, INTERVAL)) == 1


def test_jacobi_approaches_its_asymptotic_factor(graph):
    assert pytest.approx(0.162028105542010, rel=KNOWN) == LOWEST
    assert pytest.approx(7.837971894457979, rel=KNOWN) == LARGEST
    factor = reduction(graph, Jacobi(401)) / reduction(graph, Jacobi(400))
    assert pytest.approx(0.972995315742998, rel=KNOWN) == 1 - LOWEST / 6
    assert factor == pytest.approx(1 - LOWEST / 6, rel=1e-9)  # other modes have fallen to 0.86^400


def test_the_power_method_has_its_known_value(graph):
    start = ones()
    start[0] = 2
    value, vector = PowerMethod(10)(graph, start)
    assert float(value) == pytest.approx(7.024188637683, rel=KNOWN)
    assert float(vector.norm()) == pytest.approx(1, rel=1e-14)
    assert float(PowerMethod(3000)(graph, start)[0]) == pytest.approx(LARGEST, rel=KNOWN)


@pytest.mark.parametrize("columns", [(), (3,), (2, 2)])
def test_products_agree_with_scipy_where_the_matrix_is_not_symmetric(columns):
    matrix = convection()
    graph = MatrixGraph.from_scipy(matrix)
    x = torch.randn(64, *columns, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    truth = torch.from_numpy((matrix @ x.reshape(64, -1).numpy()).reshape(x.shape))
    bound = 1e-14 * float(abs(matrix).max() * x.abs().max())
    assert float((MatrixProduct()(graph, x) - truth).abs().max()) <= bound
    assert float((Residual()(graph, x, 2 * x) - (2 * x - truth)).abs().max()) <= 2 * bound
    wrong = MatrixProduct()(graph.transposed(), x)  # the sum onto columns
    assert float((wrong - truth).abs().max()) > 0.1


def test_a_rectangular_matrix_multiplies():
    matrix = scattered(9, 3)[:, :4]
    x = np.random.default_rng(0).standard_normal((4, 2))
    product = MatrixProduct()(MatrixGraph.from_scipy(matrix), torch.from_numpy(x)).numpy()
    assert np.allclose(product, matrix @ x, rtol=0, atol=1e-13)


def chebyshev_polynomial(degree: int, t: Tensor | float) -> Tensor:
    return torch.special.chebyshev_polynomial_t(torch.as_tensor(t, dtype=torch.float64), degree)


class UsualBeta(Chebyshev):
    """The wrong twin: every step has the beta of the later ones."""

    def forward(self, graph: MatrixGraph, x: Tensor, b: Tensor) -> Tensor:
        c, d = (LARGEST - LOWEST) / 2, (LARGEST + LOWEST) / 2
        r = self.residual(graph, x, b)
        p, alpha = 0 * r, 1 / d
        for step in range(self.degree):
            beta = (c * alpha) ** 2 / 4 if step else 0.0
            alpha = 1 / (d - beta / alpha)
            p = r + beta * p
            x, r = x + alpha * p, r - alpha * self.product(graph, p)
        return x


def deviation(graph: MatrixGraph, smoother: Chebyshev) -> float:
    """How far residuals of eigenvectors are from T_k((d - lambda) / c) / T_k(d / c)."""
    values, vectors = np.linalg.eigh(graph.to_scipy().toarray())
    c, d = (LARGEST - LOWEST) / 2, (LARGEST + LOWEST) / 2
    b = torch.from_numpy(vectors)
    factors = chebyshev_polynomial(smoother.degree, (d - torch.from_numpy(values)) / c)
    factors = factors / chebyshev_polynomial(smoother.degree, d / c)
    return float((Residual()(graph, smoother(graph, 0 * b, b), b) - factors * b).abs().max())


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 8, 16, 40])
def test_chebyshev_treats_every_eigenvector_as_its_polynomial_says(graph, degree):
    assert deviation(graph, Chebyshev(degree, INTERVAL)) < 3e-14 * degree
    largest = 1 / float(chebyshev_polynomial(degree, (LARGEST + LOWEST) / (LARGEST - LOWEST)))
    assert degree < 2 or deviation(graph, UsualBeta(degree, INTERVAL)) > largest / 10


def test_the_polynomials_have_their_known_ends(graph):
    known = {1: 0.959493, 2: 0.852927, 3: 0.713449, 4: 0.571690, 8: 0.195336, 16: 0.0194491}
    vector = torch.from_numpy(np.linalg.eigh(graph.to_scipy().toarray())[1][:, 0])
    for degree, ratio in known.items():
        left = Residual()(graph, Chebyshev(degree, INTERVAL)(graph, 0 * vector, vector), vector)
        assert float(left.norm()) == pytest.approx(ratio, abs=5e-7)


def test_gershgorin_bounds_hold_the_spectrum():
    for matrix in (five_point(), scattered(12, 0) + scattered(12, 0).T):
        lowest, largest = GershgorinBounds(5.0)(MatrixGraph.from_scipy(matrix))
        assert float(largest) >= np.linalg.eigvalsh(matrix.toarray()).max()
        assert float(largest) == pytest.approx(5 * float(lowest))
    graph = MatrixGraph.from_scipy(five_point())
    assert reduction(graph, Chebyshev(20, GershgorinBounds(60.0))) < 0.01  # the condition number is 48


def test_what_smoothers_cannot_do_is_named():
    graph = MatrixGraph.from_scipy(five_point(2))
    with pytest.raises(SettingsError, match="zero outside"):
        Chebyshev(2, (-1.0, 2.0))(graph, ones(4), ones(4))
    with pytest.raises(SettingsError, match="sweeps"):
        Jacobi(-1)
    holes = graph.with_values(torch.where(graph.off_diagonal, graph.values, 0))
    with pytest.raises(ProblemError, match="row 0 without"):
        Jacobi()(holes, ones(4), ones(4))
    with pytest.raises(ShapeError, match="4 rows"):
        MatrixProduct()(graph, ones(3))
    with pytest.raises(ShapeError, match="numbers of graphs"):
        Jacobi(weight=torch.ones(3))(graph, ones(4), ones(4))
