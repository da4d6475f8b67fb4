"""L^T A R by one sum over the numbers of A, against SciPy's products."""

import numpy as np
from scipy.sparse import csr_array, random_array

from pinnml.surrogates.sweeps import Congruence


def pattern(n: int, seed: int) -> csr_array:
    """A symmetric pattern with numbers that are not."""
    random = np.random.default_rng(seed)
    half = random_array((n, n), density=0.15, rng=random)
    matrix = csr_array(half + half.T)
    matrix.setdiag(1.0)
    matrix = csr_array(matrix)
    matrix.sort_indices()
    matrix.data[:] = random.normal(size=matrix.nnz)
    return matrix


def test_products_with_a_selection_and_with_interpolation():
    random = np.random.default_rng(0)
    matrix = pattern(40, 1)
    selection = csr_array(np.eye(40)[:, [*range(3, 20), *range(25, 40)]])
    interpolation = random_array((40, 9), density=0.3, rng=random).tocsr()
    left = csr_array((random.normal(size=interpolation.nnz), interpolation.indices, interpolation.indptr), (40, 9))
    for a, b in ((selection, selection), (interpolation, interpolation), (left, interpolation)):
        product = Congruence.of(matrix.indptr, matrix.indices, csr_array(a), csr_array(b))
        for factor in (1.0, random.normal(size=matrix.nnz)):
            other = csr_array((matrix.data * factor, matrix.indices, matrix.indptr), shape=matrix.shape)
            found = product(other.data)
            assert found.has_sorted_indices
            np.testing.assert_allclose(found.toarray(), (a.T @ other @ b).toarray(), atol=1e-13)


def test_rotations_of_nodes():
    # conditions that couple components leave a column with several entries
    matrix, c, s = pattern(6, 2), np.cos(0.3), np.sin(0.3)
    free = csr_array(np.array([[c, 0, 0], [0, 1, 0], [0, 0, 0], [s, 0, 0], [0, 0, 1], [0, 0, 0.0]]))
    found = Congruence.of(matrix.indptr, matrix.indices, free, free)(matrix.data)
    np.testing.assert_allclose(found.toarray(), (free.T @ matrix @ free).toarray(), atol=1e-14)


def test_symmetry_is_told():
    matrix = pattern(30, 3)
    product = Congruence.of(matrix.indptr, matrix.indices, csr_array(np.eye(30)), csr_array(np.eye(30)))
    assert not product.is_symmetric(product(matrix.data))
    symmetric = csr_array(matrix + matrix.T)
    symmetric.sort_indices()
    assert product.is_symmetric(product(symmetric.data))
    symmetric.data[7] *= 1 + 1e-9
    assert not product.is_symmetric(product(symmetric.data))
