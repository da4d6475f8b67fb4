"""A sparse matrix, or several, as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from pinnml.errors import ProblemError, ShapeError


@dataclass(frozen=True, eq=False)
class MatrixGraph:
    """A sparse matrix A as a graph: an edge for each entry A_ij, that leads from node j onto node i.

    rows (e,), columns (e,): the places of the entries as int64, each place once; values (e,). row_graphs (n,) and
    column_graphs (m,): of which of the `graphs` matrices a row or a column is; several are the blocks of a
    block-diagonal matrix. Rows and columns of a square matrix are the same nodes. Nothing is changed in place.
    """

    rows: Tensor
    columns: Tensor
    values: Tensor
    row_graphs: Tensor
    column_graphs: Tensor
    graphs: int = 1

    @classmethod
    def of(cls, rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> MatrixGraph:
        """One matrix by its entries, in any order. Raises ShapeError for entries that do not fit."""
        if not rows.shape == columns.shape == values.shape == (len(values),):
            got = f"{tuple(rows.shape)}, {tuple(columns.shape)} and {tuple(values.shape)}"
            cure = "give a row, a column and a value for each entry"
            raise ShapeError("entries of a matrix", expected="three vectors of one length", got=got, cure=cure)
        for kind, places, count in (("row", rows, shape[0]), ("column", columns, shape[1])):
            if len(places) and not 0 <= int(places.min()) <= int(places.max()) < count:
                got, cure = f"{int(places.min())} to {int(places.max())}", "count from 0, or give the whole shape"
                raise ShapeError(f"{kind}s of a matrix", expected=f"0 to {count - 1}", got=got, cure=cure)
        if len(torch.unique(rows.long() * shape[1] + columns)) < len(values):
            cure = "add them up first; MatrixGraph.from_scipy does"
            raise ShapeError("entries of a matrix", expected="each place once", got="some twice", cure=cure)
        graph_of = [torch.zeros(count, dtype=torch.int64, device=values.device) for count in shape]
        return cls(
            rows.long(), columns.long(), values, graph_of[0], graph_of[0] if shape[0] == shape[1] else graph_of[1]
        )

    @classmethod
    def from_scipy(cls, matrix: Any, dtype: torch.dtype = torch.float64, device: Any = "cpu") -> MatrixGraph:
        """A SciPy matrix or array; entries in one place are added up, and edges ordered by row, then by column."""
        if not issparse(matrix):
            cure = "write MatrixGraph.from_scipy(scipy.sparse.csr_array(matrix))"
            raise ShapeError("a matrix", expected="a sparse matrix of SciPy", got=type(matrix).__name__, cure=cure)
        by_row = csr_array(matrix, copy=True)
        by_row.sum_duplicates()
        entries = by_row.tocoo()
        rows, columns = (torch.from_numpy(np.asarray(place, np.int64)).to(device) for place in entries.coords)
        values = torch.from_numpy(np.array(entries.data)).to(device, dtype)
        return cls.of(rows, columns, values, matrix.shape)

    @classmethod
    def union(cls, graphs: Sequence[MatrixGraph]) -> MatrixGraph:
        """The block-diagonal matrix of several. Raises ShapeError for none."""
        if not graphs:
            raise ShapeError("a union of matrices", expected="one or more", got="none", cure="leave it out")
        row, column, number = 0, 0, 0
        shifted = []
        for graph in graphs:
            places = graph.rows + row, graph.columns + column
            shifted.append((*places, graph.values, graph.row_graphs + number, graph.column_graphs + number))
            row, column, number = row + graph.shape[0], column + graph.shape[1], number + graph.graphs
        rows, columns, values, row_graphs, column_graphs = (torch.cat(parts) for parts in zip(*shifted, strict=True))
        square = all(graph.is_square for graph in graphs)
        return cls(rows, columns, values, row_graphs, row_graphs if square else column_graphs, number)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and of columns."""
        return len(self.row_graphs), len(self.column_graphs)

    @property
    def is_square(self) -> bool:
        """Whether rows and columns are the same nodes."""
        return self.row_graphs is self.column_graphs

    @property
    def off_diagonal(self) -> Tensor:
        """Which entries (e,) are beside the diagonal."""
        return self.rows != self.columns

    def diagonal(self) -> Tensor:
        """A_ii (n,), zero where there is no entry."""
        on = ~self.off_diagonal
        return self.values.new_zeros(self.shape[0]).index_add(0, self.rows[on], self.values[on])

    def with_values(self, values: Tensor) -> MatrixGraph:
        """The same places with other values (e,)."""
        return replace(self, values=values)

    def transposed(self) -> MatrixGraph:
        """The transpose: every edge the other way round."""
        turned = {"rows": self.columns, "columns": self.rows}
        return replace(self, **turned, row_graphs=self.column_graphs, column_graphs=self.row_graphs)

    def to(self, device: Any = None, dtype: torch.dtype | None = None) -> MatrixGraph:
        """The same on another device, or with values of another precision."""
        row_graphs = self.row_graphs.to(device)
        column_graphs = row_graphs if self.is_square else self.column_graphs.to(device)
        values = self.values.to(device=device, dtype=dtype)
        return MatrixGraph(
            self.rows.to(device), self.columns.to(device), values, row_graphs, column_graphs, self.graphs
        )

    def parts(self) -> list[MatrixGraph]:
        """The matrices of a union, one by one."""
        return [self._part(number) for number in range(self.graphs)]

    def to_scipy(self) -> csr_array:
        """The matrix, or the block-diagonal one, without its gradients."""
        rows, columns, values = (each.detach().cpu().numpy() for each in (self.rows, self.columns, self.values))
        return csr_array((values, (rows, columns)), shape=self.shape)

    @cached_property
    def factors(self) -> SuperLU:
        """Sparse triangular factors, made at the first use, in float64. Raises ProblemError for a singular matrix."""
        try:
            return splu(self.to_scipy().astype(np.float64).tocsc())
        except RuntimeError as error:
            cure = "leave rows without entries out, or smooth in place of solving"
            message = "the matrix has no triangular factors"
            raise ProblemError(message, expected="a regular matrix", got=error, cure=cure) from None

    def __getstate__(self) -> dict[str, Any]:
        """All but the factors, which cannot be copied."""
        return {name: value for name, value in self.__dict__.items() if name != "factors"}

    def _part(self, number: int) -> MatrixGraph:
        mine = self.row_graphs[self.rows] == number
        row_numbers, column_numbers = (
            torch.cumsum(of == number, 0) - 1 for of in (self.row_graphs, self.column_graphs)
        )
        shape = int((self.row_graphs == number).sum()), int((self.column_graphs == number).sum())
        row_graphs = self.row_graphs.new_zeros(shape[0])
        column_graphs = row_graphs if self.is_square else self.column_graphs.new_zeros(shape[1])
        rows, columns = row_numbers[self.rows[mine]], column_numbers[self.columns[mine]]
        return MatrixGraph(rows, columns, self.values[mine], row_graphs, column_graphs)
