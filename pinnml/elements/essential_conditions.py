"""Conditions on values: read off the equations on the boundary, and what they leave free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from pinnml.calculus import Jet, total_order
from pinnml.domains import Sample
from pinnml.domains.geometry import carried_normal, located
from pinnml.domains.reference_cells import outward_normals
from pinnml.elements.discretisation import Discretisation
from pinnml.elements.piola import pulled_back
from pinnml.elements.space import Space
from pinnml.errors import NonFiniteError, ProblemError
from pinnml.problem import Field, Term, discover, namespace, residuals

#: Singular values below this part of the largest, and misfits of this part of the values, are round-off.
ROUND_OFF = 1e-9
#: Conditions at one node that differ by less than this sine of an angle are one: facets of a curved wall meet so.
ONE_CONDITION = 0.4
#: Values that differ by this part of the largest contradict each other.
DISAGREEING = 1e-6


@dataclass(frozen=True, eq=False)
class Constraint:
    """What conditions on values leave: u = fixed + free @ y, with N numbers u and F numbers y.

    The columns of `free` (N, F) are orthonormal. disagreeing: at how many nodes conditions contradict each other, so
    that their mean was taken.
    """

    fixed: np.ndarray
    free: csr_array
    disagreeing: int = 0

    @property
    def unknowns(self) -> int:
        """F."""
        return self.free.shape[1]  # pyright: ignore[reportOptionalSubscript] - scipy's own annotation allows no shape


@dataclass(frozen=True, eq=False)
class Values:
    """Affine conditions of an equation on a field: matrix (c, q, r, m) @ value (c, q, m) = right (c, q, r).

    At the q interpolation points of the functions on one side, numbered the same in all cells, of cells (c,).
    local: these functions; points: their interpolation points among those of the element; jacobian (c, q, s, s);
    normal (c, q, s).
    """

    name: str
    cells: Tensor
    local: list[int]
    points: list[int]
    jacobian: Tensor
    normal: Tensor
    matrix: Tensor
    right: Tensor


def essential(parts: Discretisation, terms: Iterable[Term]) -> list[Term]:
    """Those equations that are on the boundary and ask for values alone; the weak form stands for others."""
    return [term for term in terms if _is_essential(parts, term)]


def constraint(parts: Discretisation, terms: Sequence[Term]) -> Constraint:
    """What equations on the boundary that ask for values prescribe.

    Conditions that couple the components of a field, such as dot(u, normal) = 0, are met at every node of Lagrange
    elements. Where conditions disagree, as at a corner, their mean is taken.
    """
    fixed, bases, disagreeing = np.zeros(parts.size), [], 0
    for field in parts.problem.fields:
        space, start = parts.spaces[field.name], parts.starts[field.name]
        found = [values for term in terms for values in _values(parts, field, term)]
        if parts.is_nodal(field):
            values, basis, count = _at_nodes(space, field, found)
            disagreeing += count
        else:
            values, basis = _of_dofs(space, found)
        fixed[start : start + len(values)] = values
        bases.append(basis)
    return Constraint(fixed, csr_array(_block_diagonal(bases)), disagreeing)


def _is_essential(parts: Discretisation, term: Term) -> bool:
    """Whether an equation is on facets and asks for values alone."""
    problem = parts.problem
    if term.equation.integral:
        cure = "say it in the weak form, or by a value on a face"
        raise ProblemError(f"equation '{term.name}' is an integral", expected="conditions at points", cure=cure)
    if term.region in problem.data or term.region == "interior" or term.is_jump:
        return False
    sample = problem.domain.sample(term.region, 8, torch.Generator().manual_seed(0), "random")
    needs, _ = discover(problem, term, sample)
    if len(needs.outputs) == 1 and not problem.domain.has_normal(term.region):
        cure = "say it in the weak form, or on a face of the mesh"
        raise ProblemError(f"equation '{term.name}' holds values inside", expected="values on faces", cure=cure)
    return len(needs.outputs) == 1


def _values(parts: Discretisation, field: Field, term: Term) -> Iterator[Values]:
    """What an equation says of a field on the facets of its region."""
    pieces, space = parts.pieces(term.region), parts.spaces[field.name]
    assert pieces.local is not None
    kind, element = space.cells.kind, space.element.on(space.cells.kind)
    points, moments = np.array(element.points), np.abs(np.array(element.interpolation_matrix))
    for side in np.unique(pieces.local).tolist():
        cells, local = pieces.cell[pieces.local == side], list(element.entity_closure_dofs[kind.dimension - 1][side])
        weight = moments[local].reshape(len(local), -1, len(points)).max(axis=(0, 1))
        used = np.flatnonzero(weight > ROUND_OFF * weight.max())
        x, jacobian = located(space.cells, np.repeat(cells, len(used)), np.tile(points[used], (len(cells), 1)))
        normal, _ = carried_normal(jacobian, torch.from_numpy(outward_normals(kind.reference)[side]).expand_as(x))
        sample = Sample(x, torch.ones(len(x), dtype=x.dtype), normal)
        shape = (len(cells), len(used))
        at = (tensor.unflatten(0, shape) for tensor in (jacobian, normal, *_affine(parts, field, term, sample)))
        yield Values(term.name, torch.from_numpy(cells), local, used.tolist(), *at)


def _affine(parts: Discretisation, field: Field, term: Term, sample: Sample) -> tuple[Tensor, Tensor]:
    """The residual's rows as matrix (n, r, m) and right side (n, r) of a field's values; rows of other fields left out.

    Raises ProblemError for a condition that is not affine, or that ties fields together.
    """
    problem, n = parts.problem, len(sample)
    indices = total_order(problem.domain.axes, 0)

    def rows(values: Tensor) -> Tensor:
        slopes = total_order(problem.domain.axes, 1)
        known = namespace(problem, sample, slopes, Jet(indices, values.unsqueeze(0)), parameters)
        return torch.stack(residuals(term, known, n), dim=1)

    parameters = {name: sample.x.new_full((n,), value) for name, value in problem.parameters.items()}
    zero = sample.x.new_zeros(n, problem.columns)
    right = -rows(zero)
    matrix = torch.stack([rows(zero.index_fill(1, torch.tensor(j), 1.0)) + right for j in range(zero.shape[1])], dim=2)
    _check_said(term, matrix, right)
    tried = torch.randn(zero.shape, generator=torch.Generator().manual_seed(0), dtype=zero.dtype)
    misfit = (rows(tried) + right - (matrix @ tried.unsqueeze(-1)).squeeze(-1)).abs().max()
    if float(misfit) > ROUND_OFF * float(matrix.abs().max() + right.abs().max()):
        cure = "write conditions on values as u - g"
        got = "a residual that bends"
        raise ProblemError(f"equation '{term.name}' is not affine in the fields", expected="u - g", got=got, cure=cure)
    first = sum(other.columns for other in problem.fields[: problem.fields.index(field)])
    own = slice(first, first + field.columns)
    touched = matrix.abs().amax(dim=0) > ROUND_OFF * float(matrix.abs().max())  # (r, columns)
    mine = touched[:, own].any(dim=1)
    if bool((touched[mine].sum(dim=1) > touched[mine][:, own].sum(dim=1)).any()):
        cure = "write one equation for each field"
        message, got = f"equation '{term.name}' ties values of several fields", "more than one"
        raise ProblemError(message, expected="one field in each condition", got=got, cure=cure)
    return matrix[:, mine][..., own], right[:, mine]


def _check_said(term: Term, matrix: Tensor, right: Tensor) -> None:
    """Refuse NaN and infinity, and values for no field at all."""
    if not bool(torch.isfinite(matrix).all() and torch.isfinite(right).all()):
        message, cure = f"equation '{term.name}' is not finite", "look for a division by zero, a root or a logarithm"
        raise NonFiniteError(message, expected=f"finite values on '{term.region}'", got="NaN or infinity", cure=cure)
    void = (matrix.abs().amax(dim=2) == 0) & (right != 0)
    if bool(void.any()):
        message, cure = f"equation '{term.name}' says a value of no field", "write conditions on values as u - g"
        got = f"no field at {int(void.any(dim=1).sum())} of {len(void)} points"
        raise ProblemError(message, expected="u - g", got=got, cure=cure)


def _at_nodes(space: Space, field: Field, found: list[Values]) -> tuple[np.ndarray, coo_array, int]:
    """The least values (components x size) that meet the conditions at nodes, and a basis of what they leave free.

    At last at how many nodes they cannot all be met.
    """
    m, size = field.components, space.size
    values, blocks = np.zeros((m, size)), np.tile(np.eye(m), (size, 1, 1))
    kept, disagreeing = np.ones((size, m), dtype=bool), 0
    if any(each.matrix.shape[2] for each in found):
        nodes, matrix, right = _gathered(space, found, m)
        left, sizes, rows = torch.linalg.svd(matrix, full_matrices=True)
        rank = sizes > ONE_CONDITION / 2 * sizes[:, :1]
        inverse = torch.where(rank, 1 / sizes, 0.0)
        along = (left.mT @ right.unsqueeze(-1)).squeeze(-1)[:, : sizes.shape[1]] * inverse
        least = torch.einsum("nji,nj->ni", rows[:, : sizes.shape[1]], along)
        misfit = ((matrix @ least.unsqueeze(-1)).squeeze(-1) - right).abs().amax(dim=1)
        disagreeing = int((misfit > DISAGREEING * right.abs().max()).sum())
        values[:, nodes] = least.T.numpy()
        blocks[nodes] = rows.mT.numpy()
        kept[nodes, : sizes.shape[1]] = ~rank.numpy()
    numbers = np.arange(m * size).reshape(m, size)
    node, column = np.nonzero(kept)
    free = np.broadcast_to(np.arange(len(node)), (m, len(node)))
    entries = blocks[node, :, column].T
    nonzero = entries != 0
    places = (numbers[:, node][nonzero], free[nonzero])
    return values.ravel(), coo_array((entries[nonzero], places), shape=(m * size, len(node))), disagreeing


def _gathered(space: Space, found: list[Values], m: int) -> tuple[np.ndarray, Tensor, Tensor]:
    """All conditions by node: nodes (k,), matrix (k, r, m), right (k, r); rows of length one, filled up with zeros."""
    nodes = [space.dofs[each.cells][:, each.points] for each in found]  # of Lagrange elements a point is a function
    node = torch.cat([n.unsqueeze(2).expand(e.right.shape).flatten() for n, e in zip(nodes, found, strict=True)])
    matrix = torch.cat([each.matrix.reshape(-1, m) for each in found])
    right = torch.cat([each.right.reshape(-1) for each in found])
    length = torch.linalg.vector_norm(matrix, dim=1)
    said = length > ROUND_OFF * length.max()
    node, matrix, right = node[said], matrix[said] / length[said, None], right[said] / length[said]
    nodes, which = torch.unique(node, return_inverse=True)
    order, counts = torch.argsort(which, stable=True), torch.bincount(which)
    place = torch.arange(len(order)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    shape = (len(nodes), max(int(counts.max()), m))
    full, values = matrix.new_zeros(*shape, m), matrix.new_zeros(shape)
    full[which[order], place], values[which[order], place] = matrix[order], right[order]
    return nodes.numpy(), full, values


def _of_dofs(space: Space, found: list[Values]) -> tuple[np.ndarray, coo_array]:
    """The degrees of freedom on facets, by the moments of the least values that meet the conditions there."""
    element, family = space.element.on(space.cells.kind), space.element.family
    values, free = torch.zeros(space.size, dtype=torch.float64), np.ones(space.size, dtype=bool)
    for each in found:
        if not each.matrix.shape[2]:
            continue
        inverse = torch.linalg.pinv(each.matrix, rtol=ROUND_OFF)
        _check_shared(space, each, inverse)
        least = (inverse @ each.right.unsqueeze(-1)).squeeze(-1)
        moments = torch.from_numpy(np.array(element.interpolation_matrix)).unflatten(1, (least.shape[-1], -1))
        local = torch.einsum("kiq,cqi->ck", moments[..., each.points], pulled_back(family, each.jacobian, least))
        shared, dofs = space.to_shared(local, each.cells), space.dofs[each.cells]
        values[dofs[:, each.local]] = shared[:, each.local]
        free[dofs[:, each.local]] = False
    numbers = np.flatnonzero(free)
    basis = coo_array((np.ones(len(numbers)), (numbers, np.arange(len(numbers)))), shape=(space.size, len(numbers)))
    return values.numpy(), basis


def _check_shared(space: Space, values: Values, inverse: Tensor) -> None:
    """Refuse conditions that leave open what the element shares across facets: tangential, or normal components."""
    normal = values.normal.unsqueeze(-1) @ values.normal.unsqueeze(-2)
    tangential = torch.eye(normal.shape[-1], dtype=normal.dtype) - normal
    shared, word = (tangential, "tangential") if space.element.family == "N1curl" else (normal, "normal")
    if float((shared - inverse @ values.matrix @ shared).abs().max()) > ROUND_OFF:
        written = "cross(E, normal) = ..." if word == "tangential" else "dot(q, normal) = ..."
        raise ProblemError(
            f"equation '{values.name}' leaves the {word} components open, which {space.element.family} elements share",
            expected=written,
            got="a condition on other components, or on a part of the region",
            cure=f"write {written}, or choose elements of family P",
        )


def _block_diagonal(blocks: list[coo_array]) -> coo_array:
    from scipy.sparse import block_diag

    return coo_array(block_diag(blocks))
