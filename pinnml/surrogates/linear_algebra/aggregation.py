"""What a graph layer does with edges: sums onto rows, largest values of rows, sums over whole graphs."""

from __future__ import annotations

from torch import Tensor

from pinnml.errors import ShapeError
from pinnml.surrogates.linear_algebra.matrix_graph import MatrixGraph


def scaled(factors: Tensor, x: Tensor) -> Tensor:
    """Each row of x (k, ...) times its factor (k,)."""
    return factors.reshape(-1, *(1,) * (x.ndim - 1)) * x


def onto_rows(graph: MatrixGraph, messages: Tensor) -> Tensor:
    """The sums (n, ...) of messages (e, ...) over the entries of each row, in the order of the edges."""
    return messages.new_zeros(graph.shape[0], *messages.shape[1:]).index_add(0, graph.rows, messages)


def largest_of_rows(graph: MatrixGraph, messages: Tensor, which: Tensor, empty: float) -> Tensor:
    """The largest (n,) of those messages (e,) of each row that are asked for; `empty` in rows without any."""
    rows, chosen = graph.rows[which], messages[which]
    start = messages.new_full((graph.shape[0],), empty)
    return start.scatter_reduce(0, rows, chosen, "amax", include_self=False)


def over_graphs(graph: MatrixGraph, x: Tensor) -> Tensor:
    """The sums (g, ...) of what stands at the rows, x (n, ...), over each graph."""
    return x.new_zeros(graph.graphs, *x.shape[1:]).index_add(0, graph.row_graphs, x)


def to_rows(graph: MatrixGraph, globals_: float | Tensor) -> float | Tensor:
    """A number of each graph, (g, ...), at its rows, (n, ...); one number for all of them stays as it is."""
    if not isinstance(globals_, Tensor) or globals_.ndim == 0:
        return globals_
    if len(globals_) != graph.graphs:
        cure = "give one number, or one for each graph of the union"
        got = f"{len(globals_)}"
        raise ShapeError("numbers of graphs", expected=f"{graph.graphs} of them", got=got, cure=cure)
    return globals_[graph.row_graphs]


def checked(graph: MatrixGraph, x: Tensor, what: str = "x", *, of_rows: bool = False) -> Tensor:
    """Numbers at the columns of a matrix, x (m, ...), or at its rows. Raises ShapeError for others."""
    count = graph.shape[0] if of_rows else graph.shape[1]
    if x.ndim == 0 or len(x) != count:
        expected = f"{count} rows, one for each {'row' if of_rows else 'column'} of the matrix"
        cure = "concatenate the vectors of a union in its order"
        raise ShapeError(what, expected=expected, got=f"shape {tuple(x.shape)}", cure=cure)
    return x
