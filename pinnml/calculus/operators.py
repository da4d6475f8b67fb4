"""The operators of vector calculus on jets. They act on the axes of space only; time and parameters are apart."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pinnml.calculus.jet import Jet
from pinnml.calculus.vector import Vector
from pinnml.errors import ShapeError


def grad(u: Any) -> Vector:
    """Grad u = (u_x1, ..., u_xd); of a vector field, the matrix of its components' gradients, row by row."""
    if isinstance(u, Vector):
        return Vector(grad(component) for component in u)
    return Vector(u.d(axis) for axis in _space(u, "grad"))


def div(flux: Any) -> Any:
    """Div F = sum_i (F_i)_xi; of a matrix, the divergence of each row.

    F is a Vector (or a tuple) with as many components as there are axes of space.
    """
    if isinstance(flux, Vector) and flux.own_div is not None:
        return flux.own_div
    rows = list(flux) if isinstance(flux, (Vector, tuple, list)) else []
    if rows and isinstance(rows[0], Vector):
        return Vector(div(row) for row in rows)
    axes = _space(rows[0], "div") if rows else ()
    if not rows or len(rows) != len(axes):
        raise ShapeError(
            "div of something that is not a vector field",
            expected=f"a Vector with one component for each axis of space ({', '.join(axes) or 'x, y, ...'})",
            got=f"{len(rows)} components" if rows else type(flux).__name__,
            cure="take div of grad(u), or of (Fx, Fy)",
        )
    terms = [component.d(axis) for component, axis in zip(rows, axes, strict=True)]
    return sum(terms[1:], terms[0])


def curl(field: Any) -> Any:
    """Curl F: (F3_y - F2_z, F1_z - F3_x, F2_x - F1_y) in space.

    In the plane, the scalar F2_x - F1_y of a vector and the vector (u_y, -u_x) of a scalar.
    """
    if isinstance(field, Vector) and field.own_curl is not None:
        return field.own_curl
    vector = isinstance(field, (Vector, tuple, list))
    axes = _space(field[0] if vector else field, "curl")
    if not vector and len(axes) == 2:
        return Vector((field.d(axes[1]), -field.d(axes[0])))
    if vector and len(axes) == len(field) == 2:
        return field[1].d(axes[0]) - field[0].d(axes[1])
    if vector and len(axes) == len(field) == 3:
        return Vector(field[j].d(axes[i]) - field[i].d(axes[j]) for i, j in ((1, 2), (2, 0), (0, 1)))
    raise ShapeError(
        f"curl in {len(axes)} dimensions of space",
        expected="a vector of 2 or 3 components in as many dimensions, or a scalar in the plane",
        got=f"{len(field)} components" if vector else "a scalar",
        cure='in other dimensions write the derivatives out: F[1].d("x") - F[0].d("y")',
    )


def laplacian(u: Any) -> Any:
    """The Laplacian sum_i u_xixi; componentwise for a vector field."""
    if isinstance(u, Vector):
        return Vector(laplacian(component) for component in u)
    terms = [u.d(axis, axis) for axis in _space(u, "laplacian")]
    return sum(terms[1:], terms[0])


def dot(a: Vector, b: Any) -> Jet:
    """sum_i a_i b_i, without conjugation."""
    return _vector(a, "dot").dot(b)


def cross(a: Vector, b: Any) -> Any:
    """A x b: a Vector in three dimensions, a scalar in two."""
    return _vector(a, "cross").cross(b)


def normal_derivative(u: Any, normal: Vector) -> Any:
    """du/dn = n . grad u with the outward normal; componentwise for a vector field."""
    if isinstance(u, Vector):
        return Vector(normal_derivative(component, normal) for component in u)
    return grad(u).dot(normal)


def jump(q: Any) -> Any:
    """[q], q behind an interface less q before it, of a field at pairs of points on its two sides; the same at both."""
    if isinstance(q, Vector):
        return Vector(jump(component) for component in q)

    def difference(values: Tensor) -> Tensor:
        pairs = values.unflatten(-1, (-1, 2))
        return (pairs[..., 1] - pairs[..., 0]).repeat_interleave(2, dim=-1)

    return difference(q) if isinstance(q, Tensor) else _jet(q, "jump").map(difference)


def _jet(u: Any, name: str) -> Jet:
    if not isinstance(u, Jet):
        raise ShapeError(
            f"{name} of something that is not a field",
            expected="a field of the problem, or an expression of fields and axes",
            got=type(u).__name__,
            cure="plain tensors and numbers know no derivatives; write them with the axes",
        )
    return u


def _space(u: Any, name: str) -> tuple[str, ...]:
    """The axes of space that a field depends on; there must be one."""
    axes = _jet(u, name).axes
    if not axes.space:
        raise ShapeError(
            f"{name}: there is no axis of space",
            expected="an axis that is neither time nor a parameter",
            got=f"the axes {', '.join(axes.names)}",
            cure=f'write the derivative by name: u.d("{axes.names[0]}")',
        )
    return axes.space


def _vector(a: Any, name: str) -> Vector:
    if isinstance(a, (tuple, list)):
        return Vector(a)
    if not isinstance(a, Vector):
        cure = f"{name}(grad(u), F), or {name}((ux, uy), F)"
        raise ShapeError(
            f"{name} of something that is not a vector", expected="a Vector", got=type(a).__name__, cure=cure
        )
    return a
