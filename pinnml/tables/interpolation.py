"""`interpolated`: a coefficient that is known as a table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Jet, MultiIndex, Vector, data_jet, meet
from pinnml.errors import ProblemError, ShapeError, UnknownNameError
from pinnml.tables.cell_table import CellTable
from pinnml.tables.files import read_table
from pinnml.tables.grid_table import DEGREES, GridTable, checked_grid
from pinnml.validation import choice

Table: TypeAlias = GridTable | CellTable
#: Tables that are kept, so that an equation may name its arrays in every call.
KEPT = 64
MOST_AXES = 3


def interpolated(x: Any, xs: Any, values: Any, *, kind: str | None = None, outside: str = "error") -> Any:
    """f(x), f(x, y) or f(x, y, z) from a table, with exact derivatives: a coefficient in equations and weak forms.

    x: a field, an axis, or a tuple of two or three; tensors and arrays as well. xs: places (m,) that increase, a tuple
    of such for several axes. values: one number at each, (m,) or (m_1, m_2[, m_3]), real or complex; one axis more
    makes a Vector. Or xs is the path of a .csv, whose first columns are the coordinates, or of a .vtu, and values the
    name of a column of it.

    kind: "cubic" (the default: SciPy's CubicSpline and its tensor products) or "linear"; a .vtu of cells that are no
    grid is linear in every triangle or tetrahedron. outside: "error" raises ProblemError for a point beyond the table,
    "constant" holds the values of its edge there. Raises ShapeError, ProblemError or UnknownNameError for what is no
    table.
    """
    places = tuple(x) if isinstance(x, (tuple, list, Vector)) else (x,)
    if not 1 <= len(places) <= MOST_AXES:
        cure = "fix the others, as in interpolated((x, y), ...)"
        raise ShapeError("interpolated", expected="one coordinate to three", got=f"{len(places)}", cure=cure)
    choice("outside", outside, ("error", "constant"))
    return looked_up(_table(xs, values, len(places), kind), places, outside)


def looked_up(table: Table, places: Sequence[Any], outside: str = "error") -> Any:
    """A table at fields, tensors or arrays, one for each of its coordinates."""
    if any(isinstance(place, Jet) for place in places):
        return _field(table, places, outside)
    return _numbers(table, places, outside)


@dataclass(frozen=True)
class _Arrays:
    """Places by axis and values, told apart by what is in them."""

    digest: str
    axes: tuple[np.ndarray, ...] = field(compare=False)
    values: np.ndarray = field(compare=False)


def _table(xs: Any, values: Any, d: int, kind: str | None) -> Table:
    """The table that was built for these arrays, or this file, before, else a new one."""
    if kind is not None:
        choice("kind of interpolation", kind, DEGREES)
    if isinstance(xs, (str, Path)):
        path = Path(xs)
        if not isinstance(values, str):
            cure = 'name a column of the file: interpolated(x, "k.csv", "k")'
            raise ProblemError("the values of a table in a file", expected="a name", got=repr(values), cure=cure)
        state = path.stat() if path.is_file() else None
        return _of_file(path, values, d, kind, state and state.st_mtime_ns, state and state.st_size)
    axes = tuple(_array(each, "xs") for each in (xs if d > 1 else (xs,)))
    if len(axes) != d:
        cure = "give one array of places for each: interpolated((x, y), (xs, ys), values)"
        raise ShapeError("interpolated", expected=f"xs for {d} coordinates", got=f"{len(axes)} of them", cure=cure)
    array = _array(values, "values")
    digest = hashlib.blake2b()
    for each in (*axes, array):
        digest.update(f"{each.dtype} {each.shape}".encode())
        digest.update(np.ascontiguousarray(each).tobytes())
    return _of_arrays(_Arrays(digest.hexdigest(), axes, array), kind)


@lru_cache(KEPT)
def _of_arrays(arrays: _Arrays, kind: str | None) -> GridTable:
    checked_grid(arrays.axes, arrays.values)
    values = arrays.values if arrays.values.ndim > len(arrays.axes) else arrays.values[..., None]
    return GridTable.through(arrays.axes, values, kind or "cubic")


@lru_cache(KEPT)
def _of_file(path: Path, column: str, d: int, kind: str | None, changed: int | None, size: int | None) -> Table:
    """The table in a file as it is now. changed, size: of the file, so that one that was written anew is read anew."""
    found = read_table(path, column, d)
    if not isinstance(found, CellTable):
        checked_grid(*found)
        return GridTable.through(*found, kind or "cubic")
    if kind == "cubic":
        cure = 'leave kind out, or take kind="linear"'
        raise UnknownNameError(f"table '{path.name}': kind", expected="linear, on cells", got="'cubic'", cure=cure)
    return found


def _array(given: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
        return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    except (TypeError, ValueError) as error:
        cure = "interpolated(x, xs, values): where, at which places, which values"
        raise ShapeError(f"{what} of a table", expected="an array of numbers", got=error, cure=cure) from None


def _field(table: Table, places: Sequence[Any], outside: str) -> Any:
    """The table at fields: f(v + s) = sum_a f_a(v) s^a with the jets' own s, which are zero at the points."""
    first = next(place for place in places if isinstance(place, Jet))
    jets = [_jet(place, first) for place in places]
    indices = reduce(meet, (jet.indices for jet in jets))
    jets = [jet.restricted(indices) for jet in jets]
    x, inside = _held(table, torch.stack([jet.value for jet in jets], dim=1), outside)
    shifts = [
        Jet(indices, torch.cat([torch.zeros_like(jet.coefficients[:1]), jet.coefficients[1:] * inside[:, axis]]))
        for axis, jet in enumerate(jets)
    ]
    total: Tensor | None = None
    for index, coefficient in table.taylor(x, indices.order).items():
        term = _power(shifts, index).unsqueeze(-1) * coefficient
        total = term if total is None else total + term
    assert total is not None
    components = [Jet(indices, each) for each in total.unbind(-1)]
    return components[0] if len(components) == 1 else Vector(components)


def _jet(place: Any, beside: Jet) -> Jet:
    """A coordinate beside a field: a field, values (n,) known at the points alone, or a number."""
    if isinstance(place, Jet):
        return place
    if isinstance(place, Tensor) and place.shape == beside.shape:
        return data_jet(beside.axes, place.to(beside.coefficients))
    if isinstance(place, (int, float, np.number)) or (isinstance(place, Tensor) and place.ndim == 0):
        return beside.constant(float(place))
    got, cure = type(place).__name__, "give fields, axes and numbers"
    raise ShapeError("interpolated", expected=f"a field at {beside.shape[0]} points or a number", got=got, cure=cure)


def _power(shifts: Sequence[Jet], index: MultiIndex) -> Tensor:
    """The coefficients of s^a, (K, n)."""
    factors = [shift for shift, power in zip(shifts, index, strict=True) for _ in range(power)]
    return reduce(lambda a, b: a * b, factors, shifts[0].constant(1.0)).coefficients


def _numbers(table: Table, places: Sequence[Any], outside: str) -> Any:
    """The table at plain numbers: tensors where some were given, else NumPy's."""
    tensors = [each if isinstance(each, Tensor) else torch.from_numpy(_array(each, "x")) for each in places]
    tensors = torch.broadcast_tensors(*tensors)
    shape = tensors[0].shape
    x, _ = _held(table, torch.stack([each.reshape(-1) for each in tensors], dim=1), outside)
    found = next(iter(table.taylor(x, 0).values()))
    found = found.reshape(shape) if found.shape[1] == 1 else found.reshape(*shape, -1)
    return found if any(isinstance(each, Tensor) for each in places) else found.numpy()


def _held(table: Table, x: Tensor, outside: str) -> tuple[Tensor, Tensor]:
    """Points as the table takes them, and along which axes they are inside, (n, d); ProblemError for one outside."""
    held, inside = table.held(x)
    if outside == "error" and not bool(inside.all()):
        point, axis = ((~inside).nonzero()[0]).tolist()
        low, high = table.bounds[axis].tolist()
        at = ", ".join(f"{float(number):.6g}" for number in x[point])
        raise ProblemError(
            f"interpolated asks for ({at}), which is outside the table",
            expected=f"coordinate {axis + 1} from {low:.6g} to {high:.6g}"
            + ", within the cells" * (not _is_grid(table)),
            got=f"{int((~inside).any(dim=1).sum())} of {len(x)} points outside",
            cure='give more of the table, or hold the values of its edge: interpolated(..., outside="constant")',
        )
    return held, inside


def _is_grid(table: Table) -> bool:
    return isinstance(table, GridTable)
